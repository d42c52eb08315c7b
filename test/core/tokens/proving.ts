import { createHash, randomUUID } from "node:crypto";
import { calculateJwkThumbprint, type JWK } from "jose";
import { claims, type Pair, pairOf, seconds, tokenOf } from "./signing.ts";

/** Who has a key, a token that is bound to it, and can prove it. */
export interface Prover {
  readonly pair: Pair;
  /** The public key alone, as it stands in proofs. */
  readonly jwk: JWK;
  readonly thumbprint: string;
  readonly token: string;
  readonly claims: (changed?: Record<string, unknown>) => Record<string, unknown>;
  /** A proof; what is undefined in claims or header is left out. */
  readonly proof: (
    changed?: Record<string, unknown> | string,
    header?: Record<string, unknown>,
    key?: Uint8Array | CryptoKey,
  ) => Promise<string>;
}

export const hashOf = (text: string): string =>
  createHash("sha256").update(text).digest("base64url");

export async function proverOf(
  alg = "ES256",
  htu = "https://app.example.com/chat",
): Promise<Prover> {
  const pair = await pairOf(alg);
  const { kid: _kid, alg: _alg, ...jwk } = pair.jwk;
  const thumbprint = await calculateJwkThumbprint(jwk);
  const token = await tokenOf(claims({ cnf: { jkt: thumbprint } }));
  const ofProof: Prover["claims"] = (changed = {}) => ({
    jti: randomUUID(),
    htm: "GET",
    htu,
    iat: seconds(),
    ath: hashOf(token),
    ...changed,
  });
  return {
    pair,
    jwk,
    thumbprint,
    token,
    claims: ofProof,
    proof: (changed = {}, header = {}, key = pair.privateKey) =>
      tokenOf(
        typeof changed === "string" ? changed : ofProof(changed),
        { typ: "dpop+jwt", alg, jwk, ...header },
        key,
      ),
  };
}
