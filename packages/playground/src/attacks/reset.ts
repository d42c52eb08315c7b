import { shakeHands, shakeHandsAndReset } from "../handshake-client.ts";
import type { Lab } from "../lab.ts";
import { measureNaiveServer } from "../naive/measure.ts";
import type { DecisionView } from "../protocol.ts";
import { type Attack, type HandshakeSketch, openingOf, victim } from "./attack.ts";

/** How long after the request the connections are reset: all while the account is being looked up. */
const momentsMs = [15, 25, 35, 45, 50];

export const reset: Attack = {
  id: "reset",
  title: "Reset during authentication",
  sentence:
    "A program sends a valid handshake and resets the connection while the server is still looking the account up.",
  consequence:
    "Authentication written by hand, with async and without an error listener, would end the whole process: everybody is thrown out.",
  place: "program",
  sent: `${momentsMs.length} handshakes, each cut off by a TCP reset`,
  expected: "survives",
  run: async (lab, target, attempt) => {
    if (target === lab.bare) return measureNaiveServer(lab, target.library, await sketchOf(lab));
    const sketch = await sketchOf(lab);
    await Promise.all(
      momentsMs.map((ms) => shakeHandsAndReset(target, openingOf(sketch, target, attempt), ms)),
    );
    const decisions = await lab.log.ofAttempt(attempt, momentsMs.length);
    const next = await shakeHands(target, openingOf(sketch, target, attempt));
    const isServing = next.status !== 0;
    return {
      isStopped: decisions.length === momentsMs.length && isServing,
      text: [...countsOf(decisions), isServing ? "still serving" : "no longer serving"].join(", "),
      detail: "The gate has listened for the error since before the first check.",
    };
  },
};

/** Who comes right after a flood is refused by the rate instead, and on a busy machine one may be accepted before its reset. */
function countsOf(decisions: readonly DecisionView[]): readonly string[] {
  const outcomes = [...new Set(decisions.map(({ outcome }) => outcome))];
  return outcomes.map(
    (one) => `${decisions.filter(({ outcome }) => outcome === one).length} ${one}`,
  );
}

const sketchOf = async ({ issuer, page }: Lab): Promise<HandshakeSketch> => ({
  target: "/chat",
  origin: page,
  lines: [["Authorization", `Bearer ${await issuer.sign(victim)}`]],
});
