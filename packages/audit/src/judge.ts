import { type Conclusion, failed, inconclusive, passed } from "./check.ts";
import {
  isAccepted,
  isRefusal,
  isThrottled,
  type Outcome,
  observationOf,
} from "./probe/outcome.ts";
import type { Sketch } from "./probe/request.ts";
import type { Severity } from "./report.ts";
import type { Run } from "./run.ts";

/** What to say of handshakes that should all be refused. */
export interface Judgement {
  readonly fails: (accepted: readonly Outcome[]) => string;
  readonly passes: string;
  readonly severity?: Severity | undefined;
}

/** More than that is not shown of one check. */
const maxShown = 8;

/** Tries them one after another, and judges: what was accepted is a weakness, what was refused is none, the rest is not known. */
export async function judgeRefusals(
  run: Run,
  sketches: readonly Sketch[],
  judgement: Judgement,
): Promise<Conclusion> {
  const outcomes: Outcome[] = [];
  for (const sketch of sketches) outcomes.push(await run.shake(sketch));
  return judgeOutcomes(run, outcomes, judgement);
}

export function judgeOutcomes(
  run: Run,
  outcomes: readonly Outcome[],
  { fails, passes, severity }: Judgement,
): Conclusion {
  const show = (list: readonly Outcome[]): Conclusion["evidence"] =>
    list.slice(0, maxShown).map(run.evidence);
  const accepted = outcomes.filter(isAccepted);
  if (accepted.length > 0) return failed(fails(accepted), show(accepted), severity);
  const unclear = outcomes.filter((one) => !isRefusal(one) || isThrottled(one));
  const [first] = unclear;
  if (first !== undefined) {
    return inconclusive(
      `It could not be told: ${run.mask.text(`${first.probe}: ${observationOf(first)}`)}.`,
      show(unclear),
    );
  }
  return passed(passes, show(outcomes));
}

/** The probes of some outcomes, as one list. */
export const probesOf = (outcomes: readonly Outcome[]): string =>
  outcomes.map(({ probe }) => probe).join("; ");
