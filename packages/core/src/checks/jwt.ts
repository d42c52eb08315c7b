import { type JWTPayload, type JWTVerifyResult, jwtVerify } from "jose";
import { ConfigError } from "../config/config-error.ts";
import {
  aBoolean,
  aCount,
  aFunction,
  anObject,
  anything,
  aPositiveInteger,
  aPositiveNumber,
  aText,
  aTextList,
  aTimeoutMs,
  either,
  readOptions,
} from "../config/options.ts";
import { type Allow, allowWith, type Refusal, refuse } from "../decision/decision.ts";
import { type Check, defineCheck, ranks } from "../guard/check.ts";
import type { Handshake } from "../handshake/handshake.ts";
import type { Identity } from "../handshake/identity.ts";
import { isCompactJws } from "../parse/base64url.ts";
import { bearerToken } from "../tokens/bearer-token.ts";
import { extractToken, invalidToken } from "../tokens/extract-token.ts";
import { type KeySet, KeysUnavailable, remoteKeySet } from "../tokens/key-set.ts";
import { subprotocolToken } from "../tokens/subprotocol-token.ts";
import type { TokenSource } from "../tokens/token-source.ts";
import {
  localKeySet,
  readAlgorithms,
  refuseNoKeys,
  type VerificationKeys,
} from "../tokens/verification-keys.ts";
import { type VerifiedTokenCache, verifiedTokenCache } from "../tokens/verified-token-cache.ts";

/** What {@link jwt} takes. `issuer`, `audience` and either `keys` or `jwksUri` are required. */
export interface JwtOptions {
  /** The one issuer whose tokens count, compared letter by letter with `iss`. Its keys vouch for no other (RFC 8725 §3.8). */
  readonly issuer: string;
  /** This service's own name; `aud` must hold it, or one of these (RFC 8725 §3.9). */
  readonly audience: string | readonly string[];
  /** The keys themselves. */
  readonly keys?: VerificationKeys;
  /** Where the issuer publishes its keys (RFC 7517 §5): `https:`, or `http:` on loopback. */
  readonly jwksUri?: string | URL;
  /** Signature algorithms. Default: those that the keys name, `HS256` for a secret, all asymmetric ones with `jwksUri`. */
  readonly algorithms?: readonly string[];
  /** The `typ` header that is asked for, such as `at+jwt` (RFC 9068). Default: absent, `JWT` or `at+jwt` (RFC 8725 §3.11). */
  readonly typ?: string;
  /** Where to look for the token. Default: `Authorization: Bearer`, then the subprotocols. */
  readonly from?: readonly TokenSource[];
  /** The claim that names the subject. Default `sub`. */
  readonly subjectClaim?: string;
  /** How far the issuer's clock may differ, in seconds. Default 0. */
  readonly clockToleranceSeconds?: number;
  /** How long a token may still have to live, in seconds. Default: no limit. */
  readonly maxLifetimeSeconds?: number;
  /** Longer tokens are refused before they are parsed. Default 8,192 bytes. */
  readonly maxTokenBytes?: number;
  /** Remembers verified tokens, in memory. Default: none is. */
  readonly cache?: JwtCacheOptions;
  /** How the published keys are asked for. */
  readonly jwks?: JwksOptions;
  /** Accepts tokens that never end. Default false. */
  readonly insecureAllowMissingExpiry?: boolean;
}

/** How verified tokens are remembered. */
export interface JwtCacheOptions {
  /** The least recently used beyond that many are forgotten. */
  readonly maxTokens: number;
  /** Also forgotten after that many milliseconds, and always with the token's expiry. Default 60,000. */
  readonly maxAgeMs?: number;
}

/** How the published keys are asked for. */
export interface JwksOptions {
  /** Longest wait for one answer, in milliseconds; less than the time for a decision, so that old keys can still serve. Default 3,000. */
  readonly timeoutMs?: number;
  /** How old keys may grow before they are asked for again, in milliseconds. Default 600,000. */
  readonly maxAgeMs?: number;
  /** How old they may grow while asking fails, in milliseconds. Default 3,600,000. */
  readonly maxStaleMs?: number;
  /** Shortest time between two questions, in milliseconds, however many unknown key ids arrive. Default 30,000. */
  readonly cooldownMs?: number;
  /** Another `fetch`, for proxies and private certificate authorities. */
  readonly fetch?: typeof fetch;
}

/**
 * Authenticates by a signed JSON Web Token, by the rules of RFC 8725: one issuer, an audience, an expiry, algorithms that fit the keys,
 * one canonical spelling. Keys that a token names or carries (`jwk`, `jku`, `x5u`) are never used.
 *
 * Adds the fact `identity`. One answer (401 `invalid_token`, RFC 6750 §3.1) covers forged, expired and unknown alike.
 *
 * @throws {@link ConfigError} where the options leave out or contradict what RFC 8725 asks.
 *
 * @example
 * ```ts
 * import { guard, jwt } from "@firmshake/core";
 *
 * const chat = guard(
 *   jwt({
 *     issuer: "https://id.example.com",
 *     audience: "https://chat.example.com",
 *     jwksUri: "https://id.example.com/.well-known/jwks.json",
 *   }),
 * );
 * ```
 */
export function jwt(options: JwtOptions): Check<{ readonly identity: Identity }> {
  const read = readJwtOptions(options);
  const { from = [bearerToken(), subprotocolToken()], maxTokenBytes = 8_192, cache: cached } = read;
  const keySet = read.keys === undefined ? publishedKeys(read) : localKeySet(read.keys);
  const algorithms = readAlgorithms(read.algorithms, read.keys);
  const verify = verifier(read, algorithms, keySet);
  const cache = cached && verifiedTokenCache(cached.maxTokens, cached.maxAgeMs ?? 60_000);

  return defineCheck(
    {
      name: "jwt",
      summary: summaryOf(read, algorithms, from),
      rank: ranks.token,
      credential: from.some((source) => source.isAmbient) ? "ambient" : "explicit",
      givesIdentity: true,
      withhold: (handshake) => void extractToken(handshake, from, maxTokenBytes),
      weaknesses: read.insecureAllowMissingExpiry
        ? ["insecureAllowMissingExpiry: tokens that never end are accepted"]
        : [],
    },
    (handshake: Handshake) => {
      const token = extractToken(handshake, from, maxTokenBytes);
      if (typeof token !== "string") return token;
      const known = cache?.find(token, keySet.version());
      if (known !== undefined) return allowWith({ identity: known });
      if (!isCompactJws(token)) return notCompact;
      return decideOn(token, verify, keySet, cache);
    },
  );
}

const notCompact = invalidToken("not a compact JWS in canonical base64url");
const keysUnavailable = refuse("keys_unavailable", undefined, { headers: [["Retry-After", "5"]] });

async function decideOn(
  token: string,
  verify: (token: string) => Promise<Identity | Refusal>,
  keySet: KeySet,
  cache: VerifiedTokenCache | undefined,
): Promise<Allow<{ readonly identity: Identity }> | Refusal> {
  // Taken before: keys that change meanwhile did not verify this token.
  const version = keySet.version();
  const outcome = await verify(token);
  if ("ok" in outcome) return outcome;
  cache?.remember(token, outcome, version);
  return allowWith({ identity: outcome });
}

function verifier(
  options: JwtOptions,
  algorithms: readonly string[],
  keySet: KeySet,
): (token: string) => Promise<Identity | Refusal> {
  const {
    issuer,
    audience,
    typ,
    subjectClaim = "sub",
    insecureAllowMissingExpiry = false,
  } = options;
  const verifyOptions = {
    issuer,
    audience: typeof audience === "string" ? audience : [...audience],
    algorithms: [...algorithms],
    clockTolerance: options.clockToleranceSeconds ?? 0,
    requiredClaims: insecureAllowMissingExpiry ? [] : ["exp"],
    ...(typ === undefined ? {} : { typ }),
  };
  return async (token) => {
    let result: JWTVerifyResult<JWTPayload>;
    try {
      result = await jwtVerify(token, keySet.find, verifyOptions);
    } catch (error) {
      return error instanceof KeysUnavailable
        ? keysUnavailable
        : invalidToken(reasonOf(error), error);
    }
    const { payload, protectedHeader } = result;
    if (typ === undefined && !isUsualType(protectedHeader.typ)) return invalidToken("typ");
    // JSON has numbers, such as 1e999, that are read as infinite: an end that never comes.
    if (payload.exp === Number.POSITIVE_INFINITY) return invalidToken("exp");
    if (outlives(payload, options.maxLifetimeSeconds)) return invalidToken("maxLifetimeSeconds");
    const subject = Object.hasOwn(payload, subjectClaim) ? payload[subjectClaim] : undefined;
    return typeof subject === "string" && subject !== ""
      ? identityOf(subject, payload)
      : invalidToken(`no ${subjectClaim}`);
  };
}

function identityOf(subject: string, payload: JWTPayload): Identity {
  const expiresAt = payload.exp === undefined ? undefined : payload.exp * 1000;
  return Object.freeze({ subject, scheme: "bearer", claims: deepFrozen(payload), expiresAt });
}

/** Identities are remembered and shared: whoever could change a claim would change it for every connection of the token. */
function deepFrozen<Value extends object>(value: Value): Value {
  for (const inner of Object.values(value)) {
    if (typeof inner === "object" && inner !== null) deepFrozen(inner);
  }
  return Object.freeze(value);
}

/** Other types are made for other readers: DPoP proofs, logout tokens, security events (RFC 8725 §2.8). */
function isUsualType(typ: unknown): boolean {
  if (typ === undefined) return true;
  const name = typeof typ === "string" ? typ.toLowerCase().replace(/^application\//, "") : "";
  return name === "jwt" || name === "at+jwt";
}

function outlives({ exp }: JWTPayload, maxLifetimeSeconds: number | undefined): boolean {
  if (maxLifetimeSeconds === undefined) return false;
  return exp === undefined || exp - Date.now() / 1000 > maxLifetimeSeconds;
}

/** jose's codes hold nothing of the token. */
function reasonOf(error: unknown): string {
  const { code, claim } = Object(error) as { readonly code?: unknown; readonly claim?: unknown };
  const detail = typeof claim === "string" && claim !== "unspecified" ? ` ${claim}` : "";
  return typeof code === "string" ? `${code}${detail}` : "not verified";
}

function publishedKeys({ jwksUri, jwks = {} }: JwtOptions): KeySet {
  const {
    timeoutMs = 3_000,
    maxAgeMs = 600_000,
    maxStaleMs = 3_600_000,
    cooldownMs = 30_000,
  } = jwks;
  return remoteKeySet({
    uri: readUri(jwksUri),
    fetch: jwks.fetch ?? ((...request) => fetch(...request)),
    timeoutMs,
    maxAgeMs,
    maxStaleMs: Math.max(maxStaleMs, maxAgeMs),
    cooldownMs,
  });
}

function readUri(given: string | URL | undefined): URL {
  const uri = given !== undefined && URL.canParse(given) ? new URL(given) : undefined;
  const isLoopback =
    uri !== undefined && ["localhost", "127.0.0.1", "[::1]"].includes(uri.hostname);
  if (uri?.protocol === "https:" || (uri?.protocol === "http:" && isLoopback)) return uri;
  throw new ConfigError(
    "ERR_FIRMSHAKE_JWKS_URI_INSECURE",
    `jwt: "jwksUri" must be an https: URL (http: only on loopback), or whoever is on the way chooses the keys.`,
  );
}

function readJwtOptions(options: JwtOptions): JwtOptions {
  const read = readOptions<JwtOptions>(
    "jwt",
    options,
    {
      issuer: aText,
      audience: either(aText, aTextList),
      keys: anything,
      jwksUri: either(aText, anObject),
      algorithms: aTextList,
      typ: aText,
      from: { expected: "a non-empty list of token sources", accepts: isSourceList },
      subjectClaim: aText,
      clockToleranceSeconds: aCount,
      maxLifetimeSeconds: aPositiveNumber,
      maxTokenBytes: aPositiveInteger,
      cache: anObject,
      jwks: anObject,
      insecureAllowMissingExpiry: aBoolean,
    },
    ["issuer", "audience"],
  );
  if (read.cache !== undefined) {
    const rules = { maxTokens: aPositiveInteger, maxAgeMs: aPositiveNumber };
    readOptions<JwtCacheOptions>("jwt.cache", read.cache, rules, ["maxTokens"]);
  }
  if (read.jwks !== undefined) {
    readOptions<JwksOptions>("jwt.jwks", read.jwks, {
      timeoutMs: aTimeoutMs,
      maxAgeMs: aPositiveNumber,
      maxStaleMs: aPositiveNumber,
      cooldownMs: aPositiveNumber,
      fetch: aFunction,
    });
  }
  if ((read.keys === undefined) === (read.jwksUri === undefined)) {
    throw new ConfigError(
      read.keys === undefined ? "ERR_FIRMSHAKE_OPTION_MISSING" : "ERR_FIRMSHAKE_OPTIONS_CONTRADICT",
      `jwt: give either "keys" or "jwksUri".`,
    );
  }
  if (read.keys !== undefined) refuseNoKeys(read.keys);
  return read;
}

const isSourceList = (value: unknown): boolean =>
  Array.isArray(value) && value.length > 0 && value.every(isSource);

function isSource(source: unknown): boolean {
  const { name, isAmbient, read } = (source ?? {}) as Partial<TokenSource>;
  return typeof name === "string" && typeof isAmbient === "boolean" && typeof read === "function";
}

const summaryOf = (
  { issuer, audience, jwksUri, typ }: JwtOptions,
  algorithms: readonly string[],
  from: readonly TokenSource[],
): string =>
  [
    `issuer ${issuer}`,
    `audience ${typeof audience === "string" ? audience : audience.join(" or ")}`,
    `algorithms ${algorithms.join(", ")}`,
    jwksUri === undefined ? "keys given" : `keys from ${new URL(jwksUri).origin}`,
    ...(typ === undefined ? [] : [`typ ${typ}`]),
    `from ${from.map(({ name }) => name).join(", ")}`,
  ].join("; ");
