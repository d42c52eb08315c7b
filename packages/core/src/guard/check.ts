import { ConfigError } from "../config/config-error.ts";
import { kindOf } from "../config/options.ts";
import {
  type Allow,
  type Decision,
  isAllow,
  isRefusal,
  type MaybePromise,
  type NoFacts,
  type Refusal,
  refuse,
} from "../decision/decision.ts";
import { type Handshake, progressOf } from "../handshake/handshake.ts";
import { refusalEntry } from "../handshake/trail.ts";

/**
 * A predicate over the handshake. It MUST answer with `allow`, `allowWith(...)` or `refuse(...)`, or a promise of one; whatever else it
 * does (nothing returned, an exception, no answer in time) refuses the handshake. It SHOULD pass `handshake.signal` to what it waits for.
 */
export type Check<Facts extends object = NoFacts> = (
  handshake: Handshake,
) => MaybePromise<Decision<Facts>>;

/** What a check adds to the handshake. */
export type FactsOf<C> = C extends (handshake: Handshake) => infer Answer
  ? Extract<Awaited<Answer>, Allow<object>> extends Allow<infer Facts>
    ? Facts
    : never
  : never;

/** In which order checks run, cheapest first. */
export const ranks = {
  address: 0,
  transport: 1,
  header: 2,
  rate: 3,
  token: 4,
  identity: 5,
} as const;

/** What is known of a check besides how to run it: for the order, for `explain()`, and for what a guard must not lack. */
export interface CheckInfo {
  readonly name: string;
  /** In words, without secrets. */
  readonly summary: string;
  /** One of {@link ranks}; without it a check stays behind whatever was written before it. */
  readonly rank?: number;
  readonly parts?: readonly AnyCheck[];
  readonly composes?: "all" | "any" | "when";
  /** The check's own word on the Origin header. */
  readonly origin?: {
    readonly isListed: boolean;
    readonly isOff: boolean;
    readonly allowsNull: boolean;
  };
  readonly namesHosts?: boolean;
  /** Where the check reads credentials; `ambient` ones are sent by browsers whoever asks. */
  readonly credential?: "ambient" | "explicit";
  readonly givesIdentity?: boolean;
  /** Marks the secrets that the check would read, where it did not get to run, so that no library sees them. */
  readonly withhold?: (handshake: Handshake) => void;
  readonly needsIdentity?: boolean;
  /** Whether it lets in by tokens that are bound to a certificate, and leaves it to another check to compare. */
  readonly needsCertificate?: boolean;
  /** Whether it is that other check. */
  readonly comparesCertificate?: boolean;
  /** Whom the credential is said to be of, before it is verified: a text of 256 characters at most. */
  readonly claimedSubject?: (handshake: Handshake) => string | undefined;
  /** What in it is weaker than the default. */
  readonly weaknesses?: readonly string[];
}

/** Any check, whatever it adds. */
export type AnyCheck = Check<object>;

const infos = new WeakMap<AnyCheck, CheckInfo>();

/** Makes a check with what is known of it. */
export function defineCheck<Facts extends object>(
  info: CheckInfo,
  run: Check<Facts>,
): Check<Facts> {
  Object.defineProperty(run, "name", { value: info.name });
  infos.set(run, Object.freeze(info));
  return run;
}

/** What is known of a check; of a user's own, its function's name. */
export function infoOf(check: AnyCheck): CheckInfo {
  const info = infos.get(check);
  if (info !== undefined) return info;
  const made = { name: check.name === "" ? "anonymous check" : check.name, summary: "" };
  infos.set(check, made);
  return made;
}

/** A copy of the list; throws for what cannot be a check. */
export function readChecks(owner: string, checks: readonly unknown[]): readonly AnyCheck[] {
  for (const check of checks) {
    if (typeof check === "function") continue;
    throw new ConfigError(
      "ERR_FIRMSHAKE_CHECK_INVALID",
      `${owner}: a check must be a function of the handshake, got ${kindOf(check)}. Write ${owner}(origin([...]), jwt({...})), or (handshake) => allow.`,
    );
  }
  return [...checks] as readonly AnyCheck[];
}

/**
 * Runs one check and writes its answer down. Never throws and never rejects.
 */
export function runCheck(
  check: AnyCheck,
  handshake: Handshake,
): MaybePromise<Allow<object> | Refusal> {
  // Asked for now: when the time is over, this is concluded before the combinators within have left.
  const { depth } = progressOf(handshake);
  let answer: MaybePromise<Decision<object>>;
  try {
    answer = check(handshake);
    // A `then` that is a getter, or a signal that cannot be had, may throw as the check itself may.
    if (isPromiseLike(answer)) {
      return untilAborted(answer, handshake).then((settled) =>
        conclude(check, handshake, depth, settled),
      );
    }
  } catch (error) {
    return conclude(check, handshake, depth, failed(error));
  }
  return conclude(check, handshake, depth, answer);
}

export function isPromiseLike<Value>(value: MaybePromise<Value>): value is PromiseLike<Value> {
  return typeof (value as PromiseLike<Value> | null | undefined)?.then === "function";
}

function conclude(
  check: AnyCheck,
  handshake: Handshake,
  depth: number,
  answer: unknown,
): Allow<object> | Refusal {
  const progress = progressOf(handshake);
  const { name } = infoOf(check);
  if (isAllow(answer)) {
    addFacts(progress, answer.facts);
    progress.trail.push({ check: name, outcome: "allow", depth });
    return answer;
  }
  const refusal = isRefusal(answer) ? answer : failed(undefined, `answered with ${kindOf(answer)}`);
  progress.trail.push(refusalEntry(name, depth, refusal));
  return refusal;
}

function addFacts(progress: ReturnType<typeof progressOf>, added: object): void {
  for (const _ in added) {
    progress.facts = Object.freeze({ ...progress.facts, ...added });
    return;
  }
}

/** The refusal of a check that did not do what a check does. Its error is for logs alone. */
function failed(cause: unknown, reason = "threw"): Refusal {
  return refuse("check_failed", undefined, { cause, reason });
}

const timedOut = refuse("decision_timeout");
const left = refuse("client_gone");

/** Why nothing more is to be decided, where the client left or the time is over. */
export function abortRefusal(signal: AbortSignal): Refusal {
  const { reason } = signal;
  return reason instanceof DOMException && reason.name === "TimeoutError" ? timedOut : left;
}

/** What the promise brings, or why it was not waited for any longer. What it brings later is dropped. */
function untilAborted(promise: PromiseLike<unknown>, handshake: Handshake): Promise<unknown> {
  const { signal } = handshake;
  return new Promise((resolve) => {
    const stop = (): void => resolve(abortRefusal(signal));
    const settle = (answer: unknown): void => {
      signal.removeEventListener("abort", stop);
      resolve(answer);
    };
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
    // Taken over by a promise of our own: a foreign `then` may throw, or settle with something that rejects.
    new Promise((adopt) => adopt(promise)).then(settle, (error: unknown) =>
      settle(failed(error, "rejected")),
    );
  });
}
