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
  oneOf,
  readOptions,
} from "../config/options.ts";
import type { DpopOptions } from "./dpop-options.ts";
import { aTokenSourceList, type TokenSource } from "./token-source.ts";
import { refuseNoKeys, type VerificationKeys } from "./verification-keys.ts";

/** What `jwt` takes. `issuer` and `audience` are required; without `keys` and `jwksUri` the issuer is asked where its keys are. */
export interface JwtOptions {
  /** The one issuer whose tokens count, compared letter by letter with `iss`. Its keys vouch for no other (RFC 8725 §3.8). */
  readonly issuer: string;
  /** This service's own name; `aud` must hold it, or one of these (RFC 8725 §3.9). */
  readonly audience: string | readonly string[];
  /** The keys themselves. */
  readonly keys?: VerificationKeys;
  /**
   * Where the issuer publishes its keys (RFC 7517 §5): `https:`, or `http:` on loopback. Default, without `keys`: where the issuer's metadata
   * says (OpenID Connect Discovery 1.0, RFC 8414).
   */
  readonly jwksUri?: string | URL;
  /** Signature algorithms. Default: those that the keys name, `HS256` for a secret, all asymmetric ones for published keys. */
  readonly algorithms?: readonly string[];
  /** The `typ` header that is asked for, such as `at+jwt` (RFC 9068). Default: absent, `JWT` or `at+jwt` (RFC 8725 §3.11). */
  readonly typ?: string;
  /**
   * `rfc9068` takes access tokens of that profile alone: of the type `at+jwt`, with `client_id`, `iat`, `jti` and `sub` (RFC 9068 §2.2, §4).
   * So no ID token of the same issuer passes for one. Default: any token that is good.
   */
  readonly profile?: "rfc9068";
  /**
   * Takes tokens that are bound to a key, and asks for the proof that the client has it (RFC 9449). They come in `Authorization: DPoP`, and
   * no others are taken.
   */
  readonly dpop?: DpopOptions;
  /**
   * Takes tokens that are bound to a certificate of the client (RFC 8705 §3), and leaves the comparison to `boundToCertificate()` of
   * `@firmshake/node`, without which no guard is made of them. Default false: they are refused.
   */
  readonly certificateBound?: boolean;
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
  /**
   * Accepts tokens that are bound to a key (`cnf`, RFC 7800) from whoever holds them, without the proof. Default false: that is the theft
   * which the binding is against (RFC 9449 §7.2).
   */
  readonly insecureIgnoreConfirmation?: boolean;
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
  /** Longest wait for the keys, discovery included, in milliseconds; less than the time for a decision, so that old keys can still serve. Default 3,000. */
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
 * Reads the options.
 *
 * @throws {@link ConfigError} where they leave out or contradict what RFC 8725 asks.
 */
export function readJwtOptions(options: JwtOptions): JwtOptions {
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
      dpop: anObject,
      certificateBound: aBoolean,
      profile: oneOf("rfc9068"),
      from: aTokenSourceList,
      subjectClaim: aText,
      clockToleranceSeconds: aCount,
      maxLifetimeSeconds: aPositiveNumber,
      maxTokenBytes: aPositiveInteger,
      cache: anObject,
      jwks: anObject,
      insecureAllowMissingExpiry: aBoolean,
      insecureIgnoreConfirmation: aBoolean,
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
  if (read.profile !== undefined) refuseBesideProfile(read);
  if (read.dpop !== undefined) refuseBesideDpop(read);
  if (read.keys === undefined) return read;
  if (read.jwksUri !== undefined) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTIONS_CONTRADICT",
      `jwt: give either "keys" or "jwksUri".`,
    );
  }
  if (read.jwks !== undefined) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTIONS_CONTRADICT",
      `jwt: "jwks" says how keys are asked for, and "keys" gives them; leave one of them out.`,
    );
  }
  refuseNoKeys(read.keys);
  return read;
}

function refuseBesideProfile({ typ, insecureAllowMissingExpiry }: JwtOptions): void {
  const other =
    typ !== undefined
      ? "typ"
      : insecureAllowMissingExpiry
        ? "insecureAllowMissingExpiry"
        : undefined;
  if (other === undefined) return;
  throw new ConfigError(
    "ERR_FIRMSHAKE_OPTIONS_CONTRADICT",
    `jwt: "profile" already says what tokens must have; leave "${other}" out.`,
  );
}

function refuseBesideDpop(options: JwtOptions): void {
  const names = ["from", "insecureIgnoreConfirmation", "certificateBound"] as const;
  const other = names.find((name) => options[name] !== undefined && options[name] !== false);
  if (other === undefined) return;
  throw new ConfigError(
    "ERR_FIRMSHAKE_OPTIONS_CONTRADICT",
    `jwt: "${other}" does not go with "dpop", whose tokens come in "Authorization: DPoP" alone. To take bearer tokens too, write any(jwt({...}), jwt({...})).`,
  );
}
