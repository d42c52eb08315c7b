import {
  constants,
  createCipheriv,
  createHmac,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign as signBytes,
} from "node:crypto";
import type { JsonWebKey, VerificationKeys } from "@firmshake/core";
import type { TokenBuilder } from "./tokens.ts";
import { list, number, object, optional, type Reader, record, text, WordError } from "./words.ts";

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

const asIs: Reader<unknown> = (value) => value;

const tokenWords = record<TokenWords>({
  header: asIs,
  headerText: optional(text),
  payload: asIs,
  payloadText: optional(text),
  sign: record<SignWords>({
    key: text,
    alg: optional(text),
    overHeader: optional(object),
    truncate: optional(number),
  }),
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
  };
}

function newPair(name: string): KeyPair {
  if (name === "es-main") return generateKeyPairSync("ec", { namedCurve: "P-256" });
  if (name === "rs-main" || name === "rs-other") {
    return generateKeyPairSync("rsa", { modulusLength: 2_048 });
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
  const header = words.headerText ?? JSON.stringify(filled(words.header, keys, now));
  const payload =
    words.payloadText === undefined
      ? JSON.stringify(filled(words.payload, keys, now))
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

const base64url = (bytes: string | Buffer): string => Buffer.from(bytes).toString("base64url");

const joined = (header: string, payload: string, ...signature: readonly string[]): string =>
  [base64url(header), base64url(payload), ...signature].join(".");

/** Replaces the texts that stand for something else, however deep they are. */
function filled(value: unknown, keys: Keys, now: number): unknown {
  if (typeof value === "string") return meaningOf(value, keys, now);
  if (Array.isArray(value)) return value.map((one) => filled(one, keys, now));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [name, filled(one, keys, now)]),
  );
}

function meaningOf(value: string, keys: Keys, now: number): unknown {
  const [, difference] = /^@now([+-]\d+)?$/.exec(value) ?? [undefined, null];
  if (difference !== null) return now + Number(difference ?? 0);
  const [, sign, count] = /^@repeat:(.):(\d+)$/.exec(value) ?? [];
  if (sign !== undefined) return sign.repeat(Number(count));
  if (value.startsWith("@public-jwk-of:")) {
    return publicKeyOf(keys, value.slice("@public-jwk-of:".length)).export({ format: "jwk" });
  }
  return value;
}

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
