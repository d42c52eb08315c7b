import { bytesOfHex, hexOf } from "../parse/hex.ts";

const algorithm = "sha256:";

/** SHA-256 of a whole key: the hash of one id does not fit another. */
export async function digestOfApiKey(key: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(key)));
}

/** As it is stored: `sha256:` and 64 hexadecimal digits. */
export const hashText = (digest: Uint8Array): string => algorithm + hexOf(digest);

/** The digest within a stored hash; undefined for what is none. */
export function readHash(stored: unknown): Uint8Array | undefined {
  return typeof stored === "string" && /^sha256:[0-9a-f]{64}$/.test(stored)
    ? bytesOfHex(stored.slice(algorithm.length))
    : undefined;
}
