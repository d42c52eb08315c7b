import {
  allow,
  type Check,
  ConfigError,
  type Handshake,
  type RateLimitKey,
  type Refusal,
  refuse,
} from "@firmshake/core";
import {
  addressKey,
  addTerm,
  aFunction,
  aPositiveInteger,
  aWholeNumber,
  defineCheck,
  identityKey,
  oneOf,
  ranks,
  readOptions,
  termsOf,
  unknownAddress,
} from "@firmshake/core/gate";
import { closingBy } from "./close-reason.ts";
import type { GuardedSocket } from "./guarded-socket.ts";
import type { Place } from "./place.ts";

/** What {@link maxConnections} takes: one limit at least. */
export interface MaxConnectionsOptions {
  /** How many connections may be open in all that have passed this check. */
  readonly total?: number;
  /** How many of one address (IPv6: of one prefix). */
  readonly perAddress?: number;
  /** How many of one identity: issuer and subject. */
  readonly perIdentity?: number;
  /** How many with one `key`. */
  readonly perKey?: number;
  /** What else they are counted by, such as a tenant: a text of 256 characters at most. Undefined refuses. */
  readonly key?: RateLimitKey;
  /** How many leading bits of an IPv6 address make one client. Default 56. */
  readonly ipv6PrefixBits?: number;
  /**
   * Where there is no place left, `reject-new` (the default) refuses the handshake. `evict-oldest` closes the one that has been open
   * longest, once the new one is accepted.
   */
  readonly policy?: "reject-new" | "evict-oldest";
}

/**
 * Limits how many connections may be open at a time, in this process. A place is taken when the handshake is decided, so that no burst gets
 * past it, and given back when the socket is gone, or as soon as the handshake comes to nothing.
 *
 * - Refused by 429 `connections_exceeded`; where it is the total, by 503 `overloaded`.
 * - The requests of a polling session have no socket of their own: each takes its place as long as it is answered.
 *
 * @throws {@link ConfigError} for options that are not as described.
 *
 * @example
 * ```ts
 * import { guard, jwt, maxConnections, origin } from "@firmshake/node";
 *
 * const chat = guard(
 *   origin(["https://app.example.com"]),
 *   maxConnections({ total: 20_000, perAddress: 50 }),
 *   jwt({ issuer: "https://id.example.com", audience: "chat", keys: new Uint8Array(32) }),
 *   maxConnections({ perIdentity: 5, policy: "evict-oldest" }),
 * );
 * ```
 */
export function maxConnections(options: MaxConnectionsOptions): Check {
  const read = readMaxConnectionsOptions(options);
  const { total, perAddress, perIdentity, perKey, key, ipv6PrefixBits = 56 } = read;
  const evicts = read.policy === "evict-oldest";
  const pools: readonly Pool[] = [
    ...poolOf(total, () => "", "total", evicts),
    ...poolOf(perAddress, addressKey(ipv6PrefixBits), "address", evicts),
    ...poolOf(perIdentity, identityKey, "identity", evicts),
    ...poolOf(perKey, key ?? (() => undefined), "key", evicts),
  ];
  return defineCheck(
    {
      name: "maxConnections",
      summary: summaryOf(read),
      ...(key === undefined
        ? { rank: perIdentity === undefined ? ranks.rate : ranks.identity }
        : {}),
      needsIdentity: perIdentity !== undefined,
    },
    (handshake) => {
      // Several guards on the way may share the check.
      if (termsOf<Place>(handshake, "place").some(({ owner }) => owner === pools)) return allow;
      const wanted: { readonly pool: Pool; readonly key: string }[] = [];
      for (const pool of pools) {
        const counted = pool.keyOf(handshake);
        if (counted === undefined) return pool.name === "address" ? unknownAddress : uncountable;
        if (typeof counted !== "string" || counted.length > maxKeyLength) return uncountable;
        if (!pool.hasRoomFor(counted)) return pool.name === "total" ? full : exceeded;
        wanted.push({ pool, key: counted });
      }
      addTerm(handshake, takePlace(pools, wanted));
      return allow;
    },
  );
}

/** What is longer would be memory that the client chooses. */
const maxKeyLength = 256;

const retrySoon = { headers: [["Retry-After", "5"]] } as const;
const exceeded = refuse("connections_exceeded", undefined, retrySoon);
const full = refuse("overloaded", undefined, {
  ...retrySoon,
  reason: "as many connections are open as maxConnections allows in all",
});
const uncountable: Refusal = refuse("rate_key_invalid");
const evicted = closingBy("evicted");

/** The connections of each key, in the order in which they were accepted. */
class Pool {
  readonly name: "total" | "address" | "identity" | "key";
  readonly keyOf: (handshake: Handshake) => string | undefined;
  readonly #limit: number;
  readonly #evicts: boolean;
  readonly #counts = new Map<string, number>();
  readonly #accepted = new Map<string, Set<GuardedSocket>>();

  constructor(name: Pool["name"], keyOf: Pool["keyOf"], limit: number, evicts: boolean) {
    this.name = name;
    this.keyOf = keyOf;
    this.#limit = limit;
    this.#evicts = evicts;
  }

  /** Who will make room for himself is let in: of handshakes that wait there are not many. */
  hasRoomFor(key: string): boolean {
    return this.#evicts || (this.#counts.get(key) ?? 0) < this.#limit;
  }

  enter(key: string): void {
    if (!this.#evicts) this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }

  admit(key: string, guarded: GuardedSocket): void {
    if (!this.#evicts || guarded.socket === undefined) return;
    const accepted = this.#accepted.get(key) ?? new Set();
    this.#accepted.set(key, accepted.add(guarded));
    for (const oldest of accepted) {
      if (accepted.size <= this.#limit) return;
      // Its socket takes a while to go, and others come meanwhile.
      accepted.delete(oldest);
      oldest.registry.close(oldest, evicted);
    }
  }

  leave(key: string, guarded: GuardedSocket | undefined): void {
    if (!this.#evicts) {
      const left = (this.#counts.get(key) ?? 1) - 1;
      if (left === 0) this.#counts.delete(key);
      else this.#counts.set(key, left);
      return;
    }
    const accepted = this.#accepted.get(key);
    if (guarded === undefined || accepted === undefined) return;
    accepted.delete(guarded);
    if (accepted.size === 0) this.#accepted.delete(key);
  }
}

function takePlace(
  owner: object,
  wanted: readonly { readonly pool: Pool; readonly key: string }[],
): Place {
  let holder: GuardedSocket | undefined;
  let isReleased = false;
  for (const { pool, key } of wanted) pool.enter(key);
  return {
    kind: "place",
    owner,
    admit: (guarded) => {
      if (holder !== undefined || isReleased) return;
      holder = guarded;
      for (const { pool, key } of wanted) pool.admit(key, guarded);
    },
    release: () => {
      if (isReleased) return;
      isReleased = true;
      for (const { pool, key } of wanted) pool.leave(key, holder);
    },
  };
}

const poolOf = (
  limit: number | undefined,
  keyOf: Pool["keyOf"],
  name: Pool["name"],
  evicts: boolean,
): readonly Pool[] => (limit === undefined ? [] : [new Pool(name, keyOf, limit, evicts)]);

function summaryOf({
  total,
  perAddress,
  perIdentity,
  perKey,
  policy = "reject-new",
}: MaxConnectionsOptions): string {
  const limits = [
    total === undefined ? [] : `${total} in all`,
    perAddress === undefined ? [] : `${perAddress} per address`,
    perIdentity === undefined ? [] : `${perIdentity} per identity`,
    perKey === undefined ? [] : `${perKey} per key`,
  ];
  return `${limits.flat().join(", ")}; ${policy}`;
}

function readMaxConnectionsOptions(options: MaxConnectionsOptions): MaxConnectionsOptions {
  const read = readOptions<MaxConnectionsOptions>("maxConnections", options, {
    total: aPositiveInteger,
    perAddress: aPositiveInteger,
    perIdentity: aPositiveInteger,
    perKey: aPositiveInteger,
    key: aFunction,
    ipv6PrefixBits: aWholeNumber(32, 128),
    policy: oneOf("reject-new", "evict-oldest"),
  });
  const { total, perAddress, perIdentity, perKey, key, ipv6PrefixBits } = read;
  if ([total, perAddress, perIdentity, perKey].every((limit) => limit === undefined)) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTION_MISSING",
      `maxConnections: give a limit: "total", "perAddress", "perIdentity", or "perKey" with "key".`,
    );
  }
  if ((key === undefined) !== (perKey === undefined)) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTIONS_CONTRADICT",
      `maxConnections: "perKey" and "key" go together.`,
    );
  }
  if (ipv6PrefixBits !== undefined && perAddress === undefined) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTIONS_CONTRADICT",
      `maxConnections: "ipv6PrefixBits" goes with "perAddress" alone.`,
    );
  }
  return read;
}
