import { authorizationToken } from "./authorization-token.ts";
import type { TokenSource } from "./token-source.ts";

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
  return authorizationToken("bearer");
}
