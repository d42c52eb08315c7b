import type { IncomingMessage } from "node:http";
import {
  type AllFacts,
  type AnyCheck,
  ConfigError,
  type Guard,
  type GuardFacts,
  type GuardMode,
  type GuardOptions,
  guard,
  type Handshake,
  type MaybePromise,
  type Refusal,
  type Verdict,
} from "@firmshake/core";
import { isPromiseLike, takeBackTerms, termsSoFar } from "@firmshake/core/gate";
import { addPermit, handshakeOf, wasPermittedBy } from "../connection.ts";
import { isAttached } from "../gate.ts";
import { asksForPolling } from "../polling-request.ts";
import { asksForWebSocket } from "../websocket-request.ts";
import { expectAttach, noticeOrdinaryRequest } from "./attachment.ts";
import { walkOf } from "./walk.ts";

/** What a framework's `guard` is: takes what core's takes, and throws as it does; the guard that it makes is middleware as well. */
export interface GuardMaker<Middleware> {
  <const Checks extends readonly AnyCheck[]>(
    ...checks: Checks
  ): Guard<AllFacts<Checks>> & Middleware;
  <const Checks extends readonly AnyCheck[], const Mode extends GuardMode = "enforce">(
    options: GuardOptions<Checks, Mode>,
  ): Guard<GuardFacts<Checks, Mode>> & Middleware;
}

/** @param mount - Makes the middleware that asks the guard. */
export function guardMaker<Middleware extends object>(
  mount: (guard: Guard) => Middleware,
): GuardMaker<Middleware> {
  return (...given: readonly unknown[]) => {
    const made = (guard as (...given: readonly unknown[]) => Guard)(...given);
    expectAttach();
    return Object.assign(mount(made), made) as Guard<never> & Middleware;
  };
}

/**
 * What a mounted guard does with each request that comes by. Ordinary requests pass. An upgrade, or polling request, on a walk is
 * decided.
 *
 * An upgrade that was handed over before is sent through the stack again by some libraries (express-ws): then a guard that has not let it
 * in decides now. An upgrade that no gate holds means that `attach` is missing.
 *
 * @returns whether the request is to go on. If not, the walk has ended, and nothing is to be answered.
 * @throws an error with `status`, as frameworks know it, for an upgrade that is refused outside of a walk.
 */
export function passGuard(guard: Guard, request: IncomingMessage): MaybePromise<boolean> {
  const walk = walkOf(request);
  if (walk !== undefined) return settle(guard, walk.handshake, (verdict) => walk.note(verdict));
  const handshake = handshakeOf(request);
  if (handshake !== undefined) return decideAfterwards(guard, request, handshake);
  if (asksForWebSocket(request.rawHeaders) || isUnheldPoll(request)) throw notAttached();
  noticeOrdinaryRequest(request);
  return true;
}

/** Where a request goes from mounted guards. */
export interface Passage {
  readonly goOn: () => void;
  /** The walk has ended: nothing is to be answered. */
  readonly leave?: () => void;
  readonly fail: (error: unknown) => void;
}

/** The same for several guards, one behind the other, and for frameworks that call back. */
export function passGuards(
  guards: readonly Guard[],
  request: IncomingMessage,
  passage: Passage,
): void {
  const [guard, ...others] = guards;
  if (guard === undefined) return passage.goOn();
  const onPassed = (isOn: boolean): void => {
    if (isOn) passGuards(others, request, passage);
    else passage.leave?.();
  };
  const passing = passGuard(guard, request);
  if (isPromiseLike(passing)) passing.then(onPassed).then(undefined, passage.fail);
  else onPassed(passing);
}

/** A gate may have been told to hold none; without a gate nobody was told anything. */
function isUnheldPoll({ url = "", method, socket }: IncomingMessage): boolean {
  if (!asksForPolling(url) || method === "OPTIONS") return false;
  return !isAttached((socket as { readonly server?: object } | undefined)?.server);
}

function decideAfterwards(
  guard: Guard,
  request: IncomingMessage,
  handshake: Handshake,
): MaybePromise<boolean> {
  if (wasPermittedBy(request, guard)) return true;
  const before = termsSoFar(handshake);
  return settle(guard, handshake, (verdict) => {
    if (!verdict.ok) {
      takeBackTerms(handshake, before);
      throw errorOf(verdict.refusal);
    }
    addPermit(request, verdict.permit, before);
    return true;
  });
}

function settle(
  guard: Guard,
  handshake: Handshake,
  goOn: (verdict: Verdict) => boolean,
): MaybePromise<boolean> {
  const verdict = guard.decide(handshake);
  return isPromiseLike(verdict) ? verdict.then(goOn) : goOn(verdict);
}

const errorOf = ({ status, title, code }: Refusal): Error =>
  Object.assign(new Error(title), { status, code, expose: true });

const notAttached = (): Error =>
  new ConfigError(
    "ERR_FIRMSHAKE_NOT_ATTACHED",
    "guard: this upgrade, or polling request, is held by no gate. Call attach(server, app) with the server that app.listen() returns.",
  );
