import { isB64Token } from "../parse/b64-token.ts";
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
