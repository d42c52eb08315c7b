import { ConfigError } from "../config/config-error.ts";
import type { MaybePromise, Refusal } from "../decision/decision.ts";
import type { Identity } from "../handshake/identity.ts";
import { isCompactJws } from "../parse/base64url.ts";
import { type JwtOptions, readJwtOptions } from "./jwt-options.ts";
import { jwtVerifier } from "./jwt-verifier.ts";
import { KeysUnavailable } from "./key-set.ts";
import { publishedKeys } from "./published-keys.ts";
import { bearerRefusals, type TokenRefusals } from "./token-refusals.ts";
import { localKeySet, readAlgorithms } from "./verification-keys.ts";
import { verifiedTokenCache } from "./verified-token-cache.ts";

/** What `tokenVerifier` takes: the options of `jwt`, but for where the token stands. */
export type TokenVerifierOptions = Omit<JwtOptions, "from" | "dpop" | "certificateBound">;

/**
 * Verifies tokens that come otherwise than with the handshake, such as in a first message, by the rules of `jwt`.
 *
 * Its function answers with the identity, or with undefined for forged, expired and unknown alike. It rejects only where the issuer's keys
 * cannot be had: then the token may be good.
 *
 * @throws {@link ConfigError} as `jwt` does, and `ERR_FIRMSHAKE_OPTION_UNKNOWN` for `from`.
 *
 * @example
 * ```ts
 * import { tokenVerifier } from "@firmshake/core";
 *
 * const verify = tokenVerifier({ issuer: "https://id.example.com", audience: "chat", keys: new Uint8Array(32) });
 * const identity = await verify("no token"); // undefined
 * ```
 */
export function tokenVerifier(
  options: TokenVerifierOptions,
): (token: string) => Promise<Identity | undefined> {
  const read = readJwtOptions(options);
  for (const name of ["from", "dpop", "certificateBound"] as const) {
    if (read[name] === undefined) continue;
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTION_UNKNOWN",
      `tokenVerifier: there is no option "${name}"; the token is what the function is called with.`,
    );
  }
  const { maxTokenBytes = 8_192 } = read;
  const { identify } = tokenIdentification(read);
  return async (token) => {
    if (typeof token !== "string" || token.length > maxTokenBytes) return undefined;
    const outcome = await identify(token);
    if (!("ok" in outcome)) return outcome;
    if (outcome.code === "keys_unavailable") throw new KeysUnavailable(outcome.title);
    return undefined;
  };
}

/** How tokens of one issuer are verified, with what is remembered of them. */
interface TokenIdentification {
  readonly algorithms: readonly string[];
  /** Answers at once for a token that is remembered. */
  readonly identify: (token: string) => MaybePromise<Identity | Refusal>;
}

/** @throws {@link ConfigError} where keys and algorithms do not fit. */
export function tokenIdentification(
  read: JwtOptions,
  refusals: TokenRefusals = bearerRefusals,
): TokenIdentification {
  const keySet = read.keys === undefined ? publishedKeys(read) : localKeySet(read.keys);
  const algorithms = readAlgorithms(read.algorithms, read.keys);
  const verify = jwtVerifier(read, algorithms, keySet, refusals);
  const cache =
    read.cache && verifiedTokenCache<Identity>(read.cache.maxTokens, read.cache.maxAgeMs ?? 60_000);

  const notCompact = refusals.invalid("not a compact JWS in canonical base64url");

  async function verifyAndRemember(token: string): Promise<Identity | Refusal> {
    // Taken before: keys that change meanwhile did not verify this token.
    const version = keySet.version();
    const outcome = await verify(token);
    if (!("ok" in outcome)) cache?.remember(token, outcome, version);
    return outcome;
  }

  return {
    algorithms,
    identify: (token) => {
      const known = cache?.find(token, keySet.version());
      if (known !== undefined) return known;
      return isCompactJws(token) ? verifyAndRemember(token) : notCompact;
    },
  };
}
