import { ConfigError } from "../config/config-error.ts";
import { aFunction, aList, readOptions } from "../config/options.ts";
import { allowWith, type Decision, type MaybePromise, refuse } from "../decision/decision.ts";
import { type Check, defineCheck, ranks } from "../guard/check.ts";
import type { Handshake } from "../handshake/handshake.ts";
import type { Identity } from "../handshake/identity.ts";
import { digestOfApiKey } from "../keys/api-key-hash.ts";
import {
  type ApiKeyRecord,
  type ListedApiKey,
  noRecord,
  type ReadApiKeyRecord,
  readApiKeyRecord,
} from "../keys/api-key-record.ts";
import { idOfApiKey, isApiKeyId } from "../keys/api-key-text.ts";
import { areEqualBytes } from "../parse/equal-bytes.ts";
import { bearerToken } from "../tokens/bearer-token.ts";
import { extractToken, invalidToken } from "../tokens/extract-token.ts";
import { headerToken } from "../tokens/header-token.ts";
import { subprotocolToken } from "../tokens/subprotocol-token.ts";
import { aTokenSourceList, type TokenSource } from "../tokens/token-source.ts";

/** What {@link apiKey} takes; `keys` or `find`. */
export interface ApiKeyOptions {
  /** The keys themselves, as hashes. Several of one id are all valid. */
  readonly keys?: readonly ListedApiKey[];
  /** Looks the records of an id up; nothing where there is none. Pass `handshake.signal` on. */
  readonly find?: ApiKeyFinder;
  /** Where to look for the key. Default: `Authorization: Bearer`, then `X-API-Key`, then the subprotocols in the form `bearer`. */
  readonly from?: readonly TokenSource[];
}

/** Looks the records of a public id up. Any client can ask for any id: rate limits stand in front. */
export type ApiKeyFinder = (
  id: string,
  handshake: Handshake,
) => MaybePromise<ApiKeyRecord | readonly ApiKeyRecord[] | undefined | null>;

/** What {@link apiKey} adds. */
export interface ApiKeyFacts {
  /** Of the scheme `apiKey`. */
  readonly identity: Identity;
  /** The public id of the key. */
  readonly apiKeyId: string;
}

/**
 * Authenticates by an API key, `prefix_id_secret`, as {@link createApiKey} makes them. Only hashes are kept; they are compared in constant
 * time, and an unknown id costs what a wrong secret costs.
 *
 * One answer (401 `token_invalid`) covers what is no key, unknown, wrong and expired alike. Where `find` fails, the handshake is refused
 * with 503 `keys_unavailable`.
 *
 * @throws {@link ConfigError} where neither or both of `keys` and `find` are given, or a key is not as described.
 *
 * @example
 * ```ts
 * import { apiKey, createApiKey, guard, insecureAnyOrigin } from "@firmshake/core";
 *
 * const { key, id, hash } = await createApiKey({ prefix: "acme" });
 *
 * const feed = guard(insecureAnyOrigin(), apiKey({ keys: [{ id, hash, subject: "billing" }] }));
 * ```
 */
export function apiKey(options: ApiKeyOptions): Check<ApiKeyFacts> {
  const {
    keys,
    find,
    from = [bearerToken(), headerToken("X-API-Key"), subprotocolToken("bearer")],
  } = readOptions<ApiKeyOptions>("apiKey", options, {
    keys: aList,
    find: aFunction,
    from: aTokenSourceList,
  });
  const recordsOf = readFinder(keys, find);
  return defineCheck<ApiKeyFacts>(
    {
      name: "apiKey",
      summary: `${keys === undefined ? "looked up" : `${keys.length} given`}; from ${from.map(({ name }) => name).join(", ")}`,
      rank: ranks.token,
      credential: from.some((source) => source.isAmbient) ? "ambient" : "explicit",
      givesIdentity: true,
      withhold: (handshake) => void extractToken(handshake, from, maxTokenBytes),
    },
    (handshake) => {
      const key = extractToken(handshake, from, maxTokenBytes);
      if (typeof key !== "string") return key;
      const id = idOfApiKey(key);
      return id === undefined ? noKey : decideOn(key, id, recordsOf, handshake);
    },
  );
}

/** As long as the tokens of other checks may be, so that what is no key is refused alike. */
const maxTokenBytes = 8_192;

const noKey = invalidToken("not an API key");
const unknownId = invalidToken("no key of this id");
const wrongSecret = invalidToken("another secret");
const expired = invalidToken("expired");
const brokenRecord = refuse("check_failed", undefined, {
  reason: "apiKey: find answered with what is no record",
});

type RecordsOf = (id: string, handshake: Handshake) => MaybePromise<unknown>;

async function decideOn(
  key: string,
  id: string,
  recordsOf: RecordsOf,
  handshake: Handshake,
): Promise<Decision<ApiKeyFacts>> {
  const digest = await digestOfApiKey(key);
  let found: unknown;
  try {
    found = await recordsOf(id, handshake);
  } catch (cause) {
    return refuse("keys_unavailable", undefined, { headers: [["Retry-After", "5"]], cause });
  }
  const given = Array.isArray(found) ? found : found === undefined || found === null ? [] : [found];
  const records = given.map(readApiKeyRecord);
  if (!records.every((record) => record !== undefined)) return brokenRecord;
  const isUnknown = records.length === 0;
  const matches = matchesIn(isUnknown ? [noRecord] : records, digest);
  if (isUnknown) return unknownId;
  if (matches.length === 0) return wrongSecret;
  const valid = matches.find(({ expiresAt = Number.POSITIVE_INFINITY }) => expiresAt > Date.now());
  return valid === undefined ? expired : allowWith({ identity: identityOf(valid), apiKeyId: id });
}

/** Looks at every record, whichever fits. */
const matchesIn = (
  records: readonly ReadApiKeyRecord[],
  digest: Uint8Array,
): readonly ApiKeyRecord[] =>
  records.filter((one) => areEqualBytes(one.digest, digest)).map(({ record }) => record);

const identityOf = ({ subject, claims = {}, expiresAt }: ApiKeyRecord): Identity =>
  Object.freeze({ subject, scheme: "apiKey", claims: Object.freeze({ ...claims }), expiresAt });

function readFinder(
  keys: readonly ListedApiKey[] | undefined,
  find: ApiKeyFinder | undefined,
): RecordsOf {
  if (keys !== undefined && find === undefined) return finderIn(keys);
  if (keys === undefined && find !== undefined) return find;
  throw new ConfigError(
    keys === undefined ? "ERR_FIRMSHAKE_OPTION_MISSING" : "ERR_FIRMSHAKE_OPTIONS_CONTRADICT",
    `apiKey: give either "keys" or "find".`,
  );
}

function finderIn(keys: readonly ListedApiKey[]): RecordsOf {
  const byId = new Map<string, ApiKeyRecord[]>();
  for (const [index, key] of keys.entries()) {
    const { id } = Object(key) as Partial<ListedApiKey>;
    if (typeof id !== "string" || !isApiKeyId(id) || readApiKeyRecord(key) === undefined) {
      throw new ConfigError(
        "ERR_FIRMSHAKE_OPTION_INVALID",
        `apiKey: "keys[${index}]" must have the "id" and "hash" that createApiKey made, a "subject", and perhaps "claims" and "expiresAt".`,
      );
    }
    byId.set(id, [...(byId.get(id) ?? []), { ...key }]);
  }
  return (id) => byId.get(id);
}
