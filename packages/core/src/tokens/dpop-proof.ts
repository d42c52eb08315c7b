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
import type { ReadProofOptions } from "./dpop-options.ts";
import { reasonOf } from "./jwt-verifier.ts";
import type { Challenge } from "./token-refusals.ts";

/** What a proof must be made for, and by whom. */
export interface ProofExpectation {
  readonly handshake: Handshake;
  readonly method: string;
  /** Verified; or one that nobody else can know yet. */
  readonly token: string;
  /** Of the key that the token is bound to, by whoever vouches for it. */
  readonly thumbprint: string;
}

/** The claims of a proof in which everything is right but for what the server itself has to remember. */
export interface DpopProof extends JWTPayload {
  readonly jti: string;
}

/** Checks that the client has the key that its token is bound to. */
export interface ProofVerifier {
  /** In words, for `explain()`. */
  readonly summary: string;
  readonly challenge: Challenge;
  readonly invalid: (reason: string, cause?: unknown) => Refusal;
  /** Answers with why not; never rejects for what a proof holds. */
  readonly verify: (
    proof: string | undefined,
    expected: ProofExpectation,
  ) => Promise<DpopProof | Refusal>;
}

const maxJtiLength = 256;

/**
 * Checks proofs by the list of RFC 9449 §4.3, cheapest first: a signature is verified with the key alone that the issuer vouches for.
 * Whether a proof was used before, and its nonce, are left to who remembers them.
 */
export function proofVerifier({
  origins,
  algorithms,
  maxAgeSeconds,
  futureToleranceSeconds,
  maxProofBytes,
}: ReadProofOptions): ProofVerifier {
  const challenge = challengeOf(algorithms);
  const challengeLines = challenge("invalid_dpop_proof");
  const invalid = (reason: string, cause?: unknown): Refusal =>
    refuse("proof_invalid", undefined, { headers: challengeLines, reason, cause });

  async function verify(
    proof: string | undefined,
    expected: ProofExpectation,
  ): Promise<DpopProof | Refusal> {
    if (proof === undefined) return invalid("no proof");
    if (proof.length > maxProofBytes) return invalid("longer than maxProofBytes");
    if (!isCompactJws(proof)) return invalid("not a compact JWS in canonical base64url");
    let payload: JWTPayload;
    try {
      payload = await verifySignature(proof, expected.thumbprint);
    } catch (error) {
      return invalid(error instanceof UnfitKey ? error.message : reasonOf(error), error);
    }
    const wrong = wrongTime(payload) ?? wrongRequest(expected, payload);
    if (wrong !== undefined) return invalid(wrong);
    if (payload.ath !== (await sha256(expected.token))) return invalid("ath");
    const { jti } = payload;
    if (typeof jti !== "string" || jti === "" || jti.length > maxJtiLength) return invalid("jti");
    return { ...payload, jti };
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

  function wrongRequest(
    { handshake, method }: ProofExpectation,
    { htm, htu }: JWTPayload,
  ): string | undefined {
    if (htm !== method) return "htm";
    const origin = originOf(handshake);
    if (!origins.includes(origin)) return "Host is none of the origins";
    const uri = normalHttpUri(origin + handshake.path);
    return uri !== undefined && typeof htu === "string" && normalHttpUri(htu) === uri
      ? undefined
      : "htu";
  }

  return {
    summary: `${algorithms.join(", ")} for ${origins.join(", ")}`,
    challenge,
    invalid,
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

/** As `ath` has it (RFC 9449 §4.2). */
export async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return base64url.encode(new Uint8Array(digest));
}
