import { type CryptoKey, createLocalJWKSet, importJWK, type JSONWebKeySet, type JWK } from "jose";
import { ConfigError } from "../config/config-error.ts";
import { kindOf } from "../config/options.ts";
import type { KeySet } from "./key-set.ts";

/** A key that the runtime holds: a `CryptoKey`, or Node's `KeyObject`. */
export interface KeyLike {
  readonly type: string;
}

/** One key in JSON (RFC 7517 §4). */
export interface JsonWebKey {
  readonly kty: string;
  readonly alg?: string;
  readonly kid?: string;
  readonly use?: string;
  readonly [parameter: string]: unknown;
}

/** Keys in JSON (RFC 7517 §5). */
export interface JsonWebKeySet {
  readonly keys: readonly JsonWebKey[];
}

/** Keys from the configuration: a shared secret of at least 32 random bytes, a key, or keys in JSON. */
export type VerificationKeys = Uint8Array | KeyLike | JsonWebKey | JsonWebKeySet;

/** The asymmetric signature algorithms of RFC 7518 §3.1, RFC 8037 and RFC 9864 that every runtime verifies. */
export const asymmetricAlgorithms: readonly string[] = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
];

const symmetricAlgorithms: readonly string[] = ["HS256", "HS384", "HS512"];

/**
 * The algorithms that tokens may use, each fit for the keys: one kind alone, never `none` (RFC 8725 §3.1, §3.2).
 *
 * @throws {@link ConfigError} `ERR_FIRMSHAKE_ALGORITHM_UNSAFE`, `ERR_FIRMSHAKE_KEY_UNFIT` or `ERR_FIRMSHAKE_OPTION_MISSING`.
 */
export function readAlgorithms(
  given: readonly string[] | undefined,
  keys: VerificationKeys | undefined,
): readonly string[] {
  const algorithms = given ?? algorithmsOf(keys);
  for (const algorithm of algorithms) {
    if (symmetricAlgorithms.includes(algorithm) || asymmetricAlgorithms.includes(algorithm))
      continue;
    throw new ConfigError(
      "ERR_FIRMSHAKE_ALGORITHM_UNSAFE",
      `jwt: "${algorithm}" is no signature algorithm that is accepted here; "algorithms" may hold ${[...symmetricAlgorithms, ...asymmetricAlgorithms].join(", ")}.`,
    );
  }
  const isSymmetric = algorithms.some((algorithm) => symmetricAlgorithms.includes(algorithm));
  if (isSymmetric && algorithms.some((algorithm) => asymmetricAlgorithms.includes(algorithm))) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_ALGORITHM_UNSAFE",
      `jwt: "algorithms" mixes shared secrets (HS…) with public keys, which lets a public key pass for a secret. Write any(jwt({...}), jwt({...})), one for each.`,
    );
  }
  refuseUnfitKeys(algorithms, keys, isSymmetric);
  return algorithms;
}

function algorithmsOf(keys: VerificationKeys | undefined): readonly string[] {
  if (keys === undefined) return asymmetricAlgorithms;
  if (keys instanceof Uint8Array) return ["HS256"];
  const named = jsonKeysOf(keys).map(({ alg }) => alg);
  if (named.length > 0 && named.every((alg) => alg !== undefined)) return [...new Set(named)];
  throw new ConfigError(
    "ERR_FIRMSHAKE_OPTION_MISSING",
    `jwt: "algorithms" is required, since the keys do not name theirs; give a list such as ["ES256"].`,
  );
}

function refuseUnfitKeys(
  algorithms: readonly string[],
  keys: VerificationKeys | undefined,
  isSymmetric: boolean,
): void {
  if (isSymmetricKey(keys) !== isSymmetric) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_KEY_UNFIT",
      `jwt: "algorithms" ${algorithms.join(", ")} do not fit "keys". HS… goes with a Uint8Array of at least 32 bytes, all others with public keys or jwksUri.`,
    );
  }
  if (keys === undefined) return;
  if (isPrivateKey(keys)) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_KEY_UNFIT",
      `jwt: "keys" holds a private key, which signs tokens and has no business here; give the public one.`,
    );
  }
  if (!isSymmetric) return;
  if (isKeySet(keys)) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_KEY_UNFIT",
      `jwt: "keys" holds a shared secret in a set. Write any(jwt({...}), jwt({...})), each with one secret as a Uint8Array.`,
    );
  }
  const bytes = secretBytes(keys);
  const least = Math.max(...algorithms.map((name) => Number(name.slice(2)) / 8));
  if (bytes < least) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_KEY_UNFIT",
      `jwt: the secret has ${bytes} bytes; ${algorithms.join(", ")} needs ${least} or more, from a random source (RFC 7518 §3.2).`,
    );
  }
}

function isSymmetricKey(keys: VerificationKeys | undefined): boolean {
  if (keys === undefined) return false;
  if (keys instanceof Uint8Array) return true;
  const json = jsonKeysOf(keys);
  return json.length > 0
    ? json.some(({ kty }) => kty === "oct")
    : (keys as KeyLike).type === "secret";
}

function isPrivateKey(keys: VerificationKeys): boolean {
  if (keys instanceof Uint8Array) return false;
  return (keys as KeyLike).type === "private" || jsonKeysOf(keys).some((key) => "d" in key);
}

const isKeySet = (keys: VerificationKeys): keys is JsonWebKeySet =>
  !(keys instanceof Uint8Array) && "keys" in keys;

/** How many bytes a shared secret has; 0 where it does not tell. */
function secretBytes(keys: Uint8Array | KeyLike | JsonWebKey): number {
  if (keys instanceof Uint8Array) return keys.byteLength;
  if ("kty" in keys) return typeof keys.k === "string" ? Math.floor((keys.k.length * 3) / 4) : 0;
  // Node's KeyObject tells bytes, the web's CryptoKey bits.
  const { symmetricKeySize, algorithm } = keys as {
    readonly symmetricKeySize?: number;
    readonly algorithm?: { readonly length?: number };
  };
  return symmetricKeySize ?? (algorithm?.length ?? 0) / 8;
}

function jsonKeysOf(keys: VerificationKeys): readonly JsonWebKey[] {
  if ("keys" in keys && Array.isArray(keys.keys)) return keys.keys as readonly JsonWebKey[];
  return "kty" in keys ? [keys as JsonWebKey] : [];
}

/** Throws for what cannot be keys; texts are refused by name, since they are what people try first. */
export function refuseNoKeys(keys: unknown): void {
  const isObject = typeof keys === "object" && keys !== null;
  if (isObject && (keys instanceof Uint8Array || "kty" in keys || "type" in keys)) return;
  if (isObject && "keys" in keys && Array.isArray(keys.keys) && keys.keys.length > 0) return;
  const advice =
    typeof keys === "string"
      ? "A secret goes in as new TextEncoder().encode(secret), a PEM text through jose's importSPKI()."
      : "Give a Uint8Array, a CryptoKey, a KeyObject, a JWK or { keys: [...] }.";
  throw new ConfigError(
    "ERR_FIRMSHAKE_OPTION_INVALID",
    `jwt: "keys" cannot be ${kindOf(keys)}. ${advice}`,
  );
}

/** Keys that were given, imported once for each algorithm they are used with. */
export function localKeySet(keys: VerificationKeys): KeySet {
  const version = (): number => 0;
  if (isKeySet(keys)) {
    const find = createLocalJWKSet(keys as unknown as JSONWebKeySet);
    return { version, find: (header) => find(header) };
  }
  const imported = new Map<string, Promise<CryptoKey>>();
  return {
    version,
    find: ({ alg = "" }) => {
      const key = imported.get(alg) ?? importKey(keys, alg);
      imported.set(alg, key);
      return key;
    },
  };
}

/** jose verifies about twice as fast with an imported key as with bytes. The algorithm was checked against the list before. */
async function importKey(
  keys: Uint8Array | KeyLike | JsonWebKey,
  algorithm: string,
): Promise<CryptoKey> {
  if (keys instanceof Uint8Array) {
    const hash = `SHA-${algorithm.slice(2)}`;
    const bytes = new Uint8Array(keys);
    return crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash }, false, ["verify"]);
  }
  // jose takes Node's KeyObject too, though its type here is the web's alone.
  if (!("kty" in keys)) return keys as CryptoKey;
  const key = await importJWK(keys as JWK, algorithm);
  return key instanceof Uint8Array ? importKey(key, algorithm) : key;
}
