import { noTokens, type TokenSource } from "./token-source.ts";

/**
 * The token in `Authorization: Bearer …` (RFC 6750 §2.1). Browsers cannot set this header on a WebSocket; other clients should.
 *
 * @example
 * ```ts
 * import { bearerToken, guard, jwt } from "@firmshake/core";
 *
 * const service = guard(
 *   jwt({ issuer: "https://id.example.com", audience: "chat", keys: new Uint8Array(32), from: [bearerToken()] }),
 * );
 * ```
 */
export function bearerToken(): TokenSource {
  return {
    name: "bearer",
    isAmbient: false,
    read: ({ headers }) => {
      const value = headers.joined("authorization");
      if (value === undefined) return noTokens;
      const space = value.indexOf(" ");
      const scheme = space === -1 ? value : value.slice(0, space);
      if (scheme.toLowerCase() !== "bearer") return noTokens;
      const token = space === -1 ? "" : value.slice(space + 1);
      return isB64Token(token) ? [token] : "malformed";
    },
  };
}

const b64Letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/";
const isB64Code = new Uint8Array(128);
for (const letter of b64Letters) isB64Code[letter.charCodeAt(0)] = 1;

/** `b64token` of RFC 6750 §2.1: letters, digits and `-._~+/`, then any number of `=`. */
function isB64Token(text: string): boolean {
  let end = text.length;
  while (end > 0 && text[end - 1] === "=") end--;
  for (let index = 0; index < end; index++) {
    if (isB64Code[text.charCodeAt(index)] !== 1) return false;
  }
  return end > 0;
}
