import type { Duplex } from "node:stream";
import {
  type Handshake,
  type Identity,
  type LimitsOptions,
  type ProxyTrust,
  type Refusal,
  refuse,
} from "@firmshake/core";
import {
  isPromiseLike,
  type LimitsTerm,
  limitsKind,
  openingRefusal,
  takeBackTerms,
  termsOf,
  trailOf,
} from "@firmshake/core/gate";
import { ignore } from "./answer-on-socket.ts";
import { closingAnswer, type RefuseOption } from "./closing-answer.ts";
import { handshakeOf, rememberConnection } from "./connection.ts";
import type { Registry } from "./connections/registry.ts";
import { revokedIn } from "./connections/revoked-refusal.ts";
import { type DecisionEvent, type DecisionOutcome, loggablePath } from "./decision-event.ts";
import { frameRulesFor } from "./frames/frame-rules.ts";
import { countFor, guardFrames, guardFramesOnceAccepted } from "./frames/guard-frames.ts";
import { offerExtensions, rewriteRequest } from "./hand-over.ts";
import { nodeHandshake } from "./node-handshake.ts";
import type { LoadWatch } from "./overload.ts";
import type { Parking } from "./parking.ts";
import { corsFor } from "./readable-refusal.ts";
import { failedRuling, type Ruling, redeemRuling, type UpgradeHandler } from "./ruling.ts";
import type { MeterHead, Target } from "./target.ts";
import type { Conduct } from "./violations/violations.ts";

/** What the upgrades of one gate have in common. */
export interface Holding {
  readonly handler: UpgradeHandler;
  readonly places: Parking;
  readonly trust: ProxyTrust | undefined;
  readonly maxHeaderLines: () => number;
  readonly decisionTimeoutMs: number;
  readonly maxEarlyBytes: number;
  readonly refuseBy: RefuseOption;
  readonly limits: LimitsOptions;
  readonly onDecision: ((event: DecisionEvent, handshake: Handshake) => unknown) | undefined;
  /** Ends each upgrade that waits, at shutdown. */
  readonly waiting: Set<() => void>;
  readonly isClosed: () => boolean;
  readonly load: LoadWatch | undefined;
  readonly conduct: Conduct | undefined;
  readonly registry: Registry;
}

// Taken at load: tests of applications replace the globals by faked ones.
const { setImmediate, setTimeout, clearTimeout, process } = globalThis;
const { nextTick } = process;

const retrySoon = [["Retry-After", "1"]] as const;
const overloaded = refuse("overloaded", undefined, { headers: retrySoon });
const overloadedBy = (reason: string): Refusal =>
  refuse("overloaded", undefined, { headers: [["Retry-After", "5"]], reason });
const shuttingDown = refuse("shutting_down", undefined, { headers: [["Retry-After", "5"]] });
const timedOut = refuse("decision_timeout", undefined, { headers: retrySoon });
const clientGone = refuse("client_gone");
const earlyData = refuse("early_data");
const bodyTouched = refuse("check_failed", undefined, {
  reason: "middleware has read the body of a polling request; it must stand behind the guard",
});

/**
 * Holds one upgrade, or one polling request, until it is decided. A decision that is there at once is carried out in the same stack, and nothing else about the
 * socket is touched; otherwise the upgrade is parked.
 *
 * @returns what `emit` answers.
 */
export function holdUpgrade(holding: Holding, target: Target): boolean {
  const startedAt = holding.onDecision === undefined ? 0 : performance.now();
  const abort = lazyAbort();
  const maxHeaderLines = holding.maxHeaderLines();
  const handshake = nodeHandshake(target, maxHeaderLines, abort.signal, holding.trust);
  const held: Held = { holding, target, handshake, startedAt };
  const refusal = refusalBeforeChecks(held);
  if (refusal !== undefined) return conclude(held, refusedSoFar(handshake, refusal));

  const { request, socket, response } = target;
  const letGo = (): void => void target.proceed();
  const ruling = rule(holding.handler, { request, socket, response, handshake, letGo });
  if (!isPromiseLike(ruling)) return conclude(held, ruling);
  park(held, ruling, abort);
  return true;
}

const refusedSoFar = (handshake: Handshake, refusal: Refusal): Ruling => ({
  outcome: "refused",
  refusal,
  trail: trailOf(handshake),
});

interface Held {
  readonly holding: Holding;
  readonly target: Target;
  readonly handshake: Handshake;
  readonly startedAt: number;
}

function refusalBeforeChecks({ holding, handshake, target }: Held): Refusal | undefined {
  if (holding.isClosed()) return shuttingDown;
  const excess = holding.load?.excess;
  // What a polling session asks for on its way belongs to who is connected.
  if (excess !== undefined && !handshake.isContinued) return overloadedBy(excess);
  if (!holding.places.hasRoomFor(handshake)) return overloaded;
  const unwelcome = holding.conduct?.refusalFor(handshake, undefined);
  if (unwelcome !== undefined) return unwelcome;
  // Nobody pipelines but who wants many decisions for one connection.
  if (waitedFor.has(target.socket)) return overloaded;
  return openingRefusal(handshake);
}

const waitedFor = new WeakSet<Duplex>();

function rule(
  handler: UpgradeHandler,
  upgrade: Parameters<UpgradeHandler>[0],
): ReturnType<UpgradeHandler> {
  try {
    return handler(upgrade);
  } catch (cause) {
    return failedRuling(cause, "threw");
  }
}

/**
 * Waits for the ruling while watching the socket. Nothing is read: what arrives meanwhile waits in the stream, up to its high-water mark.
 * A client that resets would end the process if nobody listened for the error.
 */
function park(held: Held, ruling: PromiseLike<Ruling>, abort: LazyAbort): void {
  const { holding, target, handshake } = held;
  const { socket } = target;
  const leave = holding.places.enter(handshake);
  let isOver = false;

  const settle = (): boolean => {
    if (isOver) return false;
    isOver = true;
    clearTimeout(deadline);
    stopWatching();
    waitedFor.delete(socket);
    holding.waiting.delete(shutDown);
    leave();
    return true;
  };
  const giveUp = (refusal: Refusal, text: string, name: string): void => {
    if (!settle()) return;
    abort.abort(new GivenUp(text, name, refusal));
    // By then the check that was waited for has noticed, and stands in the trail.
    setImmediate(() => conclude(held, refusedSoFar(handshake, refusal)));
  };
  const onGone = (): void => giveUp(clientGone, "The client left.", "AbortError");
  const shutDown = (): void => giveUp(shuttingDown, "Shutting down.", "AbortError");
  const onDeadline = (): void => giveUp(timedOut, "Undecided.", "TimeoutError");
  const onRuling = (settled: Ruling): void => {
    // Out of the promise: what a library's listener throws is an uncaught exception, as it was without a gate.
    nextTick(() => {
      if (!settle()) return;
      try {
        conclude(held, settled);
      } finally {
        socket.off("error", ignore);
      }
    });
  };

  socket.on("error", ignore);
  waitedFor.add(socket);
  const stopWatching = target.watch(onGone);
  holding.waiting.add(shutDown);
  const deadline = setTimeout(onDeadline, holding.decisionTimeoutMs);
  // Taken over by a promise of our own: a foreign `then` may throw, or settle twice.
  Promise.resolve(ruling).then(onRuling, (cause: unknown) =>
    onRuling(failedRuling(cause, "rejected")),
  );
}

/** Why the signal of a handshake has aborted. */
class GivenUp extends DOMException {
  readonly #refusal: Refusal;

  constructor(text: string, name: string, refusal: Refusal) {
    super(text, name);
    this.#refusal = refusal;
  }

  static refusalIn(reason: unknown): Refusal {
    return typeof reason === "object" && reason !== null && #refusal in reason
      ? reason.#refusal
      : clientGone;
  }
}

/** What becomes of a handshake whose signal has aborted. */
export const refusalOnAbort = ({ signal }: Handshake): Refusal => GivenUp.refusalIn(signal.reason);

/** Carries a ruling out. */
function conclude(held: Held, given: Ruling): boolean {
  const { holding, target, handshake } = held;
  const ruling = redeemRuling(given, handshake);
  if (ruling.outcome === "permitted") {
    if (target.isGone()) return abandon(held, ruling);
    const unwelcome = holding.conduct?.refusalFor(handshake, handshake.identity);
    if (unwelcome !== undefined) return refuseWith(held, unwelcome, ruling);
    if (target.isBodyTouched()) return refuseWith(held, bodyTouched, ruling);
    if (target.earlyBytes() > holding.maxEarlyBytes) {
      return refuseWith(held, earlyData, ruling);
    }
    const revoked = revokedIn(ruling.permits, holding.registry);
    if (revoked !== undefined) return refuseWith(held, revoked, ruling);
    rewriteRequest(target.request, handshake);
    const { identity } = rememberConnection(holding.registry, target, ruling.permits);
    tell(held, "accepted", ruling);
    const meter = guardOpen(held, identity);
    if (ruling.accept === undefined) return target.proceed(meter);
    ruling.accept(meter);
    return true;
  }
  if (ruling.outcome === "answered") {
    takeBackTerms(handshake);
    tell(held, "answered", ruling);
    target.finish();
    return true;
  }
  return ruling.refusal.code === "client_gone"
    ? abandon(held, ruling)
    : refuseWith(held, ruling.refusal, ruling);
}

/** What the connection is held to from now on. */
function guardOpen(
  { holding, target, handshake }: Held,
  identity: Identity | undefined,
): MeterHead {
  if (target.transport !== "websocket") return (_socket, head) => head;
  const rules = frameRulesFor(holding.limits, termsOf<LimitsTerm>(handshake, limitsKind));
  offerExtensions(target.request, rules.compression);
  if (target.ownSocket === undefined) {
    const isFurther = handshakeOf(target.request) !== handshake;
    guardFramesOnceAccepted(target.socket, rules, isFurther);
    countFor(target.socket, identity);
  }
  return (socket, head) => {
    const passed = guardFrames(socket, head, rules);
    countFor(socket, identity);
    return passed;
  };
}

function refuseWith(held: Held, refusal: Refusal, ruling: Ruling): boolean {
  const { holding, target, handshake } = held;
  const { trail } = ruling;
  takeBackTerms(handshake);
  holding.conduct?.noteRefusal(handshake, refusal);
  const closing = closingAnswer(holding.refuseBy, held, refusal, trail);
  tell(held, "refused", { ...ruling, outcome: "refused", refusal }, closing !== undefined);
  if (closing === undefined) target.refuse(refusal, corsFor(handshake, trail));
  else target.refuseByClose?.(closing);
  return true;
}

/** Nobody is there to be answered, and nobody behind the gate was told of the socket. */
function abandon(held: Held, ruling: Ruling): boolean {
  const { socket } = held.target;
  takeBackTerms(held.handshake);
  socket.on("error", ignore);
  socket.destroy();
  tell(held, "abandoned", ruling);
  return true;
}

function tell(
  { holding, handshake, startedAt }: Held,
  outcome: DecisionOutcome,
  ruling: Ruling,
  isClosed = false,
): void {
  if (holding.onDecision === undefined) return;
  const refusal = ruling.outcome === "refused" ? ruling.refusal : undefined;
  const answered = ruling.outcome === "answered" ? ruling : undefined;
  try {
    const event: DecisionEvent = {
      outcome,
      transport: handshake.transport,
      path: loggablePath(handshake.path),
      clientAddress: handshake.clientAddress,
      subject: handshake.identity?.subject,
      code: refusal?.code,
      status: outcome === "abandoned" ? undefined : (refusal?.status ?? answered?.status),
      closeCode: isClosed ? refusal?.closeCode : undefined,
      reason: refusal?.reason,
      reported: ruling.outcome === "permitted" ? ruling.reported?.code : undefined,
      trail: ruling.trail,
      cause: refusal?.cause ?? answered?.cause,
      elapsedMs: performance.now() - startedAt,
    };
    const recorded = holding.onDecision(event, handshake);
    if (isPromiseLike(recorded)) recorded.then(undefined, ignore);
  } catch {
    // A recorder that fails must not decide about connections.
  }
}

interface LazyAbort {
  readonly signal: () => AbortSignal;
  readonly abort: (reason: unknown) => void;
}

/** An abort signal costs more than most checks; it is made when somebody asks for it. */
function lazyAbort(): LazyAbort {
  let controller: AbortController | undefined;
  let abortedWith: { readonly reason: unknown } | undefined;
  return {
    signal: () => {
      controller ??= new AbortController();
      if (abortedWith !== undefined) controller.abort(abortedWith.reason);
      return controller.signal;
    },
    abort: (reason) => {
      abortedWith = { reason };
      controller?.abort(reason);
    },
  };
}
