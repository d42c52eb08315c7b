import type { Guard } from "@firmshake/node";
import { type GuardMaker, guardMaker, passGuard, walkOf } from "@firmshake/node/adapter";
import { contexts, type KoaMiddleware } from "./context.ts";
import { comeToEnd } from "./hand-over.ts";

/** A guard that can be mounted: on an app, a router or a route. */
export type GuardMiddleware<Facts extends object = object> = Guard<Facts> & KoaMiddleware;

/**
 * Makes a guard of checks, as middleware. On upgrades it decides; ordinary requests pass it untouched.
 *
 * Guards on the way add up. `app.use` and `router.use` go on behind the guard, to others and to middleware whose answers refuse the upgrade;
 * as the last handler of a route it is the endpoint, and nothing behind it runs. A path without a guard is refused.
 *
 * @throws {@link ConfigError} as core's `guard` does.
 *
 * @example
 * ```ts
 * import Router from "@koa/router";
 * import { guard, origin } from "@firmshake/koa";
 *
 * new Router().get("/chat", guard(origin(["https://app.example.com"])));
 * ```
 */
export const guard: GuardMaker<KoaMiddleware> = guardMaker((made) => {
  const firmshake: KoaMiddleware = async (ctx, next) => {
    contexts.put(ctx.req, ctx);
    if (!(await passGuard(made, ctx.req))) return;
    const walk = walkOf(ctx.req);
    if (walk !== undefined && isEndpoint(ctx as Routed, firmshake)) comeToEnd(walk, ctx);
    else await next();
  };
  return firmshake;
});

/** Whether it runs as the last handler of a GET route of `@koa/router`. Where several layers of one path hold it, going on is the safe guess. */
function isEndpoint({ matched = [], routerPath }: Routed, middleware: unknown): boolean {
  const [layer, ...others] = matched.filter(
    ({ path, stack }) => path === routerPath && stack.includes(middleware),
  );
  if (layer === undefined || others.length > 0 || !layer.methods.includes("GET")) return false;
  return layer.stack.indexOf(middleware) === layer.stack.length - 1;
}

type Layer = { readonly path: unknown; readonly methods: string[]; readonly stack: unknown[] };
type Routed = { readonly matched?: readonly Layer[]; readonly routerPath?: unknown };
