import {
  type CryptoKey,
  createLocalJWKSet,
  errors,
  type JSONWebKeySet,
  type JWTHeaderParameters,
} from "jose";
import { UnusableAnswer } from "../fetch/unusable-answer.ts";
import { withinTime } from "../fetch/within-time.ts";
import type { GetJson } from "./discovery.ts";
import { failureOf, fetchJson } from "./fetch-json.ts";

/** Where verification keys come from. */
export interface KeySet {
  readonly find: (header: JWTHeaderParameters) => Promise<CryptoKey>;
  /** Changes with the keys: what was verified before is verified again. Undefined while there are none to trust. */
  readonly version: () => number | undefined;
}

/** The keys could not be had, and why; the token may be good. */
export class KeysUnavailable extends Error {
  override readonly name: string = "KeysUnavailable";

  constructor(cause: unknown) {
    super(failureOf(cause), { cause });
  }
}

/** What {@link remoteKeySet} takes. */
export interface RemoteKeySetOptions {
  /** Where the keys are published. */
  readonly locate: (get: GetJson) => Promise<URL>;
  readonly fetch: typeof fetch;
  /** Longest wait for one answer. */
  readonly timeoutMs: number;
  /** How old keys may grow before they are asked for again. */
  readonly maxAgeMs: number;
  /** How old they may grow while asking fails. */
  readonly maxStaleMs: number;
  /** Shortest time between two questions, whatever tokens arrive. */
  readonly cooldownMs: number;
}

/** After a failure without usable keys. */
const retryMs = 5_000;
const maxKeys = 200;

/**
 * The keys that an issuer publishes (RFC 7517 §5). One question at a time and at most one each cooldown, however many tokens with unknown
 * key ids arrive; keys that could not be renewed serve on, within bounds. The URI comes from the configuration or the issuer, and never from a
 * token.
 */
export function remoteKeySet(options: RemoteKeySetOptions): KeySet {
  const { maxAgeMs, maxStaleMs, cooldownMs } = options;
  let keys: ReturnType<typeof createLocalJWKSet> | undefined;
  let version = 0;
  let fetchedAt = Number.NEGATIVE_INFINITY;
  let askedAt = Number.NEGATIVE_INFINITY;
  let underWay: Promise<void> | undefined;
  let failure: unknown;

  const age = (): number => performance.now() - fetchedAt;
  const areUsable = (): boolean => keys !== undefined && age() <= maxStaleMs;
  // Without keys every handshake waits for them: then a failure is not sat out for as long.
  const mayAsk = (): boolean =>
    performance.now() - askedAt >= (areUsable() ? cooldownMs : Math.min(cooldownMs, retryMs));

  /** Single flight. Fails silently: the caller looks at what there is afterwards. */
  function renew(): Promise<void> {
    if (underWay === undefined && mayAsk()) {
      askedAt = performance.now();
      underWay = fetchKeySet(options)
        .then((set) => {
          keys = createLocalJWKSet(set);
          fetchedAt = performance.now();
          version++;
          failure = undefined;
        })
        .catch((error: unknown) => {
          failure = error;
        })
        .finally(() => {
          underWay = undefined;
        });
    }
    return underWay ?? Promise.resolve();
  }

  return {
    version: () => (areUsable() ? version : undefined),
    find: async (header) => {
      if (age() > maxAgeMs) await renew();
      try {
        return await findIn(keys, header);
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
        if (underWay !== undefined || mayAsk()) await renew();
        // A key that is not among overdue keys may be a new one, which cannot be had at the moment.
        if (age() > maxAgeMs) throw new KeysUnavailable(failure);
        return await findIn(keys, header);
      }
    },
  };

  function findIn(set: typeof keys, header: JWTHeaderParameters): Promise<CryptoKey> {
    if (set === undefined || !areUsable()) throw new KeysUnavailable(failure);
    return set(header);
  }
}

/** Looked for each time anew, so that keys may move; both questions share the time. */
function fetchKeySet({
  locate,
  fetch: ask,
  timeoutMs,
}: RemoteKeySetOptions): Promise<JSONWebKeySet> {
  return withinTime(timeoutMs, async (signal) => {
    const get: GetJson = (uri, { accept, ...expected }) =>
      fetchJson(uri, { fetch: ask, signal, headers: { Accept: accept }, ...expected });
    const uri = await locate(get);
    const set = await get(uri, { accept: "application/jwk-set+json, application/json" });
    if (!isKeySet(set)) throw new UnusableAnswer("The answer is no key set.");
    return set;
  });
}

function isKeySet(value: unknown): value is JSONWebKeySet {
  const { keys } = (value ?? {}) as { readonly keys?: unknown };
  return Array.isArray(keys) && keys.length > 0 && keys.length <= maxKeys;
}
