import { type Connection, renewal, renewalRoute, tokenVerifier } from "@firmshake/node";
import { newAttempt, openingOf } from "../attacks/attack.ts";
import { type Guest, guests, guestsPath, renewedSeconds } from "../connections/guests.ts";
import { floodWithPings, type Rule, ruleBreaker, rules } from "../connections/rules.ts";
import { audience } from "../issuer.ts";
import { jwksUriOf, type Lab } from "../lab.ts";
import { chatProtocol } from "../policy.ts";
import type { BrowserAttempt, DrainedView, GuestAttempt, RuleOrder } from "../protocol.ts";
import type { Restartable } from "../restartable.ts";
import {
  answer,
  answerJson,
  type Filter,
  filtered,
  type RouteHandler,
  type Routes,
} from "./handler.ts";

/** What the buttons beside the open connections do. All of it is done by the gate that stands there. */
export function connectionRoutes(
  lab: Lab,
  server: Restartable,
  onChange: () => void,
  onlyOwnPages: Filter,
): Routes {
  const { issuer, page } = lab;
  const own = (handler: RouteHandler): RouteHandler => filtered([onlyOwnPages], handler);
  const renew = renewal({
    verify: tokenVerifier({ issuer: page, audience, jwksUri: jwksUriOf(lab) }),
  });
  const renewalAnswer = renewalRoute(renew);

  const found = (id: string | undefined): Connection | undefined =>
    [...(server.gate()?.connections ?? [])].find((one) => one.id === id);

  return {
    // Not below the path of the guests: Socket.IO takes whatever begins with that for its own.
    "POST /invitations": own(async (_request, response) => {
      const attempts = await Promise.all(guests.map((guest) => guestAttempt(lab, guest)));
      answerJson(response, attempts satisfies readonly GuestAttempt[]);
    }),
    "POST /rules/:rule": own(async (_request, response, parameters) => {
      const rule = rules.find(({ id }) => id === parameters.rule);
      if (rule === undefined) answer(response, 404);
      else answerJson(response, await ruleOrder(lab, rule));
    }),
    "POST /connections/:id/revoke": own((_request, response, { id }) => {
      const subject = found(id)?.identity?.subject;
      const closed = subject && server.gate()?.connections.revoke({ subject });
      if (closed === undefined) answer(response, 404);
      else answerJson(response, { closed });
    }),
    // As an application's own server gives its pages a new token, for the session that they have.
    "POST /connections/:id/token": own(async (_request, response, { id }) => {
      const subject = found(id)?.identity?.subject;
      if (subject === undefined) answer(response, 404);
      else answerJson(response, { token: await issuer.sign(subject, {}, renewedSeconds) });
    }),
    "POST /renew": own(async (request, response) => {
      await renewalAnswer(request, response);
      onChange();
    }),
    "POST /drain": own(async (_request, response) => {
      answerJson(response, (await server.drain()) satisfies DrainedView);
    }),
    "POST /restart": own(async (_request, response) =>
      answer(response, (await server.restart()) ? 204 : 409),
    ),
  };
}

async function attemptOf(lab: Lab, name: string, lastsSeconds: number): Promise<BrowserAttempt> {
  const { issuer, gated } = lab;
  const attempt = newAttempt("guest");
  const token = await issuer.sign(name, {}, lastsSeconds);
  return {
    attempt,
    url: `ws://${gated.host}${guestsPath}?attempt=${attempt}`,
    protocols: ["bearer", token, chatProtocol],
    library: gated.library.name,
  };
}

const guestAttempt = async (
  lab: Lab,
  { name, lastsSeconds, everyMs }: Guest,
): Promise<GuestAttempt> => ({ ...(await attemptOf(lab, name, lastsSeconds)), name, everyMs });

async function ruleOrder(lab: Lab, { breakIt }: Rule): Promise<RuleOrder> {
  const attempt = await attemptOf(lab, ruleBreaker, renewedSeconds);
  if (breakIt.by === "page") return { kind: "browser", attempt, requests: breakIt.requests };
  const { gated, page } = lab;
  const sketch = { target: guestsPath, origin: page, protocols: attempt.protocols };
  const { target } = openingOf(sketch, gated, attempt.attempt);
  const url = `ws://${gated.host}${target}`;
  return {
    kind: "measured",
    heard: await floodWithPings({ url, protocols: attempt.protocols }, breakIt.pings),
  };
}
