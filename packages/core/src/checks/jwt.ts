import { type Allow, allowWith, type Refusal } from "../decision/decision.ts";
import { type Check, defineCheck, isPromiseLike, ranks } from "../guard/check.ts";
import type { Handshake } from "../handshake/handshake.ts";
import type { Identity } from "../handshake/identity.ts";
import { bearerToken } from "../tokens/bearer-token.ts";
import { claimedSubject } from "../tokens/claimed-subject.ts";
import { extractToken } from "../tokens/extract-token.ts";
import { type JwtOptions, readJwtOptions } from "../tokens/jwt-options.ts";
import { subprotocolToken } from "../tokens/subprotocol-token.ts";
import type { TokenSource } from "../tokens/token-source.ts";
import { tokenIdentification } from "../tokens/token-verifier.ts";

/**
 * Authenticates by a signed JSON Web Token, by the rules of RFC 8725: one issuer, an audience, an expiry, algorithms that fit the keys,
 * one canonical spelling. Keys that a token names or carries (`jwk`, `jku`, `x5u`) are never used.
 *
 * Without `keys` and `jwksUri` the issuer is asked where its keys are, when the first token comes (OpenID Connect Discovery 1.0, RFC 8414).
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
 *   jwt({ issuer: "https://id.example.com", audience: "https://chat.example.com" }),
 * );
 * ```
 */
export function jwt(options: JwtOptions): Check<{ readonly identity: Identity }> {
  const read = readJwtOptions(options);
  const { from = [bearerToken(), subprotocolToken()], maxTokenBytes = 8_192 } = read;
  const { algorithms, identify } = tokenIdentification(read);

  return defineCheck(
    {
      name: "jwt",
      summary: summaryOf(read, algorithms, from),
      rank: ranks.token,
      credential: from.some((source) => source.isAmbient) ? "ambient" : "explicit",
      givesIdentity: true,
      claimedSubject: (handshake) => {
        const token = extractToken(handshake, from, maxTokenBytes);
        return typeof token === "string" ? claimedSubject(token, read.subjectClaim) : undefined;
      },
      withhold: (handshake) => void extractToken(handshake, from, maxTokenBytes),
      weaknesses: read.insecureAllowMissingExpiry
        ? ["insecureAllowMissingExpiry: tokens that never end are accepted"]
        : [],
    },
    (handshake: Handshake) => {
      const token = extractToken(handshake, from, maxTokenBytes);
      if (typeof token !== "string") return token;
      const outcome = identify(token);
      return isPromiseLike(outcome) ? outcome.then(decide) : decide(outcome);
    },
  );
}

const decide = (outcome: Identity | Refusal): Allow<{ readonly identity: Identity }> | Refusal =>
  "ok" in outcome ? outcome : allowWith({ identity: outcome });

const summaryOf = (
  { issuer, audience, keys, jwksUri, typ, profile }: JwtOptions,
  algorithms: readonly string[],
  from: readonly TokenSource[],
): string =>
  [
    `issuer ${issuer}`,
    `audience ${typeof audience === "string" ? audience : audience.join(" or ")}`,
    `algorithms ${algorithms.join(", ")}`,
    keys !== undefined
      ? "keys given"
      : jwksUri === undefined
        ? "keys by discovery"
        : `keys from ${new URL(jwksUri).origin}`,
    ...(typ === undefined ? [] : [`typ ${typ}`]),
    ...(profile === undefined ? [] : ["access tokens of RFC 9068"]),
    `from ${from.map(({ name }) => name).join(", ")}`,
  ].join("; ");
