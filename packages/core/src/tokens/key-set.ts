import {
  type CryptoKey,
  createLocalJWKSet,
  errors,
  type JSONWebKeySet,
  type JWTHeaderParameters,
} from "jose";
import { readBounded } from "../fetch/bounded-text.ts";
import { withinTime } from "../fetch/within-time.ts";

/** Where verification keys come from. */
export interface KeySet {
  readonly find: (header: JWTHeaderParameters) => Promise<CryptoKey>;
  /** Changes with the keys: what was verified before is verified again. Undefined while there are none to trust. */
  readonly version: () => number | undefined;
}

/** The keys could not be had; the token may be good. */
export class KeysUnavailable extends Error {
  override readonly name: string = "KeysUnavailable";
}

/** What {@link remoteKeySet} takes. */
export interface RemoteKeySetOptions {
  readonly uri: URL;
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
const maxAnswerBytes = 1 << 20;
const maxKeys = 200;

/**
 * The keys that an issuer publishes (RFC 7517 §5). One question at a time and at most one each cooldown, however many tokens with unknown
 * key ids arrive; keys that could not be renewed serve on, within bounds. The URI comes from the configuration and never from a token.
 */
export function remoteKeySet(options: RemoteKeySetOptions): KeySet {
  const { maxAgeMs, maxStaleMs, cooldownMs } = options;
  let keys: ReturnType<typeof createLocalJWKSet> | undefined;
  let version = 0;
  let fetchedAt = Number.NEGATIVE_INFINITY;
  let askedAt = Number.NEGATIVE_INFINITY;
  let underWay: Promise<void> | undefined;

  const age = (): number => performance.now() - fetchedAt;
  const areUsable = (): boolean => keys !== undefined && age() <= maxStaleMs;
  // Without keys every handshake waits for them: then a failure is not sat out for as long.
  const mayAsk = (): boolean =>
    performance.now() - askedAt >= (areUsable() ? cooldownMs : Math.min(cooldownMs, retryMs));

  /** Single flight. Fails silently: the caller looks at what there is afterwards. */
  function renew(): Promise<void> {
    if (underWay === undefined && mayAsk()) {
      askedAt = performance.now();
      underWay = withinTime(options.timeoutMs, (signal) => readKeySet(options, signal))
        .then((set) => {
          keys = createLocalJWKSet(set);
          fetchedAt = performance.now();
          version++;
        })
        .catch(() => undefined)
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
        if (age() > maxAgeMs) throw new KeysUnavailable();
        return await findIn(keys, header);
      }
    },
  };

  function findIn(set: typeof keys, header: JWTHeaderParameters): Promise<CryptoKey> {
    if (set === undefined || !areUsable()) throw new KeysUnavailable();
    return set(header);
  }
}

async function readKeySet(
  options: RemoteKeySetOptions,
  signal: AbortSignal,
): Promise<JSONWebKeySet> {
  const response = await options.fetch(options.uri, {
    headers: { Accept: "application/jwk-set+json, application/json" },
    redirect: "error",
    signal,
  });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`The key set answered ${response.status}.`);
  }
  const set: unknown = JSON.parse(await readBounded(response, maxAnswerBytes));
  if (!isKeySet(set)) throw new Error("The answer is not a key set.");
  return set;
}

function isKeySet(value: unknown): value is JSONWebKeySet {
  const { keys } = (value ?? {}) as { readonly keys?: unknown };
  return Array.isArray(keys) && keys.length > 0 && keys.length <= maxKeys;
}
