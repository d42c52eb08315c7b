import type { CheckId } from "./check-id.ts";
import type { Evidence, Severity, Verdict } from "./report.ts";
import type { Run } from "./run.ts";

/** One thing that is looked for. Its words and references stand in the check list. */
export interface Check {
  readonly id: CheckId;
  /** What the user must have given, or the endpoint must be, for it to mean anything: the reason to skip it where that is not so. */
  readonly skipsBecause?: (run: Run) => string | undefined;
  /** Can be concluded where the user's own handshake was refused, or needs none. */
  readonly needsNoBaseline?: boolean;
  /** Looks past the user's own handshake, at another port or at TLS alone: it may fail where that handshake came to nothing, yet not pass. */
  readonly looksElsewhere?: (run: Run) => boolean;
  /** A pass needs no further proof that the user's own handshake still succeeds. */
  readonly needsNoControl?: boolean;
  readonly run: (run: Run) => Promise<Conclusion>;
}

/** What a check came to. */
export interface Conclusion {
  readonly verdict: Verdict;
  /** In plain words. */
  readonly reason: string;
  readonly evidence: readonly Evidence[];
  /** Where it is another than the check list says. */
  readonly severity?: Severity | undefined;
  /** Whether the server no longer answered, or was started again, after what was tried. */
  readonly hasEndedServer?: boolean;
}

export const failed = (
  reason: string,
  evidence: readonly Evidence[],
  severity?: Severity,
): Conclusion => ({ verdict: "fail", reason, evidence, severity });

export const passed = (reason: string, evidence: readonly Evidence[] = []): Conclusion => ({
  verdict: "pass",
  reason,
  evidence,
});

export const inconclusive = (reason: string, evidence: readonly Evidence[] = []): Conclusion => ({
  verdict: "inconclusive",
  reason,
  evidence,
});

export const skipped = (reason: string): Conclusion => ({
  verdict: "skipped",
  reason,
  evidence: [],
});
