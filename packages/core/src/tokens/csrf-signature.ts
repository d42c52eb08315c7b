import { decodeBytes, encodeBase64url } from "../parse/base64url.ts";

/** What a CSRF token vouches for. */
export interface CsrfBinding {
  /** In seconds since 1970. */
  readonly expires: number;
  /** What the cookie holds, in canonical base64url. */
  readonly nonce: string;
  readonly sessionId: string;
}

/** Signs with the first secret, and believes each. */
export interface CsrfSignatures {
  readonly sign: (binding: CsrfBinding) => Promise<string>;
  readonly isOf: (binding: CsrfBinding, signature: string) => Promise<boolean>;
}

/** @param secrets - At least one, of 32 bytes or more. */
export function csrfSignatures(secrets: readonly Uint8Array[]): CsrfSignatures {
  const copies = secrets.map((secret) => new Uint8Array(secret));
  let keys: Promise<readonly CryptoKey[]> | undefined;
  // Not before the first use: some runtimes allow nothing asynchronous while a module is loaded.
  const imported = (): Promise<readonly CryptoKey[]> => {
    keys ??= Promise.all(copies.map(importKey));
    return keys;
  };
  return {
    sign: async (binding) => {
      const [key] = (await imported()) as readonly [CryptoKey];
      return encodeBase64url(
        new Uint8Array(await crypto.subtle.sign("HMAC", key, messageOf(binding))),
      );
    },
    isOf: async (binding, signature) => {
      const bytes = decodeBytes(signature);
      if (bytes === undefined) return false;
      const message = messageOf(binding);
      for (const key of await imported()) {
        // Runtimes compare in constant time; a comparison of texts would not.
        if (await crypto.subtle.verify("HMAC", key, bytes, message)) return true;
      }
      return false;
    },
  };
}

const importKey = (secret: Uint8Array<ArrayBuffer>): Promise<CryptoKey> =>
  crypto.subtle.importKey("raw", secret, { name: "HMAC", hash: "SHA-256" }, false, [
    "sign",
    "verify",
  ]);

/** Apart from whatever else is signed with the same secret. Neither number nor nonce can hold what ends it, and the session is last. */
const messageOf = ({ expires, nonce, sessionId }: CsrfBinding): Uint8Array<ArrayBuffer> =>
  new TextEncoder().encode(`firmshake csrf 1!${expires}!${nonce}!${sessionId}`);
