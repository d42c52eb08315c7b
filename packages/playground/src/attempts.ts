import { type RequestHandler, Router } from "express";
import { attacks } from "./attacks/all.ts";
import { type Attack, newAttempt, targetOf } from "./attacks/attack.ts";
import type { Lab, Target } from "./lab.ts";
import { chatProtocol } from "./policy.ts";
import type { AttackOrder, AttackView, BrowserAttempt, DecisionView, Place } from "./protocol.ts";

/** The attacks of some places, for one page to run. A page gets no other place's. */
export function attemptsRouter(
  lab: Lab,
  places: readonly Place[],
  onlyOwnPages: RequestHandler,
): Router {
  const router = Router();
  const known = attacks.filter(({ place }) => places.includes(place));

  router.post("/attempts/:attack", onlyOwnPages, async (request, response) => {
    const attack = known.find(({ id }) => id === request.params.attack);
    if (attack === undefined) {
      response.status(404).end();
      return;
    }
    response.json(await orderOf(attack, lab));
  });

  router.get("/attempts/:attempt", onlyOwnPages, async (request, response) => {
    const [decision] = await lab.log.ofAttempt(String(request.params.attempt));
    response.json((decision ?? null) satisfies DecisionView | null);
  });

  return router;
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

async function browserAttempt(attack: Attack, lab: Lab, { host }: Target): Promise<BrowserAttempt> {
  if (attack.sketch === undefined) throw new Error(`A browser cannot send ${attack.id}.`);
  const sketch = await attack.sketch(lab);
  const attempt = newAttempt(attack.id);
  return {
    attempt,
    url: `ws://${host}${targetOf(sketch, attempt)}`,
    protocols: sketch.protocols ?? [chatProtocol],
  };
}

/** What the panel shows of the attacks. */
export const attackViews: readonly AttackView[] = attacks.map(
  ({ id, title, sentence, consequence, place }) => ({ id, title, sentence, consequence, place }),
);
