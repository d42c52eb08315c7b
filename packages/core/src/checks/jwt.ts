import { allowWith, type Decision, type MaybePromise, type Refusal } from "../decision/decision.ts";
import { type Check, defineCheck, isPromiseLike, ranks } from "../guard/check.ts";
import type { Handshake } from "../handshake/handshake.ts";
import type { Identity } from "../handshake/identity.ts";
import { authorizationToken } from "../tokens/authorization-token.ts";
import { bearerToken } from "../tokens/bearer-token.ts";
import { boundThumbprint } from "../tokens/bound-thumbprint.ts";
import { claimedSubject } from "../tokens/claimed-subject.ts";
import { type DpopVerifier, dpopVerifier } from "../tokens/dpop-verifier.ts";
import { extractToken } from "../tokens/extract-token.ts";
import { type JwtOptions, readJwtOptions } from "../tokens/jwt-options.ts";
import { subprotocolToken } from "../tokens/subprotocol-token.ts";
import { bearerRefusals } from "../tokens/token-refusals.ts";
import type { TokenSource } from "../tokens/token-source.ts";
import { tokenIdentification } from "../tokens/token-verifier.ts";

/**
 * Authenticates by a signed JSON Web Token, by the rules of RFC 8725: one issuer, an audience, an expiry, algorithms that fit the keys,
 * one canonical spelling. Keys that a token names or carries (`jwk`, `jku`, `x5u`) are never used.
 *
 * Without `keys` and `jwksUri` the issuer is asked where its keys are, when the first token comes (OpenID Connect Discovery 1.0, RFC 8414).
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
 *   jwt({ issuer: "https://id.example.com", audience: "https://chat.example.com" }),
 * );
 * ```
 */
export function jwt(options: JwtOptions): Check<{ readonly identity: Identity }> {
  const read = readJwtOptions(options);
  const dpop = read.dpop && dpopVerifier(read.dpop);
  const { from = placesOf(dpop), maxTokenBytes = 8_192 } = read;
  const refusals = dpop?.refusals ?? bearerRefusals;
  const { algorithms, identify } = tokenIdentification(read, refusals);

  return defineCheck(
    {
      name: "jwt",
      summary: summaryOf(read, algorithms, from, dpop),
      rank: ranks.token,
      credential: from.some((source) => source.isAmbient) ? "ambient" : "explicit",
      givesIdentity: true,
      needsCertificate: read.certificateBound === true,
      claimedSubject: (handshake) => {
        const token = extractToken(handshake, from, maxTokenBytes, refusals);
        return typeof token === "string" ? claimedSubject(token, read.subjectClaim) : undefined;
      },
      withhold: (handshake) => void extractToken(handshake, from, maxTokenBytes, refusals),
      weaknesses: weaknessesOf(read),
    },
    (handshake: Handshake) => {
      const token = extractToken(handshake, from, maxTokenBytes, refusals);
      if (typeof token !== "string") return token;
      const conclude = (outcome: Identity | Refusal): Conclusion =>
        "ok" in outcome ? outcome : withProof(handshake, token, outcome, dpop);
      const outcome = identify(token);
      return isPromiseLike(outcome) ? outcome.then(conclude) : conclude(outcome);
    },
  );
}

type Conclusion = MaybePromise<Decision<{ readonly identity: Identity }>>;

const placesOf = (dpop: DpopVerifier | undefined): readonly TokenSource[] =>
  dpop === undefined ? [bearerToken(), subprotocolToken()] : [authorizationToken("dpop")];

/** A token that was verified before is still worth nothing without a proof of now. */
function withProof(
  handshake: Handshake,
  token: string,
  identity: Identity,
  dpop: DpopVerifier | undefined,
): Conclusion {
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
  { issuer, audience, keys, jwksUri, typ, profile }: JwtOptions,
  algorithms: readonly string[],
  from: readonly TokenSource[],
  dpop: DpopVerifier | undefined,
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
    ...(dpop === undefined ? [] : [`proofs by ${dpop.summary}`]),
  ].join("; ");
