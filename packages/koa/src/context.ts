import type { IncomingMessage, ServerResponse } from "node:http";
import type { Check, Handshake, Identity } from "@firmshake/node";
import { type Contexts, identityBy, makeContexts } from "@firmshake/node/adapter";

/** What Koa's `ctx` is, as far as it is used. */
export interface KoaContext {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
}

export const contexts: Contexts<KoaContext> = makeContexts("contextOf");

/**
 * The context that the guard was called with: for checks that need a session, `ctx.state` or a parameter of the path.
 *
 * @throws {@link ConfigError} `ERR_FIRMSHAKE_NOT_ATTACHED` for a handshake that did not come through Koa.
 */
export const contextOf = <Context extends object = KoaContext>(handshake: Handshake): Context =>
  contexts.of(handshake) as object as Context;

/**
 * Authenticates by what the middleware before the guard found out: the user of koa-passport, a session. Undefined, null and false refuse
 * with 401. Adds the fact `identity`, and insists on an origin check beside it, since sessions are cookies.
 *
 * @throws {@link ConfigError} `ERR_FIRMSHAKE_CHECK_INVALID` for what is no function.
 *
 * @example
 * ```ts
 * import { guard, identity, origin } from "@firmshake/koa";
 * import type { Context } from "koa";
 *
 * const chat = guard(
 *   origin(["https://app.example.com"]),
 *   identity((ctx: Context) => ctx.state.user && { subject: ctx.state.user.id }),
 * );
 * ```
 */
export const identity = <Context extends object = KoaContext>(
  read: Parameters<typeof identityBy<Context>>[1],
): Check<{ readonly identity: Identity }> => identityBy(contextOf<Context>, read, "ctx.state.user");
