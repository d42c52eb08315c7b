import { createHash, randomUUID } from "node:crypto";
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from "jose";

/** A client with a key of its own, which proves that it has it (DPoP, RFC 9449). */
export interface Prover {
  /** RFC 7638, for the claim `cnf` of its tokens. */
  readonly thumbprint: string;
  /** A proof for one handshake. */
  readonly prove: (url: string, accessToken: string) => Promise<string>;
}

export async function createProver(): Promise<Prover> {
  const { privateKey, publicKey } = await generateKeyPair("ES256");
  const jwk = await exportJWK(publicKey);
  return {
    thumbprint: await calculateJwkThumbprint(jwk),
    prove: (url, accessToken) =>
      new SignJWT({
        jti: randomUUID(),
        htm: "GET",
        htu: url,
        ath: createHash("sha256").update(accessToken).digest("base64url"),
      })
        .setProtectedHeader({ typ: "dpop+jwt", alg: "ES256", jwk })
        .setIssuedAt()
        .sign(privateKey),
  };
}
