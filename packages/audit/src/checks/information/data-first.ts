import { type Check, failed, inconclusive, passed } from "../../check.ts";
import { isAccepted, isRefusal, type Outcome } from "../../probe/outcome.ts";
import { anonymous } from "../auth/needed.ts";
import { foreignPage } from "../origin/foreign-page.ts";
import { dataIn } from "../refusal-message.ts";

export const dataFirst: Check = {
  id: "WS-INFO-3",
  run: async (run) => {
    const outcomes: Outcome[] = [await foreignPage(run)];
    if (run.credentials.isGiven) outcomes.push(await anonymous(run));
    const telling = outcomes.filter((outcome) => dataIn(outcome).length > 0);
    if (telling.length > 0) {
      return failed(
        "The server spoke first, to a client that had no right to listen.",
        telling.map(run.evidence),
      );
    }
    const evidence = outcomes.map(run.evidence);
    return outcomes.every((one) => isRefusal(one) || isAccepted(one))
      ? passed("Nothing was sent to foreign or anonymous clients.", evidence)
      : inconclusive("It could not be told what foreign clients are sent.", evidence);
  },
};
