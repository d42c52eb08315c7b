import { type CryptoKey, createLocalJWKSet, errors, type JSONWebKeySet, type JWTHeaderParameters } from "jose";

/** Where verification keys come from. */
export interface KeySet {
  readonly find: (header: JWTHeaderParameters) => Promise<CryptoKey>;
  /** Grows whenever the keys may have changed: what was verified before is verified again. */
  readonly version: () => number;
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
  const mayAsk = (): boolean => performance.now() - askedAt >= cooldownMs;

  /** Single flight. Fails silently: the caller looks at what there is afterwards. */
  function renew(): Promise<void> {
    if (underWay === undefined && mayAsk()) {
      askedAt = performance.now();
      underWay = fetchKeySet(options)
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
    version: () => (age() > maxStaleMs ? ++version : version),
    find: async (header) => {
      if (age() > maxAgeMs) await renew();
      if (keys === undefined || age() > maxStaleMs) throw new KeysUnavailable();
      try {
        return await keys(header);
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey) || (underWay === undefined && !mayAsk())) {
          throw error;
        }
        await renew();
        return await keys(header);
      }
    },
  };
}

async function fetchKeySet(options: RemoteKeySetOptions): Promise<JSONWebKeySet> {
  const response = await options.fetch(options.uri, {
    headers: { Accept: "application/jwk-set+json, application/json" },
    redirect: "error",
    signal: AbortSignal.timeout(options.timeoutMs),
  });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`The key set answered ${response.status}.`);
  }
  const set: unknown = JSON.parse(await readBounded(response));
  if (!isKeySet(set)) throw new Error("The answer is not a key set.");
  return set;
}

async function readBounded(response: Response): Promise<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let text = "";
  let bytes = 0;
  const reader = response.body?.getReader();
  while (reader !== undefined) {
    const { done, value } = await reader.read();
    if (done) break;
    bytes += value.byteLength;
    if (bytes > maxAnswerBytes) {
      await reader.cancel();
      throw new Error("The key set is too large.");
    }
    text += decoder.decode(value, { stream: true });
  }
  return text + decoder.decode();
}

function isKeySet(value: unknown): value is JSONWebKeySet {
  const { keys } = (value ?? {}) as { readonly keys?: unknown };
  return Array.isArray(keys) && keys.length > 0 && keys.length <= maxKeys;
}
