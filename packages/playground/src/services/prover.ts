import { createHash, randomUUID } from "node:crypto";
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from "jose";

/** A client with a key of its own, which proves that it has it (DPoP, RFC 9449). */
export interface Prover {
  /** RFC 7638, for the claim `cnf` of its tokens. */
  readonly thumbprint: string;
  /** A proof for one handshake, or one request, that is sent with this token or ticket. */
  readonly prove: (method: "GET" | "POST", url: string, token: string) => Promise<string>;
}

export async function createProver(): Promise<Prover> {
  const { privateKey, publicKey } = await generateKeyPair("ES256");
  const jwk = await exportJWK(publicKey);
  return {
    thumbprint: await calculateJwkThumbprint(jwk),
    prove: (method, url, token) =>
      new SignJWT({
        jti: randomUUID(),
        htm: method,
        htu: url,
        ath: createHash("sha256").update(token).digest("base64url"),
      })
        .setProtectedHeader({ typ: "dpop+jwt", alg: "ES256", jwk })
        .setIssuedAt()
        .sign(privateKey),
  };
}
