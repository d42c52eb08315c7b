import { type Check, failed, inconclusive, passed } from "../../check.ts";
import { isRefusal } from "../../probe/outcome.ts";
import { dataIn } from "../refusal-message.ts";
import { foreignPage } from "./foreign-page.ts";

export const lateRefusal: Check = {
  id: "WS-ORIGIN-10",
  run: async (run) => {
    const outcome = await foreignPage(run);
    const evidence = [run.evidence(outcome)];
    if (outcome.kind === "closed-after-101" || outcome.kind === "refused-by-message") {
      const data = dataIn(outcome);
      return data.length > 0
        ? failed(
            "A foreign page got 101 and was sent data before it was refused.",
            evidence,
            "medium",
          )
        : failed("A foreign page got 101 before it was refused.", evidence, "low");
    }
    return isRefusal(outcome)
      ? passed("A foreign page was refused without 101.", evidence)
      : inconclusive("A foreign page was not refused at all (WS-ORIGIN-1).", evidence);
  },
};
