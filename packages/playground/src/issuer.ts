import {
  exportJWK,
  type GenerateKeyPairResult,
  generateKeyPair,
  type JSONWebKeySet,
  jwtVerify,
  SignJWT,
  UnsecuredJWT,
} from "jose";

/** A small authorization server: it signs access tokens and publishes its keys. */
export interface Issuer {
  /** Who it is, in `iss`. */
  readonly url: string;
  readonly keySet: JSONWebKeySet;
  /** A token that is good for ten minutes, or as long as is said. */
  readonly sign: (name: string, claims?: IssuedClaims, lastsSeconds?: number) => Promise<string>;
  /** A token of its own that ended an hour ago. */
  readonly signExpired: (name: string) => Promise<string>;
  /** The name in one of its tokens; undefined where it is none, or over. */
  readonly nameIn: (token: string) => Promise<string | undefined>;
  /** What a forger makes: the same token, signed by a key of the forger's own under the issuer's key id. */
  readonly forge: (name: string) => Promise<string>;
}

/** What a token may say beside the usual. */
export interface IssuedClaims {
  /** Another service that it is for. */
  readonly aud?: string;
  /** The key that it is bound to (RFC 7800): by DPoP, or by a certificate. */
  readonly cnf?: { readonly jkt: string } | { readonly "x5t#S256": string };
}

/** The one service that the tokens are for. */
export const audience = "chat";
export const tokenType = "at+jwt";
export const algorithm = "ES256";
const keyId = "2026-a";
export const lifetimeSeconds = 600;

export async function createIssuer(url: string): Promise<Issuer> {
  const own = await generateKeyPair(algorithm);
  const forged = await generateKeyPair(algorithm);
  const published = await exportJWK(own.publicKey);

  const signed = (
    name: string,
    key: GenerateKeyPairResult["privateKey"],
    issuedAt: number,
    { aud = audience, ...claims }: IssuedClaims = {},
    lastsSeconds = lifetimeSeconds,
  ): Promise<string> =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: algorithm, kid: keyId, typ: tokenType })
      .setIssuer(url)
      .setAudience(aud)
      .setSubject(name)
      .setIssuedAt(issuedAt)
      .setExpirationTime(issuedAt + lastsSeconds)
      .sign(key);

  return {
    url,
    keySet: { keys: [{ ...published, alg: algorithm, kid: keyId, use: "sig" }] },
    sign: (name, claims, lastsSeconds) => signed(name, own.privateKey, now(), claims, lastsSeconds),
    signExpired: (name) => signed(name, own.privateKey, now() - 3_600 - lifetimeSeconds),
    forge: (name) => signed(name, forged.privateKey, now()),
    nameIn: async (token) => {
      try {
        const { payload } = await jwtVerify(token, own.publicKey, { issuer: url, audience });
        return payload.sub;
      } catch {
        return undefined;
      }
    },
  };
}

/** A token that claims to need no signature (RFC 8725 §2.1). */
export const unsignedToken = (issuer: string, name: string): string =>
  new UnsecuredJWT({})
    .setIssuer(issuer)
    .setAudience(audience)
    .setSubject(name)
    .setIssuedAt()
    .setExpirationTime(now() + lifetimeSeconds)
    .encode();

const now = (): number => Math.floor(Date.now() / 1000);
