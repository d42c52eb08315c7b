import { jwtVerify, SignJWT } from "jose";

/** Nonces of the server (RFC 9449 §9), which tell by themselves whether they are good: nothing is remembered. */
export interface DpopNonces {
  readonly issue: () => Promise<string>;
  readonly isGood: (nonce: unknown) => Promise<boolean>;
}

/** Apart from tokens that may be signed with the same secret. */
const typ = "dpop-nonce+jwt";

export function dpopNonces(secret: Uint8Array, lifetimeSeconds: number): DpopNonces {
  const options = { algorithms: ["HS256"], typ, requiredClaims: ["exp"] };
  return {
    issue: () =>
      new SignJWT()
        .setProtectedHeader({ alg: "HS256", typ })
        .setExpirationTime(Math.floor(Date.now() / 1000) + lifetimeSeconds)
        .sign(secret),
    isGood: async (nonce) => {
      if (typeof nonce !== "string") return false;
      return jwtVerify(nonce, secret, options).then(
        () => true,
        () => false,
      );
    },
  };
}
