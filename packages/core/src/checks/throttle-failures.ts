import { ConfigError } from "../config/config-error.ts";
import {
  aFunction,
  aPositiveInteger,
  aPositiveNumber,
  aText,
  aWholeNumber,
  either,
  oneOf,
  readOptions,
} from "../config/options.ts";
import type { Allow, MaybePromise, Refusal } from "../decision/decision.ts";
import {
  type AnyCheck,
  abortRefusal,
  type Check,
  defineCheck,
  isPromiseLike,
  readChecks,
  runCheck,
} from "../guard/check.ts";
import { nested, rankOf } from "../guard/combine.ts";
import { everyInfo } from "../guard/posture.ts";
import { type Handshake, progressOf, trailOf } from "../handshake/handshake.ts";
import { isHttpToken } from "../parse/http-token.ts";
import { memoryRateLimitStore } from "../stores/memory-rate-limit-store.ts";
import type { RateLimitResult, RateLimitRule, RateLimitStore } from "../stores/rate-limit-store.ts";
import { knownClients } from "./known-clients.ts";
import {
  addressKey,
  conclusions,
  identityKey,
  invalidKey,
  maxKeyLength,
  refuseSharedStore,
  storeFailed,
  unknownAddress,
} from "./rate-limit.ts";

/** What {@link throttleFailures} takes. */
export interface ThrottleFailuresOptions {
  /** How many attempts may fail at once, and in each window after that. */
  readonly limit: number;
  readonly windowMs: number;
  /**
   * Counts failures by the subject as well, from whatever addresses they come: `claimed` is the one that a token for `jwt` names; a function
   * reads it for a check of your own, in the words of `identity.subject`. Default: by address alone, since it is the client who names the
   * subject.
   */
  readonly subject?: "claimed" | ((handshake: Handshake) => string | undefined);
  /** Where they are counted: a store that has `peek`. Default: this process's memory, for this check alone. */
  readonly store?: RateLimitStore;
  /** How many leading bits of an IPv6 address make one client. Default 56. */
  readonly ipv6PrefixBits?: number;
  /** What the limit is called in the `RateLimit` fields and in the keys of the store. Default `failures`. */
  readonly name?: string;
}

/**
 * Refuses to try a check again where it has failed too often: with 429 and `Retry-After`, before the check runs. What counts are wrong
 * credentials (`token_invalid`), not missing ones.
 *
 * Clients are counted by address, and a success takes nothing back. With `subject`, a client at an address from which that subject was
 * authenticated before is counted apart: who tries subjects from elsewhere cannot keep them out there (NIST SP 800-63B §5.2.2).
 *
 * @throws {@link ConfigError} for options that are not as described.
 *
 * @example
 * ```ts
 * import { guard, jwt, throttleFailures } from "@firmshake/core";
 *
 * const token = { issuer: "https://id.example.com", audience: "chat", keys: new Uint8Array(32) };
 * const chat = guard(throttleFailures({ limit: 20, windowMs: 60_000 }, jwt(token)));
 * ```
 */
export function throttleFailures<Facts extends object>(
  options: ThrottleFailuresOptions,
  check: Check<Facts>,
): Check<Facts> {
  const read = readThrottleOptions(options);
  const parts = readChecks("throttleFailures", [check]);
  const { limit, windowMs, ipv6PrefixBits = 56, name = "failures" } = read;
  const { store = memoryRateLimitStore() } = read;
  const peek = peekOf(store);
  refuseSharedStore("throttleFailures", store, name);
  const addressOf = addressKey(ipv6PrefixBits);
  const subjectOf = subjectReader(read.subject, parts);
  const rule: RateLimitRule = Object.freeze({ limit, windowMs });
  const conclude = conclusions(rule, name);
  const known = knownClients(maxKnownClients);

  function attemptOf(handshake: Handshake): Attempt | Refusal {
    const address = addressOf(handshake);
    if (address === undefined) return unknownAddress;
    const byAddress = `${name}:address:${address}`;
    const subject = subjectOf(handshake);
    if (subject === undefined) return { keys: [byAddress] };
    if (typeof subject !== "string" || subject.length > maxKeyLength) return invalidKey;
    const client = `${address} ${subject}`;
    const bySubject = known.has(client) ? `${name}:known:${client}` : `${name}:subject:${subject}`;
    return { keys: [byAddress, bySubject], claimed: { client, subject } };
  }

  /** Goes on synchronously for as long as the store does. */
  function askAll(keys: readonly string[], ask: Ask): MaybePromise<Refusal | undefined> {
    for (const [index, key] of keys.entries()) {
      let result: MaybePromise<RateLimitResult>;
      try {
        result = ask(key, rule);
      } catch (error) {
        return storeFailed(error);
      }
      if (isPromiseLike(result)) {
        return result.then(
          (settled) => refusalIn(settled) ?? askAll(keys.slice(index + 1), ask),
          storeFailed,
        );
      }
      const refusal = refusalIn(result);
      if (refusal !== undefined) return refusal;
    }
    return undefined;
  }

  function refusalIn(result: RateLimitResult): Refusal | undefined {
    const decision = conclude(result);
    return decision.ok ? undefined : decision;
  }

  /** Counts what failed under each of its keys, whether or not there is room under the one before. */
  const count: Ask = (key) => {
    const taken = store.take(key, rule);
    return isPromiseLike(taken) ? taken.then(() => counted) : counted;
  };

  function run(handshake: Handshake, attempt: Attempt): Outcome {
    const start = progressOf(handshake).trail.length;
    const outcome = nested(handshake, () => runCheck(parts[0] as AnyCheck, handshake));
    return isPromiseLike(outcome)
      ? outcome.then((settled) => learn(handshake, attempt, settled, start))
      : learn(handshake, attempt, outcome, start);
  }

  function learn(
    handshake: Handshake,
    { keys, claimed }: Attempt,
    outcome: Allow<object> | Refusal,
    start: number,
  ): Outcome {
    if (outcome.ok) {
      if (claimed !== undefined && isSubject(handshake, claimed.subject)) known.add(claimed.client);
      return outcome;
    }
    // In the trail, since a combinator may have a more telling refusal than that of the wrong credential.
    const isFailure = trailOf(handshake, start).some(({ code }) => code === "token_invalid");
    if (!isFailure) return outcome;
    const failed = askAll(keys, count);
    return isPromiseLike(failed)
      ? failed.then((refusal) => refusal ?? outcome)
      : (failed ?? outcome);
  }

  return defineCheck<Facts>(
    {
      name: "throttleFailures",
      summary: `${limit} in ${windowMs / 1000} s by address${read.subject === undefined ? "" : " and by subject"}, ${store.summary ?? "in a store"}`,
      parts,
      composes: "all",
      ...rankOf(parts),
    },
    (handshake) => {
      const attempt = attemptOf(handshake);
      if ("ok" in attempt) return attempt;
      const refusal = askAll(attempt.keys, peek);
      const outcome = isPromiseLike(refusal)
        ? refusal.then((settled): Outcome => {
            if (handshake.signal.aborted) return abortRefusal(handshake.signal);
            return settled ?? run(handshake, attempt);
          })
        : (refusal ?? run(handshake, attempt));
      return outcome as ReturnType<Check<Facts>>;
    },
  );
}

const maxKnownClients = 10_000;

type Outcome = MaybePromise<Allow<object> | Refusal>;
type Ask = NonNullable<RateLimitStore["peek"]>;

interface Attempt {
  /** Under which its failure counts. */
  readonly keys: readonly string[];
  readonly claimed?: { readonly client: string; readonly subject: string };
}

const counted: RateLimitResult = Object.freeze({
  isAllowed: true,
  remaining: 0,
  retryAfterMs: 0,
  resetAfterMs: 0,
});

/** Whether the one who was authenticated is the one who was claimed: another way may have let him in. */
const isSubject = (handshake: Handshake, claimed: string): boolean =>
  claimed === handshake.identity?.subject || claimed === identityKey(handshake);

function subjectReader(
  subject: ThrottleFailuresOptions["subject"],
  parts: readonly AnyCheck[],
): (handshake: Handshake) => string | undefined {
  if (subject === undefined) return () => undefined;
  if (subject !== "claimed") return subject;
  const readers = everyInfo(parts).flatMap(({ claimedSubject }) => claimedSubject ?? []);
  if (readers.length === 0) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTIONS_CONTRADICT",
      `throttleFailures: subject: "claimed" goes with jwt({...}); for a check of your own, give a function of the handshake.`,
    );
  }
  return (handshake) => {
    for (const claimedSubject of readers) {
      const claimed = claimedSubject(handshake);
      if (claimed !== undefined) return claimed;
    }
    return undefined;
  };
}

function peekOf(store: RateLimitStore): Ask {
  const { peek } = store;
  if (typeof peek === "function") return (key, rule) => peek.call(store, key, rule);
  throw new ConfigError(
    "ERR_FIRMSHAKE_OPTION_INVALID",
    `throttleFailures: "store" needs a peek() function beside take(): attempts are asked about before they fail. memoryRateLimitStore() and rateLimiterFlexibleStore() have it.`,
  );
}

function readThrottleOptions(options: ThrottleFailuresOptions): ThrottleFailuresOptions {
  const read = readOptions<ThrottleFailuresOptions>(
    "throttleFailures",
    options,
    {
      limit: aPositiveInteger,
      windowMs: aPositiveNumber,
      subject: either(oneOf("claimed"), aFunction),
      store: {
        expected: "a store with take() and peek() functions",
        accepts: (value) => typeof (value as Partial<RateLimitStore> | null)?.take === "function",
      },
      ipv6PrefixBits: aWholeNumber(32, 128),
      name: aText,
    },
    ["limit", "windowMs"],
  );
  if (read.name !== undefined && !isHttpToken(read.name)) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTION_INVALID",
      `throttleFailures: "name" must be one token, such as "chat".`,
    );
  }
  return read;
}
