import { stringifySetCookie } from "cookie";
import type { Lab } from "../lab.ts";
import { chatProtocol } from "../policy.ts";
import type { WayAttempt, WayOrder } from "../protocol.ts";
import { attemptAt, measureAct, targetOf } from "../ways/measure.ts";
import type { Act, LiveWay, Sketch } from "../ways/way.ts";
import { openingAt, wireOf } from "../ways/wire.ts";
import { answer, answerJson, type Filter, filtered, type Routes } from "./handler.ts";

/** What the buttons of the ways ask for: done here and now, or prepared for the page to do. */
export const orderRoutes = (lab: Lab, onlyOwnPages: Filter): Routes => ({
  "POST /orders/:way/:act": filtered([onlyOwnPages], async (_request, response, parameters) => {
    const way = lab.ways.find(({ id }) => id === parameters.way);
    const act = way?.acts.find(({ id }) => id === parameters.act);
    if (way === undefined || act === undefined) {
      answer(response, 404);
      return;
    }
    const sketches = await act.handshakes();
    for (const { cookie } of sketches) {
      if (cookie !== undefined) response.setHeader("Set-Cookie", cookieOf(cookie));
    }
    answerJson(response, await orderOf(lab, way, act, sketches));
  }),
});

async function orderOf(
  lab: Lab,
  way: LiveWay,
  act: Act,
  sketches: readonly Sketch[],
): Promise<WayOrder> {
  const last = sketches.at(-1);
  const wire = last === undefined ? [] : wireOf(way, act, last);
  const { sender, errand } = act;
  if (sender === "program") {
    return { kind: "measured", wire, result: await measureAct(lab, way, act, sketches) };
  }
  return {
    kind: "browser",
    wire,
    sender,
    isByFirstMessage: way.authenticate !== undefined,
    ...(errand === undefined ? {} : { errand }),
    attempts: sketches.map((sketch) => browserAttempt(lab, way, act, sketch)),
  };
}

function browserAttempt(lab: Lab, way: LiveWay, act: Act, sketch: Sketch): WayAttempt {
  const target = targetOf(lab, way);
  const attempt = attemptAt(way, act);
  const { firstMessage, protocols = [chatProtocol] } = sketch;
  return {
    attempt,
    // With what the library's own clients add themselves, for those that are not its own.
    url: `ws://${target.host}${openingAt(way, sketch, target, { attempt }).target}`,
    protocols,
    library: target.library.name,
    ...(firstMessage === undefined ? {} : { firstMessage }),
  };
}

const cookieOf = ({ name, value }: NonNullable<Sketch["cookie"]>): string =>
  stringifySetCookie({ name, value, path: "/", httpOnly: true, sameSite: "strict" });
