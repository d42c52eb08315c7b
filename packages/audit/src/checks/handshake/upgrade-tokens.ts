import { type Check, failed } from "../../check.ts";
import { judgeOutcomes } from "../../judge.ts";
import type { Outcome } from "../../probe/outcome.ts";

export const upgradeTokens: Check = {
  id: "WS-HS-11",
  run: async (run) => {
    const outcomes: Outcome[] = [];
    for (const upgrade of ["h2c", "h2c, websocket"]) {
      const lines = [["HTTP2-Settings", "AAMAAABkAAQAoAAAAAIAAAAA"]] as const;
      outcomes.push(await run.shake({ probe: `Upgrade: ${upgrade}`, upgrade, lines }));
    }
    const switched = outcomes.filter(({ head }) => head?.status === 101);
    return switched.length > 0
      ? failed(
          `101 was answered to ${switched.map(({ probe }) => probe).join(" and ")}.`,
          switched.map(run.evidence),
        )
      : judgeOutcomes(run, outcomes, {
          fails: () => "",
          passes: "Other upgrade tokens were refused.",
        });
  },
};
