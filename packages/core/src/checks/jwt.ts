import { allowWith, type Decision, type MaybePromise, type Refusal } from "../decision/decision.ts";
import { type Check, defineCheck, ranks } from "../guard/check.ts";
import type { Handshake } from "../handshake/handshake.ts";
import type { Identity } from "../handshake/identity.ts";
import { isCompactJws } from "../parse/base64url.ts";
import { authorizationToken } from "../tokens/authorization-token.ts";
import { bearerToken } from "../tokens/bearer-token.ts";
import { boundThumbprint } from "../tokens/bound-thumbprint.ts";
import { type DpopVerifier, dpopVerifier } from "../tokens/dpop-proof.ts";
import { extractToken } from "../tokens/extract-token.ts";
import { type JwtOptions, readJwtOptions } from "../tokens/jwt-options.ts";
import { jwtVerifier } from "../tokens/jwt-verifier.ts";
import type { KeySet } from "../tokens/key-set.ts";
import { publishedKeys } from "../tokens/published-keys.ts";
import { subprotocolToken } from "../tokens/subprotocol-token.ts";
import { bearerRefusals } from "../tokens/token-refusals.ts";
import type { TokenSource } from "../tokens/token-source.ts";
import { localKeySet, readAlgorithms } from "../tokens/verification-keys.ts";
import { type VerifiedTokenCache, verifiedTokenCache } from "../tokens/verified-token-cache.ts";

/**
 * Authenticates by a signed JSON Web Token, by the rules of RFC 8725: one issuer, an audience, an expiry, algorithms that fit the keys,
 * one canonical spelling. Keys that a token names or carries (`jwk`, `jku`, `x5u`) are never used.
 *
 * With `dpop`, tokens are bound to a key of the client, who proves with each handshake that it has it (RFC 9449). Without, tokens that are
 * bound to a key are refused.
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
  const dpop = read.dpop && dpopVerifier(read.dpop);
  const { from = placesOf(dpop), maxTokenBytes = 8_192, cache: cached } = read;
  const keySet = read.keys === undefined ? publishedKeys(read) : localKeySet(read.keys);
  const algorithms = readAlgorithms(read.algorithms, read.keys);
  const refusals = dpop?.refusals ?? bearerRefusals;
  const verify = jwtVerifier(read, algorithms, keySet, refusals);
  const cache = cached && verifiedTokenCache(cached.maxTokens, cached.maxAgeMs ?? 60_000);
  const notCompact = refusals.invalid("not a compact JWS in canonical base64url");

  return defineCheck(
    {
      name: "jwt",
      summary: summaryOf(read, algorithms, from, dpop),
      rank: ranks.token,
      credential: from.some((source) => source.isAmbient) ? "ambient" : "explicit",
      givesIdentity: true,
      withhold: (handshake) => void extractToken(handshake, from, maxTokenBytes, refusals),
      weaknesses: weaknessesOf(read),
    },
    (handshake: Handshake) => {
      const token = extractToken(handshake, from, maxTokenBytes, refusals);
      if (typeof token !== "string") return token;
      const known = cache?.find(token, keySet.version());
      if (known !== undefined) return withProof(handshake, token, known, dpop);
      if (!isCompactJws(token)) return notCompact;
      return identityOf(token, verify, keySet, cache).then((found) =>
        "ok" in found ? found : withProof(handshake, token, found, dpop),
      );
    },
  );
}

const placesOf = (dpop: DpopVerifier | undefined): readonly TokenSource[] =>
  dpop === undefined ? [bearerToken(), subprotocolToken()] : [authorizationToken("dpop")];

async function identityOf(
  token: string,
  verify: (token: string) => Promise<Identity | Refusal>,
  keySet: KeySet,
  cache: VerifiedTokenCache | undefined,
): Promise<Identity | Refusal> {
  // Taken before: keys that change meanwhile did not verify this token.
  const version = keySet.version();
  const outcome = await verify(token);
  if (!("ok" in outcome)) cache?.remember(token, outcome, version);
  return outcome;
}

/** A token that was verified before is still worth nothing without a proof of now. */
function withProof(
  handshake: Handshake,
  token: string,
  identity: Identity,
  dpop: DpopVerifier | undefined,
): MaybePromise<Decision<{ readonly identity: Identity }>> {
  const allowed = allowWith({ identity });
  if (dpop === undefined) return allowed;
  const thumbprint = boundThumbprint(identity.claims) as string;
  return dpop.verify(handshake, token, thumbprint).then((refusal) => refusal ?? allowed);
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
  dpop: DpopVerifier | undefined,
): string =>
  [
    `issuer ${issuer}`,
    `audience ${typeof audience === "string" ? audience : audience.join(" or ")}`,
    `algorithms ${algorithms.join(", ")}`,
    jwksUri === undefined ? "keys given" : `keys from ${new URL(jwksUri).origin}`,
    ...(typ === undefined ? [] : [`typ ${typ}`]),
    `from ${from.map(({ name }) => name).join(", ")}`,
    ...(dpop === undefined ? [] : [`proofs by ${dpop.summary}`]),
  ].join("; ");
