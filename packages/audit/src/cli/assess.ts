import type {
  Assessment,
  JudgedFinding,
  JudgedOrigin,
  JudgedTarget,
  Outcome,
} from "../formats/assessment.ts";
import { isAtLeast } from "../formats/assessment.ts";
import type { AuditReport, Finding, Severity, Summary } from "../report.ts";
import { type Acceptance, hasExpired, isAbout } from "./acceptances.ts";
import { isNamedBy } from "./check-names.ts";
import type { Expectations } from "./expectations.ts";

/** By what a run is judged. */
export interface Rules {
  readonly failOn: Severity;
  readonly expectations: Expectations;
  readonly acceptances: readonly Acceptance[];
  readonly now: Date;
}

/** What came of one target: a report, or why there is none. */
export interface Result {
  readonly target: string;
  readonly report?: AuditReport;
  readonly problem?: string;
  readonly origins: readonly JudgedOrigin[];
}

/** Judges a run. */
export function assess(results: readonly Result[], rules: Rules, version: string): Assessment {
  const targets = results.map((result) => judgeTarget(result, rules));
  const { failOn } = rules;
  return {
    outcome: worst(targets.map(({ outcome }) => outcome)),
    failOn,
    targets,
    notices: noticesOf(results, rules),
    version,
  };
}

function judgeTarget({ target, report, problem, origins }: Result, rules: Rules): JudgedTarget {
  const findings = report?.findings.map((finding) => judge(finding, report.target, rules)) ?? [];
  const problems = [
    ...(problem === undefined ? [] : [problem]),
    ...(report === undefined ? [] : problemsOf(report)),
  ];
  const isWeak =
    findings.some(({ standing }) => standing === "weak") ||
    origins.some(({ isMet }) => isMet === false);
  const isOpen =
    problems.length > 0 ||
    findings.some(({ standing }) => standing === "unproven") ||
    origins.some(({ isMet }) => isMet === undefined);
  return {
    target: report?.target ?? target,
    outcome: isWeak ? "weak" : isOpen ? "inconclusive" : "clean",
    problems,
    ...(report === undefined ? {} : { report }),
    findings,
    origins,
  };
}

function judge(finding: Finding, target: string, rules: Rules): JudgedFinding {
  const { failOn, expectations, acceptances, now } = rules;
  const { id, verdict, severity } = finding;
  const { mustPass = [], mayBeInconclusive } = expectations;
  const isDemanded = isNamedBy(id, mustPass);
  switch (verdict) {
    case "pass":
      return { finding, standing: "passed" };
    case "fail": {
      const about = acceptances.filter((acceptance) => isAbout(acceptance, id, target));
      const valid = about.find((acceptance) => !hasExpired(acceptance, now));
      if (valid !== undefined) {
        return {
          finding,
          standing: "accepted",
          note: `Accepted until ${valid.until}: ${valid.reason}`,
        };
      }
      const isWeak = isDemanded || isAtLeast(severity, failOn);
      const [expired] = about;
      const note =
        expired === undefined
          ? undefined
          : `It was accepted until ${expired.until}, which is over: ${expired.reason}`;
      return {
        finding,
        standing: isWeak ? "weak" : "minor",
        ...(note === undefined ? {} : { note }),
      };
    }
    case "inconclusive": {
      const isAllowed = mayBeInconclusive === undefined || isNamedBy(id, mayBeInconclusive);
      if (!isDemanded && isAllowed) return { finding, standing: "inconclusive" };
      const note = isDemanded
        ? "It is expected to pass, and could not be told."
        : "It is not among those that may be inconclusive.";
      return { finding, standing: "unproven", note };
    }
    case "skipped":
      return isDemanded
        ? { finding, standing: "unproven", note: "It is expected to pass, and was not tried." }
        : { finding, standing: "skipped" };
  }
}

/** Why a report says less than it should. */
function problemsOf({ baseline, summary, findings }: AuditReport): readonly string[] {
  const { cutShort } = summary;
  const hasConcluded = findings.some(({ verdict }) => verdict === "pass" || verdict === "fail");
  return [
    ...(baseline.isAccepted
      ? []
      : [
          `${baseline.reason} ${
            baseline.evidence.outcome === "unreachable"
              ? "Is the server running, and is the address right?"
              : "Give what your own client sends: --origin, --token, --cookie, --header, --protocol or --query."
          }`,
        ]),
    ...(cutShort === undefined ? [] : [cutShortWords[cutShort]]),
    ...(baseline.isAccepted && cutShort === undefined && !hasConcluded
      ? ["No check came to a conclusion."]
      : []),
  ];
}

const cutShortWords: Readonly<Record<NonNullable<Summary["cutShort"]>, string>> = {
  aborted: "The run was interrupted.",
  handshakes: "The run used up its handshakes; --max-handshakes allows more.",
  bytes: "The run received as many bytes as it may.",
  time: "The run took too long; --max-duration allows more.",
  "server-gone": "The server no longer answered, so the run ended early.",
};

function worst(outcomes: readonly Outcome[]): Outcome {
  if (outcomes.includes("weak")) return "weak";
  return outcomes.includes("inconclusive") ? "inconclusive" : "clean";
}

function noticesOf(results: readonly Result[], { acceptances, now }: Rules): readonly string[] {
  const reports = results.flatMap(({ report }) => report ?? []);
  return acceptances.flatMap((acceptance) => {
    const { id, until, reason, target } = acceptance;
    const isFailing = reports.some((report) =>
      report.findings.some(
        (finding) => finding.verdict === "fail" && isAbout(acceptance, finding.id, report.target),
      ),
    );
    const name = target === undefined ? id : `${id} at ${target}`;
    if (hasExpired(acceptance, now)) {
      return [
        `The baseline accepts ${name} until ${until}, which is over (${reason}). Mend it, or decide again.`,
      ];
    }
    const wasTried = reports.some((report) =>
      report.findings.some(
        (finding) => finding.verdict === "pass" && isAbout(acceptance, finding.id, report.target),
      ),
    );
    return !isFailing && wasTried
      ? [`The baseline accepts ${name}, which passes now. Take it out.`]
      : [];
  });
}
