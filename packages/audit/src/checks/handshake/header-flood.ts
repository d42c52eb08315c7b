import { type Check, failed, inconclusive, passed } from "../../check.ts";
import type { Line } from "../../credentials.ts";
import { type RiskyProbe, survives } from "../../liveness.ts";
import { isAccepted, isRefusal, type Outcome } from "../../probe/outcome.ts";

/** Node keeps about 1,000 lines, and drops the others silently: those in front are kept, so that it is the handshake's own that go. */
const floods = [1_100, 2_100];

export const headerFlood: Check = {
  id: "WS-HS-7",
  run: async (run) => {
    const outcomes: Outcome[] = [];
    const { hasEnded, evidence, reason } = await survives(run, async () => {
      const probes: RiskyProbe[] = [];
      for (const count of floods) {
        const flood = Array.from({ length: count }, (): Line => ["a", ""]);
        for (const place of ["linesBefore", "lines"] as const) {
          const where = place === "lines" ? "behind" : "in front of";
          const outcome = await run.shake({
            probe: `${count} header lines ${where} the others`,
            [place]: flood,
            isImpatient: true,
          });
          outcomes.push(outcome);
          probes.push({ outcome, evidence: run.evidence(outcome) });
          if (outcome.kind === "unreachable") return probes;
        }
      }
      return probes;
    });
    if (hasEnded) {
      return {
        ...failed(`A flood of header lines ended the process. ${reason}`, evidence, "high"),
        hasEndedServer: true,
      };
    }
    const accepted = outcomes.filter(isAccepted);
    if (accepted.length > 0) {
      return failed(
        "A handshake with more header lines than Node keeps was accepted: what was dropped of it was not looked at.",
        accepted.map(run.evidence),
        "low",
      );
    }
    return outcomes.every(isRefusal)
      ? passed("Floods of header lines were refused, and the server answered as before.", evidence)
      : inconclusive("It could not be told what came of the floods.", evidence);
  },
};
