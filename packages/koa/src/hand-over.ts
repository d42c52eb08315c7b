import { type Walk, walkOf } from "@firmshake/node/adapter";
import type { KoaContext } from "./context.ts";

export interface WalkedContext extends KoaContext {
  readonly body?: unknown;
  respond?: boolean;
  onerror?: (error: unknown) => void;
}

/**
 * Middleware that ends the walk of an upgrade: it is handed over if the guards before it have allowed it, and refused if there was none.
 * What stands behind it is for ordinary requests, which pass it untouched.
 *
 * @example
 * ```ts
 * import { guard, handOver } from "@firmshake/koa";
 * import Koa from "koa";
 *
 * const app = new Koa();
 * app.use(guard()).use(handOver).use((ctx) => ctx.throw(404));
 * ```
 */
export function handOver(ctx: KoaContext, next: () => Promise<unknown>): unknown {
  const walk = walkOf(ctx.req);
  return walk === undefined ? next() : comeToEnd(walk, ctx);
}

/** Of walks that have come to an end of the stack: the status that was there. */
const statusBefore = new WeakMap<Walk, number>();

/**
 * Nothing is to run behind. The walk ends when the middleware in front has unwound, since that may still answer or fail. It sees the status
 * of an upgrade, of which Koa was not told, so that a body makes it 200 as ever.
 */
export function comeToEnd(walk: Walk, { res }: KoaContext): void {
  statusBefore.set(walk, res.statusCode);
  if (walk.isAllowed) res.statusCode = 101;
}

/** Whether the walk has come to an end and nobody has answered. Middleware that merely does not go on has answered, as ever in Koa: 404. */
export function isAtEnd(walk: Walk, { res, body, respond }: WalkedContext): boolean {
  const before = statusBefore.get(walk);
  const isUntouched = before === 404 && res.statusCode === (walk.isAllowed ? 101 : 404);
  const isBlank = (body === undefined || body === null) && respond !== false && !res.headersSent;
  if (isUntouched && isBlank) return true;
  if (before !== undefined && res.statusCode === 101) res.statusCode = before;
  return false;
}
