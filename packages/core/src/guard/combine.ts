import { ConfigError } from "../config/config-error.ts";
import {
  type Allow,
  allow,
  type HeaderLine,
  type MaybePromise,
  type NoFacts,
  type Refusal,
  refuse,
} from "../decision/decision.ts";
import { takeBackTerms } from "../handshake/connection-terms.ts";
import { type Handshake, progressOf } from "../handshake/handshake.ts";
import {
  type AnyCheck,
  abortRefusal,
  type Check,
  defineCheck,
  type FactsOf,
  infoOf,
  isPromiseLike,
  readChecks,
  runCheck,
} from "./check.ts";
import { compilePath, type PathPattern } from "./path-pattern.ts";

/** What a list of checks adds when each of them allowed. */
export type AllFacts<Checks extends readonly AnyCheck[]> = Checks extends readonly [
  infer First,
  ...infer Rest extends readonly AnyCheck[],
]
  ? FactsOf<First> & AllFacts<Rest>
  : NoFacts;

/**
 * Allows what every one of the checks allows; the first refusal stops it.
 *
 * @example
 * ```ts
 * import { all, any, cookieToken, guard, jwt, origin } from "@firmshake/core";
 *
 * const keys = new Uint8Array(32);
 * const options = { issuer: "https://id.example.com", audience: "chat", keys } as const;
 * const chat = guard(
 *   any(
 *     all(origin(["https://app.example.com"]), jwt({ ...options, from: [cookieToken("session")] })),
 *     jwt(options),
 *   ),
 * );
 * ```
 */
export function all<const Checks extends readonly AnyCheck[]>(
  ...checks: Checks
): Check<AllFacts<Checks>> {
  const parts = readChecks("all", checks);
  return defineCheck(
    { name: "all", summary: "", parts, composes: "all", ...rankOf(parts) },
    (handshake) =>
      nested(handshake, () => runAll(parts, handshake)) as ReturnType<Check<AllFacts<Checks>>>,
  );
}

/**
 * Allows what one of the checks allows, trying them in order. Where none does, the most telling refusal stands: what may pass by itself (an
 * issuer out of reach), then what is denied to somebody who has authenticated, a bad token, a missing one, and what is denied to
 * strangers; of equals the later. Where it asks for credentials, it does so for all ways (RFC 9110 §11.6.1). A check that fails (and so does
 * not know) refuses the whole.
 *
 * @throws {@link ConfigError} `ERR_FIRMSHAKE_CHECK_INVALID` without a check.
 *
 * @example
 * ```ts
 * import { any, cookieToken, guard, jwt, origin } from "@firmshake/core";
 *
 * const token = { issuer: "https://id.example.com", audience: "chat", keys: new Uint8Array(32) };
 * const chat = guard(
 *   origin(["https://app.example.com"]),
 *   any(jwt(token), jwt({ ...token, from: [cookieToken("__Host-session")] })),
 * );
 * ```
 */
export function any<const Checks extends readonly [AnyCheck, ...AnyCheck[]]>(
  ...checks: Checks
): Check<FactsOf<Checks[number]>> {
  const parts = readChecks("any", checks);
  if (parts.length === 0) {
    throw new ConfigError("ERR_FIRMSHAKE_CHECK_INVALID", "any: give at least one check.");
  }
  return defineCheck(
    { name: "any", summary: "", parts, composes: "any", ...rankOf(parts) },
    (handshake) =>
      nested(handshake, () => runAny(parts, handshake)) as ReturnType<
        Check<FactsOf<Checks[number]>>
      >,
  );
}

/**
 * Runs a check only where the handshake matches; elsewhere the other one, or none.
 *
 * Paths are compared letter by letter. Behind a router that takes `/ADMIN` for `/admin`, as Express does unless told otherwise, mount a
 * guard on its route instead.
 *
 * @param match - A path, a path that ends in `/*`, or a synchronous predicate. One that throws, or does not answer `true` or `false`, refuses
 * the handshake.
 * @throws {@link ConfigError} `ERR_FIRMSHAKE_ROUTE_INVALID` for a pattern that could never match as meant.
 *
 * @example
 * ```ts
 * import { address, guard, origin, when } from "@firmshake/core";
 *
 * const site = guard(origin(["https://app.example.com"]), when("/admin/*", address({ allow: ["private"] })));
 * ```
 */
export function when<Facts extends object, Else extends object = NoFacts>(
  match: PathPattern | ((handshake: Handshake) => boolean),
  check: Check<Facts>,
  otherwise?: Check<Else>,
): Check<Partial<Facts> & Partial<Else>> {
  const parts = readChecks("when", otherwise === undefined ? [check] : [check, otherwise]);
  const matches = typeof match === "function" ? match : pathMatcher(match);
  const summary = typeof match === "function" ? match.name || "predicate" : match;
  return defineCheck<Partial<Facts> & Partial<Else>>(
    { name: "when", summary, parts, composes: "when", ...rankOf(parts) },
    (handshake) =>
      nested(handshake, () => {
        const isMatch: unknown = matches(handshake);
        // A promise is truthy: an asynchronous predicate would always choose the first check.
        if (typeof isMatch !== "boolean")
          throw new TypeError("The predicate of when() must answer true or false.");
        const chosen = isMatch ? check : otherwise;
        return chosen === undefined ? allow : runCheck(chosen as AnyCheck, handshake);
      }) as ReturnType<Check<Partial<Facts> & Partial<Else>>>,
  );
}

function pathMatcher(pattern: string): (handshake: Handshake) => boolean {
  const matches = compilePath("when", pattern);
  return (handshake) => matches(handshake.path);
}

/** A combinator runs as late as the dearest of its parts. */
export function rankOf(parts: readonly AnyCheck[]): { rank?: number } {
  const ranks = parts.map((part) => infoOf(part).rank);
  return ranks.every((rank) => rank !== undefined) && ranks.length > 0
    ? { rank: Math.max(...ranks) }
    : {};
}

type Outcome = MaybePromise<Allow<object> | Refusal>;

/** Runs what stands one deeper in the trail. */
export function nested(handshake: Handshake, run: () => Outcome): Outcome {
  const progress = progressOf(handshake);
  progress.depth++;
  let outcome: Outcome;
  try {
    outcome = run();
  } catch (error) {
    progress.depth--;
    throw error;
  }
  if (!isPromiseLike(outcome)) {
    progress.depth--;
    return outcome;
  }
  return outcome.then((settled) => {
    progress.depth--;
    return settled;
  });
}

/** Runs checks in order until one refuses; goes on synchronously for as long as they do. */
export function runAll(checks: readonly AnyCheck[], handshake: Handshake): Outcome {
  for (let index = 0; index < checks.length; index++) {
    const outcome = runCheck(checks[index] as AnyCheck, handshake);
    if (isPromiseLike(outcome))
      return outcome.then((settled) => continueAll(checks, index, handshake, settled));
    if (!outcome.ok) return outcome;
  }
  return allow;
}

function continueAll(
  checks: readonly AnyCheck[],
  index: number,
  handshake: Handshake,
  settled: Allow<object> | Refusal,
): Outcome {
  if (!settled.ok) return settled;
  if (handshake.signal.aborted) return abortRefusal(handshake.signal);
  return runAll(checks.slice(index + 1), handshake);
}

/** Runs checks in order until one allows. What a refused branch had added is taken back. */
function runAny(checks: readonly AnyCheck[], handshake: Handshake, before?: Standing): Outcome {
  const progress = progressOf(handshake);
  const { facts, agreed, terms } = progress;
  const takeBack = (refusal: Refusal, standing: Standing | undefined): Standing => {
    const isKnown = progress.refusedKnown || handshake.identity !== undefined;
    takeBackTerms(handshake, terms);
    Object.assign(progress, { facts, agreed, refusedKnown: false });
    return standingAfter(standing, refusal, isKnown);
  };
  let standing = before;
  for (let index = 0; index < checks.length; index++) {
    const outcome = runCheck(checks[index] as AnyCheck, handshake);
    if (isPromiseLike(outcome)) {
      return outcome.then((settled) => {
        if (settled.ok || isFinal(settled)) return settled;
        if (handshake.signal.aborted) return abortRefusal(handshake.signal);
        return runAny(checks.slice(index + 1), handshake, takeBack(settled, standing));
      });
    }
    if (outcome.ok || isFinal(outcome)) return outcome;
    standing = takeBack(outcome, standing);
  }
  const { telling, isKnown, challenges } = standing as Standing;
  progress.refusedKnown = isKnown;
  return withChallenges(telling, challenges);
}

const isFinal = ({ code }: Refusal): boolean =>
  code === "check_failed" || code === "decision_timeout" || code === "client_gone";

/** What the ways that were tried have come to. */
interface Standing {
  readonly telling: Refusal;
  readonly weight: number;
  /** Whether somebody was authenticated on the way of the telling refusal. */
  readonly isKnown: boolean;
  readonly challenges: readonly HeaderLine[];
}

/** Of refusals that tell as much the later stands. */
function standingAfter(before: Standing | undefined, refusal: Refusal, isKnown: boolean): Standing {
  const weight = weightOf(refusal, isKnown);
  const challenges = [...(before?.challenges ?? []), ...challengesOf(refusal)];
  return before !== undefined && before.weight > weight
    ? { ...before, challenges }
    : { telling: refusal, weight, isKnown, challenges };
}

/** 403 says that authenticating would not help (RFC 9110 §15.5.4): true of whoever has done so, and not while another way is open to it. */
function weightOf({ code, status, retryable }: Refusal, isKnown: boolean): number {
  if (retryable) return 4;
  if (status === 403) return isKnown ? 3 : 0;
  return code === "token_missing" || code === "unauthorized" ? 1 : 2;
}

const challengesOf = ({ headers }: Refusal): readonly HeaderLine[] =>
  headers.filter(([name]) => name.toLowerCase() === "www-authenticate");

/**
 * A refusal that asks for credentials, with the challenges of every way that was open to some: a line for each, since many clients read
 * but the first of a list (RFC 9110 §11.6.1).
 */
function withChallenges(refusal: Refusal, all: readonly HeaderLine[]): Refusal {
  const own = challengesOf(refusal);
  if (refusal.status !== 401 && own.length === 0) return refusal;
  const kept = all.reduce(withChallenge, own);
  if (kept.length === own.length) return refusal;
  const others = refusal.headers.filter((line) => !own.includes(line));
  const { code, detail, reason, cause } = refusal;
  return refuse(code, detail, {
    headers: [...others, ...kept],
    cause,
    ...(reason === undefined ? {} : { reason }),
  });
}

/** The same without its parameters, such as the error of a token that was not sent, adds nothing. */
const withChallenge = (lines: readonly HeaderLine[], line: HeaderLine): readonly HeaderLine[] =>
  lines.some(([, value]) => `${value},`.startsWith(`${line[1]},`)) ? lines : [...lines, line];
