import {
  base64url,
  calculateJwkThumbprint,
  EmbeddedJWK,
  type JWK,
  type JWTHeaderParameters,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from "jose";
import { type Refusal, refuse } from "../decision/decision.ts";
import type { Handshake } from "../handshake/handshake.ts";
import { isCompactJws } from "../parse/base64url.ts";
import { normalHttpUri } from "../parse/http-uri.ts";
import { dpopNonces } from "./dpop-nonces.ts";
import { type DpopOptions, readDpopOptions } from "./dpop-options.ts";
import { reasonOf } from "./jwt-verifier.ts";
import { type Challenge, type TokenRefusals, tokenRefusals } from "./token-refusals.ts";

/** Checks that the client has the key that its token is bound to. */
export interface DpopVerifier {
  /** In words, for `explain()`. */
  readonly summary: string;
  readonly refusals: TokenRefusals;
  /** Answers with why not; never rejects for what a proof holds. The thumbprint is that of a verified token. */
  readonly verify: (
    handshake: Handshake,
    token: string,
    thumbprint: string,
  ) => Promise<Refusal | undefined>;
}

const maxJtiLength = 256;

/**
 * Checks proofs by the list of RFC 9449 §4.3, cheapest first: a signature is verified with the key alone that the issuer vouches for, and a
 * proof is remembered only once all else is right, so that nobody without a token can fill the store.
 *
 * @throws {@link ConfigError} for options that are not as described.
 */
export function dpopVerifier(options: DpopOptions): DpopVerifier {
  const {
    origins,
    algorithms,
    maxAgeSeconds,
    futureToleranceSeconds,
    maxProofBytes,
    nonce,
    store,
  } = readDpopOptions(options);
  // One second more, for a clock that is set back a little meanwhile.
  const ttlMs = (maxAgeSeconds + futureToleranceSeconds + 1) * 1000;
  const nonces = nonce && dpopNonces(nonce.secret, nonce.lifetimeSeconds);
  const challenge = challengeOf(algorithms);
  const challengeLines = challenge("invalid_dpop_proof");
  const invalid = (reason: string, cause?: unknown): Refusal =>
    refuse("proof_invalid", undefined, { headers: challengeLines, reason, cause });

  async function verify(
    handshake: Handshake,
    token: string,
    thumbprint: string,
  ): Promise<Refusal | undefined> {
    const [proof, ...others] = handshake.headers.all("dpop");
    if (proof === undefined) return invalid("no DPoP header");
    if (others.length > 0) return invalid("more than one DPoP header");
    if (proof.length > maxProofBytes) return invalid("longer than maxProofBytes");
    if (!isCompactJws(proof)) return invalid("not a compact JWS in canonical base64url");
    let payload: JWTPayload;
    try {
      payload = await verifySignature(proof, thumbprint);
    } catch (error) {
      return invalid(error instanceof UnfitKey ? error.message : reasonOf(error), error);
    }
    const wrong = wrongTime(payload) ?? wrongRequest(handshake, payload);
    if (wrong !== undefined) return invalid(wrong);
    if (payload.ath !== (await sha256(token))) return invalid("ath");
    if (nonces !== undefined && !(await nonces.isGood(payload.nonce))) {
      return nonceRequired(await nonces.issue());
    }
    const { jti } = payload;
    if (typeof jti !== "string" || jti === "" || jti.length > maxJtiLength) return invalid("jti");
    return claim(await sha256(`${thumbprint}.${jti}`));
  }

  async function verifySignature(proof: string, thumbprint: string): Promise<JWTPayload> {
    const { payload } = await jwtVerify(proof, keyBoundTo(thumbprint), {
      algorithms: [...algorithms],
      requiredClaims: ["jti", "htm", "htu", "iat", "ath"],
    });
    return payload;
  }

  function wrongTime({ iat }: JWTPayload): string | undefined {
    const age = Date.now() / 1000 - (iat as number);
    return age <= maxAgeSeconds && age >= -futureToleranceSeconds ? undefined : "iat";
  }

  function wrongRequest(handshake: Handshake, { htm, htu }: JWTPayload): string | undefined {
    if (htm !== handshake.method) return "htm";
    const origin = originOf(handshake);
    if (!origins.includes(origin)) return "Host is none of the origins";
    const uri = normalHttpUri(origin + handshake.path);
    return uri !== undefined && typeof htu === "string" && normalHttpUri(htu) === uri
      ? undefined
      : "htu";
  }

  /** RFC 9449 §9. */
  const nonceRequired = (fresh: string): Refusal =>
    refuse("proof_nonce_required", undefined, {
      headers: [...challenge("use_dpop_nonce"), ["DPoP-Nonce", fresh]],
    });

  async function claim(id: string): Promise<Refusal | undefined> {
    let isFirst: boolean;
    try {
      isFirst = await store.claim(id, ttlMs);
    } catch (cause) {
      return refuse("store_failed", undefined, { cause, headers: [["Retry-After", "5"]] });
    }
    return isFirst === true ? undefined : invalid("used before");
  }

  return {
    summary: `${algorithms.join(", ")} for ${origins.join(", ")}, used once, ${nonce === undefined ? "" : "with a nonce, "}${store.summary ?? "in a store"}`,
    refusals: tokenRefusals(challenge),
    verify,
  };
}

/** RFC 9449 §7.1. */
const challengeOf =
  (algorithms: readonly string[]): Challenge =>
  (error) => [
    [
      "WWW-Authenticate",
      `DPoP realm="websocket"${error === undefined ? "" : `, error="${error}"`}, algs="${algorithms.join(" ")}"`,
    ],
  ];

/** As the configuration spells origins: the scheme of the client's own connection, and Host, without a default port. */
function originOf({ headers, scheme }: Handshake): string {
  const uri = normalHttpUri(`${scheme}://${headers.only("host")}`);
  return uri === undefined ? "" : uri.slice(0, -1);
}

class UnfitKey extends Error {}

/** Finds the key in the proof's own header, if it is the one that the token is bound to. No other header names a key. */
const keyBoundTo =
  (thumbprint: string): JWTVerifyGetKey =>
  async (header, jws) => {
    refuseHeader(header);
    const { jwk } = header;
    if (jwk === undefined || (await calculateJwkThumbprint(jwk)) !== thumbprint) {
      throw new UnfitKey("jwk is not the key that the token is bound to");
    }
    return EmbeddedJWK(header, jws);
  };

/** RFC 7518 §6.2.2, §6.3.2 and §6.4.1, RFC 8037 §2, and what is in drafts. */
const privateMembers: readonly (keyof JWK)[] = [
  "d",
  "p",
  "q",
  "dp",
  "dq",
  "qi",
  "oth",
  "k",
  "priv",
];

function refuseHeader({ typ, crit, jwk }: JWTHeaderParameters): void {
  if (typ !== "dpop+jwt") throw new UnfitKey("typ");
  if (crit !== undefined) throw new UnfitKey("crit");
  if (privateMembers.some((name) => Object(jwk)[name] !== undefined)) {
    throw new UnfitKey("jwk is private");
  }
}

async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return base64url.encode(new Uint8Array(digest));
}
