import { type Allow, allowWith, type Refusal } from "../decision/decision.ts";
import { type Check, defineCheck, ranks } from "../guard/check.ts";
import type { Handshake } from "../handshake/handshake.ts";
import type { Identity } from "../handshake/identity.ts";
import { isCompactJws } from "../parse/base64url.ts";
import { bearerToken } from "../tokens/bearer-token.ts";
import { extractToken, invalidToken } from "../tokens/extract-token.ts";
import { type JwtOptions, readJwtOptions } from "../tokens/jwt-options.ts";
import { jwtVerifier } from "../tokens/jwt-verifier.ts";
import type { KeySet } from "../tokens/key-set.ts";
import { publishedKeys } from "../tokens/published-keys.ts";
import { subprotocolToken } from "../tokens/subprotocol-token.ts";
import type { TokenSource } from "../tokens/token-source.ts";
import { localKeySet, readAlgorithms } from "../tokens/verification-keys.ts";
import { type VerifiedTokenCache, verifiedTokenCache } from "../tokens/verified-token-cache.ts";

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
  const verify = jwtVerifier(read, algorithms, keySet);
  const cache = cached && verifiedTokenCache(cached.maxTokens, cached.maxAgeMs ?? 60_000);

  return defineCheck(
    {
      name: "jwt",
      summary: summaryOf(read, algorithms, from),
      rank: ranks.token,
      credential: from.some((source) => source.isAmbient) ? "ambient" : "explicit",
      givesIdentity: true,
      withhold: (handshake) => void extractToken(handshake, from, maxTokenBytes),
      weaknesses: weaknessesOf(read),
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

const weaknessesOf = (options: JwtOptions): readonly string[] => [
  ...(options.insecureAllowMissingExpiry
    ? ["insecureAllowMissingExpiry: tokens that never end are accepted"]
    : []),
  ...(options.insecureIgnoreConfirmation
    ? ["insecureIgnoreConfirmation: tokens that are bound to a key are accepted from anybody"]
    : []),
];

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
