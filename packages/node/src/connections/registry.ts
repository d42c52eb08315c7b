import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { CloseCode, Identity, LifetimeOptions } from "@firmshake/core";
import {
  type ConnectionTerm,
  isPromiseLike,
  type LifetimeRules,
  type LifetimeTerm,
  strictestLifetime,
} from "@firmshake/core/gate";
import { ignore } from "../answer-on-socket.ts";
import { loggablePath } from "../decision-event.ts";
import { closeSocket } from "../frames/close-socket.ts";
import { preciseNow } from "../frames/coarse-clock.ts";
import { type FrameMeter, flags, meterOf, takeFlag } from "../frames/frame-meter.ts";
import { sendPing } from "../frames/send-ping.ts";
import { ownerOf } from "../socket-owner.ts";
import type { Conduct, PartyTest } from "../violations/violations.ts";
import type { Clock } from "./clock.ts";
import type { CloseEvent } from "./close-event.ts";
import { closingBy } from "./close-reason.ts";
import { DeadlineHeap } from "./deadline-heap.ts";
import { type Admission, type Closing, forgetId, GuardedSocket } from "./guarded-socket.ts";
import { askAgain } from "./revalidation.ts";
import { matchesIdentity, type ReadRevocation, type RevocationList } from "./revocations.ts";

/** What a gate asks of the connections of its server. */
export interface RegistryHooks {
  readonly lifetime: LifetimeOptions;
  readonly revocations: RevocationList;
  readonly conduct: Conduct | undefined;
  readonly onClose: ((event: CloseEvent) => unknown) | undefined;
}

/** However far a deadline is, the clocks are looked at now and then: the time of day may be set, and machines sleep. */
const maxSleepMs = 30_000;
/** What is further away than that is looked at again by then: small numbers take less room. */
const horizonMs = 2 ** 29;
/** The time of day is taken as set when it differs so much from what it should be. */
const maxDriftMs = 50;
/** A timer that is later than that says more of this process than of its clients. */
const maxLateMs = 500;

/** The accepted connections of one server, and the one timer that there is for all of them. */
export class Registry implements Iterable<GuardedSocket> {
  readonly clock: Clock;
  /** The more urgent come first. */
  readonly #open = new DeadlineHeap<GuardedSocket>();
  readonly #hooks = new Set<RegistryHooks>();
  #rules = new WeakMap<LifetimeTerm, LifetimeRules>();
  #ownRules: LifetimeRules | undefined;
  readonly #admissions = new WeakMap<LifetimeRules, WeakMap<object, Admission>>();
  readonly #onEmpty = new Set<() => void>();
  readonly #closeRevoked = (revocation: ReadRevocation): number =>
    this.closeAll(({ identity }) => matchesIdentity(revocation, identity), closings.revoked);
  readonly #closeUnwelcome = (isMeant: PartyTest): void =>
    void this.closeAll(isMeant, closings.too_many_violations);
  #stopTimer: (() => void) | undefined;
  #wakeAt = 0;
  #isLate = false;
  /** The time of day at the origin of the other clock. */
  #origin = 0;

  /** The time of day. */
  readonly madeAt: number;
  #lastPath = "";

  constructor(clock: Clock) {
    this.clock = clock;
    this.madeAt = clock.now();
  }

  /** Never negative, though the time of day may be set back. */
  sinceMade(): number {
    return Math.max(this.clock.now() - this.madeAt, 0);
  }

  /** The same text for the same path: each request has one of its own. */
  shared(path: string): string {
    if (path !== this.#lastPath) this.#lastPath = path;
    return this.#lastPath;
  }

  get size(): number {
    return this.#open.size;
  }

  [Symbol.iterator](): Iterator<GuardedSocket> {
    return this.#open[Symbol.iterator]();
  }

  addHooks(hooks: RegistryHooks): void {
    this.#hooks.add(hooks);
    this.#forgetRules();
    if (this.size > 0) this.#listenTo(hooks);
  }

  /** What is open is guarded until it is closed. */
  removeHooks(hooks: RegistryHooks): void {
    this.whenEmpty(() => {
      this.#hooks.delete(hooks);
      this.#forgetRules();
    });
  }

  #forgetRules(): void {
    this.#ownRules = undefined;
    this.#rules = new WeakMap();
  }

  whenEmpty(call: () => void): void {
    if (this.size === 0) call();
    else this.#onEmpty.add(call);
  }

  rulesFor(terms: readonly LifetimeTerm[]): LifetimeRules {
    const [term] = terms;
    if (term === undefined) {
      this.#ownRules ??= strictestLifetime([], this.#fallback());
      return this.#ownRules;
    }
    const all = (): LifetimeRules =>
      strictestLifetime(
        terms.map(({ options }) => options),
        this.#fallback(),
      );
    if (terms.length > 1) return all();
    const rules = this.#rules.get(term) ?? all();
    this.#rules.set(term, rules);
    return rules;
  }

  /** The gate that was attached last is asked first. */
  #fallback(): LifetimeOptions {
    return [...this.#hooks].at(-1)?.lifetime ?? {};
  }

  /** The same object for all that the same guard has let in by the same rules. */
  admissionBy(guards: readonly object[], rules: LifetimeRules): Admission {
    const [guard, ...others] = guards;
    if (guard === undefined || others.length > 0) return { registry: this, guards, rules };
    const ofRules = this.#admissions.get(rules) ?? new WeakMap<object, Admission>();
    this.#admissions.set(rules, ofRules);
    const admission = ofRules.get(guard) ?? { registry: this, guards, rules };
    ofRules.set(guard, admission);
    return admission;
  }

  isRevoked(identity: Identity | undefined): boolean {
    if (identity === undefined) return false;
    for (const { revocations } of this.#hooks) if (revocations.isRevoked(identity)) return true;
    return false;
  }

  /**
   * Takes a socket in; it leaves when it is closed. Where requests stand in for one, there is nothing to guard but places.
   *
   * @param response - Where the socket may go on to carry other requests.
   */
  add(guarded: GuardedSocket, response: ServerResponse<IncomingMessage> | undefined): void {
    const { socket } = guarded;
    if (socket === undefined) {
      response?.once("close", () => {
        guarded.raritiesOf().isOver = true;
        releaseTerms(guarded);
      });
      return;
    }
    if (this.size === 0) this.#onFirst();
    const now = this.#now();
    guarded.heardAt = guarded.spokenAt = now;
    this.setAge(guarded, now);
    guarded.dueAt = this.#dueAt(guarded, now);
    this.#open.add(guarded);
    ownerOf.put(socket, guarded);
    response?.once("close", () => this.remove(guarded));
    this.#wakeBy(guarded.dueAt, now);
  }

  remove(guarded: GuardedSocket): void {
    if (guarded.place === -1) return;
    this.#open.remove(guarded);
    forgetId(guarded);
    guarded.rare?.question?.abort(new DOMException("The connection is closed.", "AbortError"));
    releaseTerms(guarded);
    if (this.size === 0) this.#onLast();
  }

  /** By rules that hold from now on. What was more strict before stays. */
  setAge(guarded: GuardedSocket, now: number = this.#now()): void {
    const { maxAgeMs, maxAgeJitter, revalidate } = guarded.rules;
    if (maxAgeMs > 0) {
      const ageMs = this.clock.now() - guarded.acceptedAt;
      const leftMs = Math.max(
        maxAgeMs * (1 - maxAgeJitter * Math.random()) - Math.max(ageMs, 0),
        0,
      );
      const endsAt = now + Math.ceil(leftMs);
      guarded.endsAt = guarded.endsAt === 0 ? endsAt : Math.min(guarded.endsAt, endsAt);
    }
    if (revalidate.length > 0 && guarded.rare?.revalidateAt === undefined) {
      this.#revalidateLater(guarded, now);
    }
  }

  #revalidateLater(guarded: GuardedSocket, now: number): void {
    const turns = guarded.rules.revalidate.map(
      ({ everyMs, jitter }) => everyMs * (1 - jitter * Math.random()),
    );
    guarded.raritiesOf().revalidateAt = now + Math.ceil(Math.min(...turns));
  }

  /** What is released when the connection is over: at once, where it is already. */
  addTerms(guarded: GuardedSocket, terms: readonly ConnectionTerm[]): void {
    if (terms.length > 0) guarded.raritiesOf().terms = [...guarded.terms, ...terms];
    if (guarded.isOver) releaseTerms(guarded);
  }

  /** Other rules hold from now on, or somebody else is authenticated. */
  changed(guarded: GuardedSocket): void {
    if (guarded.place === -1) return;
    if (this.isRevoked(guarded.identity)) this.close(guarded, closings.revoked);
    const now = this.#now();
    this.#setDue(guarded, now);
    this.#wakeBy(guarded.dueAt, now);
  }

  /** False where it is closed, or closing, or is no socket. */
  close(guarded: GuardedSocket, closing: Closing): boolean {
    const { socket } = guarded;
    if (socket === undefined || guarded.place === -1 || guarded.isClosing) return false;
    // Behind the end the socket does not know it.
    const address = this.#isToldOfCloses() ? guarded.address : undefined;
    if (!closeSocket(socket, closing.closeCode, closing.closeReason)) return false;
    const rare = guarded.raritiesOf();
    rare.closing = closing;
    rare.question?.abort(new DOMException("The connection is closed.", "AbortError"));
    if (this.#isToldOfCloses()) this.#tell(guarded, closing, address);
    return true;
  }

  closeAll(matches: (guarded: GuardedSocket) => boolean, closing: Closing): number {
    let count = 0;
    for (const guarded of this) if (matches(guarded) && this.close(guarded, closing)) count++;
    return count;
  }

  #isToldOfCloses(): boolean {
    for (const { onClose, conduct } of this.#hooks) if (onClose ?? conduct) return true;
    return false;
  }

  #tell(guarded: GuardedSocket, closing: Closing, address: string | undefined): void {
    const { view, path, identity, acceptedAt } = guarded;
    if (closing.code !== undefined) {
      // Gates may share one.
      const conducts = new Set([...this.#hooks].map(({ conduct }) => conduct));
      for (const conduct of conducts) conduct?.noteClose({ identity, address }, closing.code);
    }
    for (const { onClose } of this.#hooks) {
      if (onClose === undefined) continue;
      try {
        const told = onClose({
          connection: view,
          ...closing,
          path: loggablePath(path),
          clientAddress: address,
          subject: identity?.subject,
          openMs: Math.max(this.clock.now() - acceptedAt, 0),
        });
        if (isPromiseLike(told)) told.then(undefined, ignore);
      } catch {
        // A recorder that fails must not decide about connections.
      }
    }
  }

  #onFirst(): void {
    for (const hooks of this.#hooks) this.#listenTo(hooks);
    this.#origin = this.#originNow();
  }

  #listenTo({ revocations, conduct }: RegistryHooks): void {
    revocations.subscribe(this.#closeRevoked);
    conduct?.subscribe(this.#closeUnwelcome);
  }

  #onLast(): void {
    this.#stopTimer?.();
    this.#stopTimer = undefined;
    for (const { revocations, conduct } of this.#hooks) {
      revocations.unsubscribe(this.#closeRevoked);
      conduct?.unsubscribe(this.#closeUnwelcome);
    }
    const calls = [...this.#onEmpty];
    this.#onEmpty.clear();
    for (const call of calls) call();
  }

  /** Whole milliseconds take less room. */
  #now(): number {
    return Math.floor(this.clock.monotonic());
  }

  #originNow(): number {
    return this.clock.now() - this.clock.monotonic();
  }

  #wakeBy(dueAt: number, now: number): void {
    const wakeAt = Math.min(dueAt, now + maxSleepMs);
    if (this.#stopTimer !== undefined) {
      if (this.#wakeAt <= wakeAt) return;
      this.#stopTimer();
    }
    this.#wakeAt = wakeAt;
    this.#stopTimer = this.clock.after(Math.max(wakeAt - now, 1), () => this.#wake());
  }

  #wake(): void {
    this.#stopTimer = undefined;
    const now = this.#now();
    this.#isLate = now - this.#wakeAt > maxLateMs;
    const origin = this.#originNow();
    if (Math.abs(origin - this.#origin) > maxDriftMs) {
      this.#origin = origin;
      for (const guarded of this) this.#setDue(guarded, now);
    }
    for (let first = this.#open.first; first !== undefined && first.dueAt <= now; ) {
      this.#look(first, now);
      first = this.#open.first;
    }
    const { first } = this.#open;
    if (first !== undefined) this.#wakeBy(first.dueAt, now);
  }

  /** Carries out what is due, and says when to look again: later, in any case. */
  #look(guarded: GuardedSocket, now: number): void {
    const { socket, rules, rare } = guarded;
    // Not by its own `destroy`.
    if (socket === undefined || socket.destroyed) return this.remove(guarded);
    const code = guarded.isClosing ? undefined : this.#overdue(guarded, now);
    if (code !== undefined) {
      // Where somebody else closes it already, it is gone as soon.
      this.close(guarded, this.#closingFor(code, rules));
      return this.#lookAgainBy(guarded, now + maxSleepMs);
    }
    if (rare?.revalidateAt !== undefined && rare.revalidateAt <= now) {
      this.#revalidateLater(guarded, now);
      askAgain(guarded);
    }
    this.#setDue(guarded, now);
  }

  /** What was closed is gone within a second, and is only looked at in case it is not. */
  #setDue(guarded: GuardedSocket, now: number): void {
    this.#lookAgainBy(guarded, guarded.isClosing ? now + maxSleepMs : this.#dueAt(guarded, now));
  }

  #lookAgainBy(guarded: GuardedSocket, dueAt: number): void {
    guarded.dueAt = dueAt;
    this.#open.moved(guarded);
  }

  #overdue(guarded: GuardedSocket, now: number): CloseCode | undefined {
    const { socket, endsAt, rules, identity } = guarded;
    if (this.#expiryIn(identity, rules) <= 0) return "token_expired";
    if (endsAt !== 0 && endsAt <= now) return "max_age_reached";
    // What has come while the process was kept from it is read before the next turn.
    const isIdle = rules.idleMs > 0 && spokenAt(guarded, now) + rules.idleMs <= now;
    if (isIdle && !this.#isLate) return "idle_timeout";
    if (rules.pingIntervalMs === 0) return undefined;
    const meter = meterOf.of(socket);
    // What nobody reads is not seen to come: where reading is paused, and where the process itself was kept from it.
    const isDeaf = isPaused(socket) || this.#isLate;
    if (takeFlag(meter, flags.heard) || isDeaf) {
      const silenceMs = isDeaf ? 0 : silenceSince(meter?.lastByteAt);
      guarded.heardAt = Math.max(now - silenceMs, guarded.heardAt);
      takeFlag(meter, flags.asked);
      if (guarded.heardAt + rules.pingIntervalMs > now) return undefined;
    }
    if (isAsked(meter)) {
      return guarded.heardAt + rules.pongTimeoutMs <= now ? "ping_timeout" : undefined;
    }
    if (guarded.heardAt + rules.pingIntervalMs > now) return undefined;
    // From now on the time for the answer runs.
    guarded.heardAt = now;
    sendPing(socket as Duplex, "");
    return undefined;
  }

  #closingFor(code: CloseCode, { expiryClose }: LifetimeRules): Closing {
    if (code !== "token_expired") return (closings as Record<string, Closing>)[code] as Closing;
    return expiryClose === "terminal" ? closings.expired : closings.expiredRetryable;
  }

  #dueAt(guarded: GuardedSocket, now: number): number {
    const { endsAt, rules, identity, rare, heardAt, socket } = guarded;
    let leftMs = Math.min(horizonMs, this.#expiryIn(identity, rules));
    if (endsAt !== 0) leftMs = Math.min(leftMs, endsAt - now);
    if (rules.idleMs > 0) leftMs = Math.min(leftMs, spokenAt(guarded, now) + rules.idleMs - now);
    if (rules.pingIntervalMs > 0) {
      const silenceMs = isAsked(meterOf.of(socket)) ? rules.pongTimeoutMs : rules.pingIntervalMs;
      leftMs = Math.min(leftMs, heardAt + silenceMs - now);
    }
    if (rare?.revalidateAt !== undefined) leftMs = Math.min(leftMs, rare.revalidateAt - now);
    return now + Math.max(Math.ceil(leftMs), 1);
  }

  #expiryIn(identity: Identity | undefined, { expiryGraceMs }: LifetimeRules): number {
    const expiresAt = identity?.expiresAt;
    if (expiresAt === undefined || expiryGraceMs === undefined) return Number.POSITIVE_INFINITY;
    const leftMs = expiresAt + expiryGraceMs - this.clock.now();
    // What is no time, of an application's own making, is over.
    return Number.isNaN(leftMs) ? 0 : leftMs;
  }
}

const closings = {
  expired: closingBy("token_expired"),
  expiredRetryable: closingBy("token_expired", { retryAfter: 0 }),
  revoked: closingBy("revoked"),
  max_age_reached: closingBy("max_age_reached"),
  idle_timeout: closingBy("idle_timeout"),
  ping_timeout: closingBy("ping_timeout"),
  too_many_violations: closingBy("too_many_violations"),
} as const;

/** Found by the socket alone where it is this WebSocket's alone. */
export function guardedOnSocket(socket: unknown): GuardedSocket | undefined {
  const owner = ownerOf.of(socket);
  return owner instanceof GuardedSocket ? owner : undefined;
}

function releaseTerms(guarded: GuardedSocket): void {
  const { terms, rare } = guarded;
  if (rare !== undefined) delete rare.terms;
  for (const { release } of terms) release?.();
}

/**
 * When the client has last sent a message's frame, by the registry's clock. Asked for at least as often as that can be too long ago.
 */
function spokenAt(guarded: GuardedSocket, now: number): number {
  const meter = meterOf.of(guarded.socket);
  if (takeFlag(meter, flags.spoken)) {
    guarded.spokenAt = Math.max(now - silenceSince(meter?.lastDataAt), guarded.spokenAt);
  }
  return guarded.spokenAt;
}

/** How long ago that was, by the clock of the meters. */
const silenceSince = (at: number | undefined): number =>
  at === undefined ? 0 : Math.max(preciseNow() - at, 0);

/** Whether a ping is out. */
const isAsked = (meter: FrameMeter | undefined): boolean =>
  meter !== undefined && (meter.flags & flags.asked) !== 0;

const isPaused = (socket: Duplex | undefined): boolean => socket?.readableFlowing === false;
