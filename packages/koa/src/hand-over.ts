import { type Walk, walkOf } from "@firmshake/node/adapter";
import type { KoaContext, KoaMiddleware } from "./context.ts";

/**
 * Middleware that ends the walk of an upgrade: it is handed over if the guards before it have allowed it, and refused if there was none.
 * What stands behind it is for ordinary requests, which pass it untouched.
 *
 * @example
 * ```ts
 * import { guard, handOver } from "@firmshake/koa";
 * import Koa from "koa";
 *
 * new Koa().use(guard()).use(handOver).use((ctx) => ctx.throw(404));
 * ```
 */
export const handOver: KoaMiddleware = async (ctx, next) => {
  const walk = walkOf(ctx.req);
  if (walk === undefined) await next();
  else comeToEnd(walk, ctx);
};

const atEnd = new WeakSet<Walk>();

/** The walk ends when what is in front has unwound. That sees the status of an upgrade; Koa is not told, so that a body makes it 200. */
export function comeToEnd(walk: Walk, { res }: KoaContext): void {
  if (res.statusCode !== 404) return;
  atEnd.add(walk);
  if (walk.isAllowed) res.statusCode = 101;
}

/** Whether the walk has come to an end and nobody has answered. Middleware that merely does not go on has answered, as ever in Koa: 404. */
export function isAtEnd(walk: Walk, { res, body, respond }: KoaContext): boolean {
  const isUntouched = atEnd.has(walk) && res.statusCode === (walk.isAllowed ? 101 : 404);
  if (isUntouched && (body ?? null) === null && respond !== false) return true;
  if (res.statusCode === 101) res.statusCode = 404;
  return false;
}
