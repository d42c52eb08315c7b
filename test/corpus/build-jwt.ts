import {
  constants,
  createCipheriv,
  createHash,
  createHmac,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  randomUUID,
  sign as signBytes,
} from "node:crypto";
import type { JsonWebKey, VerificationKeys } from "@firmshake/core";
import { certificateThumbprintOf } from "./certificates.ts";
import { filled, timeOrRepeat } from "./stand-ins.ts";
import type { TokenBuilder } from "./tokens.ts";
import { anything, list, number, object, optional, record, text, WordError } from "./words.ts";

/** How a case describes a token: what is said, who signs it, and what is done to it afterwards. */
interface TokenWords {
  readonly header: unknown;
  readonly headerText: string | undefined;
  readonly payload: unknown;
  readonly payloadText: string | undefined;
  readonly sign: SignWords;
  readonly mutate: readonly string[] | undefined;
}

interface SignWords {
  readonly key: string;
  readonly alg: string | undefined;
  /** The header that is signed, where another one is sent. */
  readonly overHeader: unknown;
  /** How many bytes of the signature are kept. */
  readonly truncate: number | undefined;
}

const signWords = record<SignWords>({
  key: text,
  alg: optional(text),
  overHeader: optional(object),
  truncate: optional(number),
});

const tokenWords = record<TokenWords>({
  header: anything,
  headerText: optional(text),
  payload: anything,
  payloadText: optional(text),
  sign: signWords,
  mutate: optional(list(text)),
});

interface Keys {
  readonly secrets: Readonly<Record<string, Buffer>>;
  /** Made when first asked for: RSA keys take a while. */
  readonly pairOf: (name: string) => KeyPair;
}

interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

/** Makes fresh keys, and tokens with them. It can write everything that a verifier must not accept. */
export function makeBuilder(): TokenBuilder {
  const pairs = new Map<string, KeyPair>();
  const keys: Keys = {
    secrets: { "hs-main": randomBytes(32), "hs-other": randomBytes(32), empty: Buffer.alloc(0) },
    pairOf: (name) => {
      const pair = pairs.get(name) ?? newPair(name);
      pairs.set(name, pair);
      return pair;
    },
  };
  return {
    keys: { verify: verificationKeys(keys) },
    build: (token, now) => buildToken(tokenWords(token, "token"), keys, now),
    thumbprint: (name) => thumbprintOf(publicKeyOf(keys, name)),
    prove: (proof, token, now) => buildProof(proofWords(proof, "proof"), keys, token, now),
  };
}

function newPair(name: string): KeyPair {
  if (name.startsWith("es-")) return newEcPair(name);
  if (name === "rs-main" || name === "rs-other") {
    return generateKeyPairSync("rsa", { modulusLength: 2_048 });
  }
  throw new WordError(`token.sign.key: unknown key "${name}"`);
}

/** `es-client` is the key that tokens are bound to, `es-thief` that of who has stolen one. */
function newEcPair(name: string): KeyPair {
  if (["es-main", "es-client", "es-thief"].includes(name)) {
    return generateKeyPairSync("ec", { namedCurve: "P-256" });
  }
  throw new WordError(`token.sign.key: unknown key "${name}"`);
}

function verificationKeys(keys: Keys): Readonly<Record<string, VerificationKeys>> {
  const published = (name: string, more: object): JsonWebKey =>
    ({ ...publicKeyOf(keys, name).export({ format: "jwk" }), ...more }) as JsonWebKey;
  return {
    "hs-main": secretOf(keys, "hs-main"),
    get "rs-main"() {
      return publicKeyOf(keys, "rs-main");
    },
    get "es-main"() {
      return publicKeyOf(keys, "es-main");
    },
    get "jwks-main"() {
      return {
        keys: [
          published("rs-main", { kid: "k1", alg: "RS256", use: "sig" }),
          published("es-main", { kid: "e1", alg: "ES256", use: "sig" }),
          published("rs-other", { kid: "enc1", use: "enc" }),
        ],
      };
    },
  };
}

function buildToken(words: TokenWords, keys: Keys, now: number): string {
  const header =
    words.headerText ?? JSON.stringify(filled(words.header, (text) => meaningOf(text, keys, now)));
  const payload =
    words.payloadText === undefined
      ? JSON.stringify(filled(words.payload, (text) => meaningOf(text, keys, now)))
      : nested(words.payloadText, now);
  const { key, overHeader } = words.sign;
  const signedHeader = overHeader === undefined ? header : JSON.stringify(overHeader);
  const token = key.startsWith("jwe-dir:")
    ? encrypted(payload, secretOf(keys, key.slice("jwe-dir:".length)))
    : joined(
        header,
        payload,
        base64url(signatureOf(words.sign, keys, joined(signedHeader, payload))),
      );
  return (words.mutate ?? []).reduce(mutated, token);
}

/** How a case describes a proof: what is other than in a good one. */
interface ProofWords {
  /** Null takes away what a good proof has. */
  readonly header: Readonly<Record<string, unknown>> | undefined;
  readonly payload: Readonly<Record<string, unknown>> | undefined;
  readonly sign: SignWords | undefined;
  readonly mutate: readonly string[] | undefined;
}

const proofWords = record<ProofWords>({
  header: optional(object),
  payload: optional(object),
  sign: optional(signWords),
  mutate: optional(list(text)),
});

/** A DPoP proof (RFC 9449 §4.2), good but for what the words say. */
function buildProof(words: ProofWords, keys: Keys, token: string, now: number): string {
  const header = { typ: "dpop+jwt", alg: "ES256", jwk: "@public-jwk-of:es-client" };
  const payload = {
    jti: randomUUID(),
    htm: "GET",
    htu: "https://app.example.com/ws",
    iat: "@now",
    ath: sha256(token),
  };
  const sign = { key: "es-client", alg: "ES256", overHeader: undefined, truncate: undefined };
  return buildToken(
    {
      header: changed(header, words.header),
      headerText: undefined,
      payload: changed(payload, words.payload),
      payloadText: undefined,
      sign: words.sign ?? sign,
      mutate: words.mutate,
    },
    keys,
    now,
  );
}

const changed = (good: object, changes: object = {}): object =>
  Object.fromEntries(Object.entries({ ...good, ...changes }).filter(([, value]) => value !== null));

const base64url = (bytes: string | Buffer): string => Buffer.from(bytes).toString("base64url");

const joined = (header: string, payload: string, ...signature: readonly string[]): string =>
  [base64url(header), base64url(payload), ...signature].join(".");

function meaningOf(value: string, keys: Keys, now: number): unknown {
  const [, kind, name = ""] = /^@([a-z-]+)-of:(.+)$/.exec(value) ?? [];
  switch (kind) {
    case undefined:
      return timeOrRepeat(value, now);
    case "public-jwk":
      return publicKeyOf(keys, name).export({ format: "jwk" });
    case "private-jwk":
      return keys.pairOf(name).privateKey.export({ format: "jwk" });
    case "thumbprint":
      return thumbprintOf(publicKeyOf(keys, name));
    case "certificate-thumbprint":
      return certificateThumbprintOf(name);
    default:
      throw new WordError(`token: unknown text "${value}"`);
  }
}

/** RFC 7638 §3, written out here, so that the corpus does not agree with a library's mistake. */
function thumbprintOf(key: KeyObject): string {
  const jwk = key.export({ format: "jwk" });
  const names = jwk.kty === "RSA" ? ["e", "kty", "n"] : ["crv", "kty", "x", "y"];
  const members = Object.fromEntries(names.map((name) => [name, jwk[name as keyof typeof jwk]]));
  return sha256(JSON.stringify(members));
}

const sha256 = (text: string): string => createHash("sha256").update(text).digest("base64url");

/** `@nest:N` is a payload with every claim that counts, and N arrays in each other. */
function nested(payload: string, now: number): string {
  const [, depth] = /^@nest:(\d+)$/.exec(payload) ?? [];
  if (depth === undefined) return payload;
  const claims = JSON.stringify({
    iss: "https://id.example.com",
    aud: "ws.example.com",
    exp: now + 300,
  });
  return `${claims.slice(0, -1)},"x":${"[".repeat(Number(depth))}${"]".repeat(Number(depth))}}`;
}

function signatureOf({ key, alg = "", truncate }: SignWords, keys: Keys, input: string): Buffer {
  if (key === "none") return Buffer.alloc(0);
  // r = s = 0 was a valid ECDSA signature of anything to some verifiers.
  if (key === "zero-es256") return Buffer.alloc(64);
  const signature = signed(alg, key, keys, Buffer.from(input));
  return truncate === undefined ? signature : signature.subarray(0, truncate);
}

function signed(alg: string, key: string, keys: Keys, input: Buffer): Buffer {
  const [, bits] = /^HS(256|384|512)$/.exec(alg) ?? [];
  if (bits !== undefined)
    return createHmac(`sha${bits}`, secretOf(keys, key)).update(input).digest();
  const { privateKey } = keys.pairOf(key);
  if (alg === "RS256") return signBytes("sha256", input, privateKey);
  if (alg === "PS256") {
    const padding = constants.RSA_PKCS1_PSS_PADDING;
    return signBytes("sha256", input, { key: privateKey, padding, saltLength: 32 });
  }
  if (alg === "ES256")
    return signBytes("sha256", input, { key: privateKey, dsaEncoding: "ieee-p1363" });
  if (alg === "ES256-der")
    return signBytes("sha256", input, { key: privateKey, dsaEncoding: "der" });
  throw new WordError(`token.sign.alg: unknown algorithm "${alg}"`);
}

/** A secret, or what an attacker takes for one: the public key in some spelling. */
function secretOf(keys: Keys, name: string): Buffer {
  const secret = keys.secrets[name];
  if (secret !== undefined) return secret;
  const [spelling, pair = ""] = name.split("-of:");
  if (spelling === "spki-pem") {
    return Buffer.from(publicKeyOf(keys, pair).export({ type: "spki", format: "pem" }));
  }
  if (spelling === "spki-der")
    return publicKeyOf(keys, pair).export({ type: "spki", format: "der" });
  if (spelling === "jwk-n") {
    return Buffer.from(publicKeyOf(keys, pair).export({ format: "jwk" }).n ?? "");
  }
  throw new WordError(`token.sign.key: unknown secret "${name}"`);
}

const publicKeyOf = (keys: Keys, name: string): KeyObject => keys.pairOf(name).publicKey;

/** A token that is encrypted and not signed (RFC 7516 §7.1). */
function encrypted(payload: string, secret: Buffer): string {
  const header = base64url(JSON.stringify({ alg: "dir", enc: "A256GCM" }));
  const iv = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", secret, iv).setAAD(Buffer.from(header));
  const text = Buffer.concat([cipher.update(payload), cipher.final()]);
  return [header, "", base64url(iv), base64url(text), base64url(cipher.getAuthTag())].join(".");
}

/** What an attacker does to a token that was good. */
function mutated(token: string, mutation: string): string {
  const colon = mutation.indexOf(":");
  const verb = colon === -1 ? mutation : mutation.slice(0, colon);
  const rest = colon === -1 ? "" : mutation.slice(colon + 1);
  const [header = "", payload = "", signature = ""] = token.split(".");
  switch (verb) {
    case "strip-signature":
      return `${header}.${payload}.`;
    case "flip-signature": {
      const bytes = Buffer.from(signature, "base64url");
      bytes[0] = (bytes[0] ?? 0) ^ 1;
      return `${header}.${payload}.${base64url(bytes)}`;
    }
    case "swap-payload":
      return `${header}.${base64url(rest)}.${signature}`;
    case "spare-bits":
      return `${token.slice(0, -1)}${withSpareBit(token.slice(-1))}`;
    case "padded":
      return `${token}${"=".repeat((4 - (signature.length % 4)) % 4)}`;
    case "append":
      return token + rest;
    case "prefix":
      return rest + token;
    case "drop-last-part":
      return token.split(".").slice(0, -1).join(".");
    case "replace":
      return rest;
    default:
      throw new WordError(`token.mutate: unknown mutation "${mutation}"`);
  }
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** The next letter: of a last group that is not full, the lowest bit belongs to no byte. */
const withSpareBit = (letter: string): string => alphabet.charAt(alphabet.indexOf(letter) ^ 1);
