import type { AuditReport, Finding, Severity } from "../report.ts";

/** What a finding means for the run. */
export type Standing =
  /** Failed, and counts. */
  | "weak"
  /** Failed, and is less bad than what the run is to fail on. */
  | "minor"
  /** Failed, and somebody has accepted that for a while. */
  | "accepted"
  /** Was expected to pass, or at least to conclude, and did not. */
  | "unproven"
  | "passed"
  | "inconclusive"
  | "skipped";

/** A finding, and what it means for the run. */
export interface JudgedFinding {
  readonly finding: Finding;
  readonly standing: Standing;
  /** In words, where the standing is not plain from the finding. */
  readonly note?: string;
}

/** What a file of expectations says of one origin, and what was seen. */
export interface JudgedOrigin {
  readonly origin: string;
  readonly expected: "accepted" | "refused";
  /** Undefined where it could not be told. */
  readonly isMet: boolean | undefined;
  readonly observation: string;
}

/** How it ended: nothing weak, something weak, or not enough to tell. */
export type Outcome = "clean" | "weak" | "inconclusive";

/** One target of a run. */
export interface JudgedTarget {
  /** The URL, with its secrets masked. */
  readonly target: string;
  readonly outcome: Outcome;
  /** Why it could not be concluded, where that is the outcome. */
  readonly problems: readonly string[];
  readonly report?: AuditReport;
  readonly findings: readonly JudgedFinding[];
  readonly origins: readonly JudgedOrigin[];
}

/** A whole run: what every format is written from. */
export interface Assessment {
  readonly outcome: Outcome;
  /** The least bad severity that counts. */
  readonly failOn: Severity;
  readonly targets: readonly JudgedTarget[];
  /** What is to be tidied up in the files that were given. */
  readonly notices: readonly string[];
  /** Of the program that wrote it. */
  readonly version: string;
}

/** The exit code of each outcome. */
export const exitCodes: Readonly<Record<Outcome, 0 | 1 | 2>> = {
  clean: 0,
  weak: 1,
  inconclusive: 2,
};

/** The findings of one standing, the worst first. */
export function findingsOf(
  { findings }: Pick<JudgedTarget, "findings">,
  ...standings: readonly Standing[]
): readonly JudgedFinding[] {
  return findings
    .filter(({ standing }) => standings.includes(standing))
    .toSorted((left, right) => rank(right) - rank(left));
}

const ranks: Readonly<Record<Severity, number>> = {
  info: 0,
  low: 1,
  medium: 2,
  high: 3,
  critical: 4,
};
const rank = ({ finding }: JudgedFinding): number => ranks[finding.severity];

/** Whether the one is at least as bad as the other. */
export const isAtLeast = (severity: Severity, threshold: Severity): boolean =>
  ranks[severity] >= ranks[threshold];
