import type { IncomingMessage, ServerResponse } from "node:http";
import type { Guard } from "@firmshake/node";
import { type GuardMaker, guardMaker, passGuards, walkOf } from "@firmshake/node/adapter";

/** Middleware of Express. */
type Middleware = (
  request: IncomingMessage,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => void;

/** A guard that can be mounted: on an app, a router or a route. */
export type GuardMiddleware<Facts extends object = object> = Guard<Facts> & Middleware;

/**
 * Makes a guard of checks, as middleware. On upgrades it decides; ordinary requests pass it untouched.
 *
 * Guards on the way add up. `app.use` and `router.use` go on behind the guard, to others and to the application's own middleware, whose
 * answers refuse the upgrade; as the last handler of a route, `app.get("/chat", guard(...))`, it is the endpoint, and the walk ends there.
 * A path without a guard is refused.
 *
 * @throws {@link ConfigError} as core's `guard` does.
 *
 * @example
 * ```ts
 * import express from "express";
 * import { attach, guard, origin } from "@firmshake/express";
 *
 * const app = express();
 * app.get("/chat", guard(origin(["https://app.example.com"])));
 * const server = app.listen(0);
 * attach(server, app);
 * server.close();
 * ```
 */
export const guard: GuardMaker<Middleware> = guardMaker((made) => {
  const firmshake: Middleware = (request, _response, next) => {
    const goOn = (): void => {
      const walk = walkOf(request);
      if (walk !== undefined && isEndpoint(request, firmshake, next)) walk.end();
      else next();
    };
    passGuards([made], request, { goOn, fail: next });
  };
  return firmshake;
});

/**
 * Whether the middleware was called as the last handler of a route for GET, which a handshake is. Express leaves `route` on the request
 * when it goes on to others; but what stands on a router itself is given the router's own `next`, and that is on the request too.
 */
function isEndpoint(request: IncomingMessage, middleware: unknown, given: unknown): boolean {
  const { route, next } = request as {
    route?: { readonly stack?: readonly RouteLayer[] };
    next?: unknown;
  };
  if (given === next) return false;
  const handlers = route?.stack?.filter(({ method }) => method === undefined || method === "get");
  return handlers?.at(-1)?.handle === middleware;
}

interface RouteLayer {
  readonly handle: unknown;
  readonly method?: string;
}
