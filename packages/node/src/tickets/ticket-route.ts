import type { IncomingMessage, ServerResponse } from "node:http";
import type { Tickets } from "@firmshake/core";
import { send } from "../http-answers.ts";
import { type TicketRouteOptions, ticketAnswers } from "./ticket-answers.ts";

/**
 * The handler of a route that gives tickets to who is signed in: for `createServer`, and for Express behind what finds out who that is.
 *
 * - It answers `POST` with `{ "ticket": "…", "expiresInMs": 30000 }`, which no cache stores; other methods with 405.
 * - Pages of the listed origins alone get one, whatever cookies a browser sends along; pages of other origins than the server's own may be
 *   listed, and the handler answers the preflights of their browsers. Mount it for all methods.
 * - The ticket is bound to the page's origin, to the path, and, if `tickets` is told so, to the address that the gate would see.
 * - Who is not signed in gets 401, who asks too often 429.
 * - Who is signed in is for `identity` to say, by what the middleware before has found out, or for checks: `by: [jwt({ …, dpop })]`.
 *
 * @throws {@link ConfigError} for options that are not as described.
 *
 * @example
 * ```ts
 * import express, { type Request } from "express";
 * import { guard, origin, ticketRoute, tickets } from "@firmshake/express";
 *
 * const entry = tickets();
 * const app = express();
 * app.all(
 *   "/ticket",
 *   ticketRoute(entry, {
 *     identity: (request: Request & { user?: { id: string } }) => request.user && { subject: request.user.id },
 *     path: "/chat",
 *   }),
 * );
 * app.get("/chat", guard(origin("same-origin"), entry));
 * ```
 */
export function ticketRoute<Request extends IncomingMessage>(
  entry: Tickets,
  options: TicketRouteOptions<Request>,
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  const answerTo = ticketAnswers(entry, options);
  // The type is the user's word on what the middleware before has put there, as with `identity`.
  return async (request, response) => send(response, await answerTo(request, request as Request));
}
