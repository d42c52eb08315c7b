import type { Check } from "../../check.ts";
import { concludeSurvival, type RiskyProbe, survives } from "../../liveness.ts";
import type { Sketch } from "../../probe/request.ts";

const sketches: readonly Sketch[] = [
  { probe: "Origin: http://[", origin: ["http://["] },
  { probe: "Host: [", host: ["["] },
  { probe: "A cookie that cannot be decoded", lines: [["Cookie", "a=%E0%A4%A; b=%"]] },
  { probe: "A target that cannot be decoded", target: "/%E0%A4%A?%" },
];

export const malformedHeaders: Check = {
  id: "WS-HS-3",
  run: async (run) => {
    const survival = await survives(run, async () => {
      const probes: RiskyProbe[] = [];
      for (const sketch of sketches) {
        const outcome = await run.shake(sketch);
        probes.push({ outcome, evidence: run.evidence(outcome) });
        if (outcome.kind === "ended-without-a-byte" && !(await run.isUp())) break;
        if (outcome.kind === "unreachable") break;
      }
      return probes;
    });
    return concludeSurvival(survival, {
      fails: "A malformed header ended the process.",
      passes: "The server answered as before after malformed headers.",
    });
  },
};
