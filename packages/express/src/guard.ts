import type { IncomingMessage, ServerResponse } from "node:http";
import {
  type AllFacts,
  type AnyCheck,
  ConfigError,
  type Guard,
  type GuardFacts,
  type GuardMode,
  type GuardOptions,
  type Handshake,
  guard as makeGuard,
  type Verdict,
} from "@firmshake/node";
import { addPermit, asksForWebSocket, handshakeOf, wasPermittedBy } from "@firmshake/node/adapter";
import { expectAttach, noticeOrdinaryRequest } from "./attachment.ts";
import { walkOf } from "./walk.ts";

/** A guard that can be mounted: on an app, a router or a route. */
export interface GuardMiddleware<Facts extends object = object> extends Guard<Facts> {
  (request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void): void;
}

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
export function guard<const Checks extends readonly AnyCheck[]>(
  ...checks: Checks
): GuardMiddleware<AllFacts<Checks>>;
export function guard<
  const Checks extends readonly AnyCheck[],
  const Mode extends GuardMode = "enforce",
>(options: GuardOptions<Checks, Mode>): GuardMiddleware<GuardFacts<Checks, Mode>>;
export function guard(...given: readonly unknown[]): GuardMiddleware {
  const made = (makeGuard as (...given: readonly unknown[]) => Guard)(...given);
  expectAttach();

  function firmshake(
    request: IncomingMessage,
    _response: ServerResponse,
    next: (error?: unknown) => void,
  ): void {
    const walk = walkOf(request);
    if (walk === undefined) return passOutsideOfWalk(made, request, next);
    const goOn = (verdict: Verdict): void => {
      if (!walk.note(verdict)) return;
      if (isEndpoint(request, firmshake, next)) walk.end();
      else next();
    };
    settle(made.decide(walk.handshake), goOn, next);
  }
  return Object.assign(firmshake, made);
}

function settle(
  verdict: ReturnType<Guard["decide"]>,
  goOn: (verdict: Verdict) => void,
  next: (error?: unknown) => void,
): void {
  if ("then" in verdict) verdict.then(goOn).then(undefined, next);
  else goOn(verdict);
}

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

/**
 * Ordinary requests pass. An upgrade that was handed over before is sent through the stack again by some libraries (express-ws): then a
 * guard that has not let it in decides now. An upgrade that no gate holds means that `attach` is missing.
 */
function passOutsideOfWalk(
  guard: Guard,
  request: IncomingMessage,
  next: (error?: unknown) => void,
): void {
  const handshake = handshakeOf(request);
  if (handshake !== undefined) return decideAfterwards(guard, request, handshake, next);
  if (asksForWebSocket(request.rawHeaders)) return next(notAttached());
  noticeOrdinaryRequest(request);
  next();
}

function decideAfterwards(
  guard: Guard,
  request: IncomingMessage,
  handshake: Handshake,
  next: (error?: unknown) => void,
): void {
  if (wasPermittedBy(request, guard)) return next();
  const goOn = (verdict: Verdict): void => {
    if (!verdict.ok) return next(errorOf(verdict.refusal));
    addPermit(request, verdict.permit);
    next();
  };
  settle(guard.decide(handshake), goOn, next);
}

const errorOf = ({ status, title, code }: { status: number; title: string; code: string }): Error =>
  Object.assign(new Error(title), { status, code, expose: true });

const notAttached = (): Error =>
  new ConfigError(
    "ERR_FIRMSHAKE_NOT_ATTACHED",
    "guard: this upgrade is held by no gate. Call attach(server, app) with the server that app.listen() returns.",
  );
