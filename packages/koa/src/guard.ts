import type { Guard } from "@firmshake/node";
import { type GuardMaker, guardMaker, passGuard, walkOf } from "@firmshake/node/adapter";
import { contexts, type KoaContext } from "./context.ts";
import { comeToEnd } from "./hand-over.ts";

type Middleware = (ctx: KoaContext, next: () => Promise<unknown>) => Promise<void>;

/** A guard that can be mounted: on an app, a router or a route. */
export type GuardMiddleware<Facts extends object = object> = Guard<Facts> & Middleware;

/**
 * Makes a guard of checks, as middleware. On upgrades it decides; ordinary requests pass it untouched.
 *
 * Guards on the way add up. `app.use` and `router.use` go on behind the guard, to others and to the application's own middleware, whose
 * answers refuse the upgrade; as the last handler of a route, `router.get("/chat", guard(...))`, it is the endpoint, and nothing behind it
 * runs. A path without a guard is refused.
 *
 * @throws {@link ConfigError} as core's `guard` does.
 *
 * @example
 * ```ts
 * import Router from "@koa/router";
 * import { guard, origin } from "@firmshake/koa";
 *
 * const router = new Router();
 * router.get("/chat", guard(origin(["https://app.example.com"])));
 * ```
 */
export const guard: GuardMaker<Middleware> = guardMaker((made) => {
  const firmshake: Middleware = async (ctx, next) => {
    const walk = walkOf(ctx.req);
    contexts.put(ctx.req, ctx);
    if (!(await passGuard(made, ctx.req))) return;
    if (walk !== undefined && isEndpoint(ctx, firmshake)) comeToEnd(walk, ctx);
    else await next();
  };
  return firmshake;
});

/**
 * Whether the middleware was called as the last handler of a route for GET, which a handshake is. `@koa/router` tells which layers match, and
 * the path of the one that runs; where several of that path hold the middleware, nobody knows which it is, and going on is safe.
 */
function isEndpoint(ctx: KoaContext, middleware: unknown): boolean {
  const { matched = [], routerPath } = ctx as {
    matched?: readonly { path: unknown; methods: readonly string[]; stack: readonly unknown[] }[];
    routerPath?: unknown;
  };
  const handlers = matched
    .filter(({ path }) => path === routerPath)
    .flatMap(({ methods, stack }) => stack.map((handler, at) => ({ handler, at, methods, stack })))
    .filter(({ handler }) => handler === middleware);
  const [only] = handlers;
  if (only === undefined || handlers.length > 1) return false;
  return only.methods.includes("GET") && only.at === only.stack.length - 1;
}
