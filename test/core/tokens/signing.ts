import { Buffer } from "node:buffer";
import { CompactSign, exportJWK, generateKeyPair, type JWK, type JWTPayload } from "jose";

export const issuer = "https://id.example.com";
export const audience = "chat";
export const secret: Uint8Array = new TextEncoder().encode("a secret of exactly 32 bytes, ok");

/** A pair and its public half in JSON. */
export interface Pair {
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
  readonly jwk: JWK & { readonly kty: string; readonly kid: string; readonly alg: string };
}

export async function pairOf(alg: string, kid = `${alg}-1`): Promise<Pair> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const exported = await exportJWK(publicKey);
  return { privateKey, publicKey, jwk: { ...exported, kty: exported.kty ?? "", kid, alg } };
}

export const seconds = (): number => Math.floor(Date.now() / 1000);

/** The claims of a good token; what is undefined is left out. */
export const claims = (changed: Record<string, unknown> = {}): JWTPayload => ({
  iss: issuer,
  aud: audience,
  sub: "ann",
  iat: seconds(),
  exp: seconds() + 300,
  ...changed,
});

/** A token by HS256, or by the key and header that are given. */
export function tokenOf(
  payload: JWTPayload | string = claims(),
  header: Record<string, unknown> = {},
  key: Uint8Array | CryptoKey = secret,
): Promise<string> {
  const text = typeof payload === "string" ? payload : JSON.stringify(payload);
  const protectedHeader = { alg: "HS256", ...header };
  return new CompactSign(new TextEncoder().encode(text))
    .setProtectedHeader(protectedHeader)
    .sign(
      key,
      header.crit === undefined ? {} : { crit: { [String((header.crit as string[])[0])]: true } },
    );
}

/** Any header and payload with any signature. */
export const forged = (header: object, payload: object, signature = "AAAA"): string =>
  [...[header, payload].map(encoded), signature].join(".");

const encoded = (part: object): string => Buffer.from(JSON.stringify(part)).toString("base64url");
