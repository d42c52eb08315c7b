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
import {
  allow,
  type Decision,
  type HeaderLine,
  type MaybePromise,
  type NoFacts,
  type Refusal,
  refuse,
} from "../decision/decision.ts";
import { type Check, defineCheck, isPromiseLike, ranks } from "../guard/check.ts";
import { forwardedOf, type Handshake } from "../handshake/handshake.ts";
import { accountKey, issuerOf } from "../handshake/identity.ts";
import { isHttpToken } from "../parse/http-token.ts";
import { clientKey } from "../parse/ip-address.ts";
import { memoryRateLimitStore } from "../stores/memory-rate-limit-store.ts";
import type { RateLimitResult, RateLimitRule, RateLimitStore } from "../stores/rate-limit-store.ts";

/** What {@link rateLimit} takes. */
export interface RateLimitOptions {
  /** How many handshakes a key may make at once, and in each window after that. */
  readonly limit: number;
  readonly windowMs: number;
  /**
   * How many further requests of polling sessions (those with a `sid`) a key may send at once, and in each window after that. They are no
   * handshakes and are counted apart, in this process's memory, where their session is. Default 100 times `limit`.
   */
  readonly pollLimit?: number;
  /**
   * By what handshakes are counted. `address` (the default) groups IPv6 clients by prefix; `identity` takes issuer and subject, and must
   * follow a check that finds them; a function returns a text of its own, of 256 characters at most.
   */
  readonly key?: "address" | "identity" | RateLimitKey;
  /** Where they are counted. Default: this process's memory, for this check alone. */
  readonly store?: RateLimitStore;
  /** How many leading bits of an IPv6 address make one client: an access line usually has 56 to 64. Default 56. */
  readonly ipv6PrefixBits?: number;
  /** What the limit is called in the `RateLimit` fields and in the keys of the store. Default `handshakes`. */
  readonly name?: string;
}

/** Names what a handshake counts towards; undefined refuses it. */
export type RateLimitKey = (handshake: Handshake) => string | undefined;

/** What is longer would be memory that the client chooses. */
export const maxKeyLength = 256;

/**
 * Limits how often clients may shake hands, by the generic cell rate algorithm: bursts up to the limit, then evenly spread. Refusals
 * carry `Retry-After` (RFC 9110 §10.2.3) and the fields of draft-ietf-httpapi-ratelimit-headers-10.
 *
 * A polling session is one handshake, and its move to a WebSocket another.
 *
 * @throws {@link ConfigError} for options that are not as described.
 *
 * @example
 * ```ts
 * import { guard, rateLimit } from "@firmshake/core";
 *
 * const chat = guard(rateLimit({ limit: 30, windowMs: 60_000 }));
 * ```
 */
export function rateLimit(options: RateLimitOptions): Check {
  const read = readRateLimitOptions(options);
  const { limit, windowMs, key = "address", ipv6PrefixBits = 56, name = "handshakes" } = read;
  const { store = memoryRateLimitStore(), pollLimit = limit * pollsPerHandshake } = read;
  refuseSharedStore("rateLimit", store, name);
  const keyOf =
    typeof key === "function" ? key : key === "identity" ? identityKey : addressKey(ipv6PrefixBits);
  const handshakes = counterOf(store, name, { limit, windowMs });
  // In a name of its own: it may be shown beside the other.
  const polls = counterOf(memoryRateLimitStore(), `${name}-polls`, { limit: pollLimit, windowMs });
  const by = typeof key === "function" ? "function" : key;
  return defineCheck(
    {
      name: "rateLimit",
      summary: `${limit} in ${windowMs / 1000} s by ${by}, ${store.summary ?? "in a store"}`,
      ...(key === "address"
        ? { rank: ranks.rate }
        : key === "identity"
          ? { rank: ranks.identity }
          : {}),
      needsIdentity: key === "identity",
    },
    (handshake) => {
      const counted = keyOf(handshake);
      if (counted === undefined) return key === "address" ? unknownAddress : invalidKey;
      if (typeof counted !== "string" || counted.length > maxKeyLength) return invalidKey;
      return handshake.isContinued ? polls(counted) : handshakes(counted);
    },
  );
}

/** A chat by polling alone is some requests a second, and one handshake. */
const pollsPerHandshake = 100;

function counterOf(
  store: RateLimitStore,
  name: string,
  given: RateLimitRule,
): (counted: string) => MaybePromise<Decision<NoFacts>> {
  const rule: RateLimitRule = Object.freeze(given);
  const conclude = conclusions(rule, name);
  return (counted) => {
    let result: ReturnType<RateLimitStore["take"]>;
    try {
      result = store.take(`${name}:${counted}`, rule);
    } catch (error) {
      return storeFailed(error);
    }
    return isPromiseLike(result) ? result.then(conclude, storeFailed) : conclude(result);
  };
}

export const unknownAddress: Refusal = refuse("address_unknown");
export const invalidKey: Refusal = refuse("rate_key_invalid");
export const storeFailed = (cause: unknown): Refusal =>
  refuse("store_failed", undefined, { cause, headers: [["Retry-After", "5"]] });

/** A mapped address was read as IPv4 before, so that its clients do not share one key (CVE-2026-30827). */
export function addressKey(ipv6PrefixBits: number): RateLimitKey {
  return (handshake) => {
    const client = forwardedOf(handshake).address;
    return client && clientKey(client, ipv6PrefixBits);
  };
}

export const identityKey = ({ identity }: Handshake): string | undefined =>
  identity && accountKey(identity.subject, issuerOf(identity));

export function conclusions(
  { limit, windowMs }: RateLimitRule,
  name: string,
): (result: RateLimitResult) => Decision<NoFacts> {
  const policy: HeaderLine = [
    "RateLimit-Policy",
    `"${name}";q=${limit};w=${Math.ceil(windowMs / 1000)}`,
  ];
  return ({ isAllowed, remaining, retryAfterMs, resetAfterMs }) => {
    if (isAllowed === true) return allow;
    const retryAfter = Math.max(1, Math.ceil(retryAfterMs / 1000));
    const reset = Math.max(retryAfter, Math.ceil(resetAfterMs / 1000));
    return refuse("rate_limited", undefined, {
      headers: [
        ["Retry-After", String(retryAfter)],
        policy,
        ["RateLimit", `"${name}";r=${remaining};t=${reset}`],
      ],
    });
  };
}

function readRateLimitOptions(options: RateLimitOptions): RateLimitOptions {
  const read = readOptions<RateLimitOptions>(
    "rateLimit",
    options,
    {
      limit: aPositiveInteger,
      windowMs: aPositiveNumber,
      pollLimit: aPositiveInteger,
      key: either(oneOf("address", "identity"), aFunction),
      store: { expected: "a store with a take() function", accepts: isStore },
      ipv6PrefixBits: aWholeNumber(32, 128),
      name: aText,
    },
    ["limit", "windowMs"],
  );
  if (read.name !== undefined && !isHttpToken(read.name)) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTION_INVALID",
      `rateLimit: "name" must be one token, such as "chat".`,
    );
  }
  if (read.ipv6PrefixBits !== undefined && read.key !== undefined && read.key !== "address") {
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTIONS_CONTRADICT",
      `rateLimit: "ipv6PrefixBits" goes with key: "address" alone.`,
    );
  }
  return read;
}

const namesOfStores = new WeakMap<RateLimitStore, Set<string>>();

/** Two limits of one name in one store would count each handshake twice, under the same keys. */
export function refuseSharedStore(owner: string, store: RateLimitStore, name: string): void {
  const names = namesOfStores.get(store) ?? new Set();
  if (names.has(name)) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_STORE_SHARED",
      `${owner}: another limit named "${name}" counts in the same store. Give each its own "name", or use one ${owner}(...) in both guards where they are to share.`,
    );
  }
  namesOfStores.set(store, names.add(name));
}

const isStore = (value: unknown): boolean =>
  typeof (value as Partial<RateLimitStore> | null)?.take === "function";
