import type { TicketRouteOptions, Tickets } from "@firmshake/node";
import { ticketAnswers } from "@firmshake/node";
import type { KoaContext } from "./context.ts";

/** Koa's `ctx`, as far as it is answered with. */
interface AnsweringContext extends KoaContext {
  status: number;
  body: unknown;
  set(name: string, value: string): void;
  vary(name: string): void;
}

/**
 * Middleware that gives tickets to who is signed in. Mount it for all methods of its path, behind what finds out who that is.
 *
 * @throws {@link ConfigError} for options that are not as described.
 *
 * @example
 * ```ts
 * import { guard, origin, ticketRoute, tickets } from "@firmshake/koa";
 * import Router from "@koa/router";
 * import type { Context } from "koa";
 *
 * const entry = tickets();
 * const user = ({ state }: Context) => state.user && { subject: state.user.id };
 * new Router()
 *   .all("/ticket", ticketRoute(entry, { identity: user, path: "/chat" }))
 *   .get("/chat", guard(origin("same-origin"), entry));
 * ```
 */
export function ticketRoute<Context extends object = KoaContext>(
  entry: Tickets,
  options: TicketRouteOptions<Context>,
): (ctx: Context & AnsweringContext) => Promise<void> {
  const answerTo = ticketAnswers(entry, options);
  return async (ctx) => {
    const { status, headers, body } = await answerTo(ctx.req, ctx);
    ctx.status = status;
    for (const [name, value] of headers) name === "Vary" ? ctx.vary(value) : ctx.set(name, value);
    ctx.body = body;
  };
}
