import { attacks } from "../attacks/all.ts";
import { type Attack, newAttempt, targetOf } from "../attacks/attack.ts";
import type { Lab, Target } from "../lab.ts";
import { chatProtocol } from "../policy.ts";
import type { AttackOrder, AttackView, BrowserAttempt, DecisionView, Place } from "../protocol.ts";
import { answer, answerJson, type Filter, filtered, type Routes } from "./handler.ts";

/** The attacks of some places, for one page to run. A page gets no other place's. */
export function attemptRoutes(lab: Lab, places: readonly Place[], onlyOwnPages: Filter): Routes {
  const known = attacks.filter(({ place }) => places.includes(place));
  return {
    "POST /attempts/:attack": filtered([onlyOwnPages], async (_request, response, parameters) => {
      const attack = known.find(({ id }) => id === parameters.attack);
      if (attack === undefined) answer(response, 404);
      else answerJson(response, await orderOf(attack, lab));
    }),
    "GET /attempts/:attempt": filtered([onlyOwnPages], async (_request, response, { attempt }) => {
      const decisions = await lab.log.ofAttempt(String(attempt));
      // Who was let in may have been sent away again, by the first message.
      answerJson(response, (decisions.at(-1) ?? null) satisfies DecisionView | null);
    }),
  };
}

/** Measured here and now, or told to the browser, which then really sends it. */
async function orderOf(attack: Attack, lab: Lab): Promise<AttackOrder> {
  if (attack.place === "program") {
    const gated = await attack.run(lab, lab.gated, newAttempt(attack.id));
    return {
      kind: "measured",
      gated,
      bare: await attack.run(lab, lab.bare, newAttempt(attack.id)),
    };
  }
  return {
    kind: "browser",
    gated: await browserAttempt(attack, lab, lab.gated),
    bare: await browserAttempt(attack, lab, lab.bare),
  };
}

async function browserAttempt(attack: Attack, lab: Lab, target: Target): Promise<BrowserAttempt> {
  if (attack.sketch === undefined) throw new Error(`A browser cannot send ${attack.id}.`);
  const sketch = await attack.sketch(lab);
  const attempt = newAttempt(attack.id);
  return {
    attempt,
    url: `ws://${target.host}${targetOf(sketch, attempt)}`,
    protocols: sketch.protocols ?? [chatProtocol],
    library: target.library.name,
  };
}

/** What the panel shows of the attacks. */
export const attackViews: readonly AttackView[] = attacks.map(
  ({ id, title, sentence, consequence, place }) => ({ id, title, sentence, consequence, place }),
);
