import { ConfigError } from "../config/config-error.ts";
import { isB64Token } from "../parse/b64-token.ts";
import { isHttpToken } from "../parse/http-token.ts";
import type { TokenSource } from "./token-source.ts";

/** What other sources read, and what browsers fill in whichever page asks. */
const othersHeaders: readonly string[] = ["authorization", "cookie", "sec-websocket-protocol"];

/**
 * The token that is the whole value of a header of its own, such as `X-API-Key`. Browsers cannot set headers on a WebSocket. The header
 * stays in the request: whatever stands behind the gate sees it.
 *
 * @throws {@link ConfigError} `ERR_FIRMSHAKE_OPTION_INVALID` for what is no header's name, and for headers that have a source of their own.
 *
 * @example
 * ```ts
 * import { guard, headerToken, jwt } from "@firmshake/core";
 *
 * const behindAccess = guard(
 *   jwt({
 *     issuer: "https://team.example.com",
 *     audience: "chat",
 *     jwksUri: "https://team.example.com/certs",
 *     from: [headerToken("X-Access-Assertion")],
 *   }),
 * );
 * ```
 */
export function headerToken(name: string): TokenSource {
  if (typeof name !== "string" || !isHttpToken(name)) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTION_INVALID",
      `headerToken: give the header's name, such as headerToken("X-API-Key").`,
    );
  }
  if (othersHeaders.includes(name.toLowerCase())) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTION_INVALID",
      `headerToken: "${name}" is read by bearerToken(), cookieToken("…") or subprotocolToken().`,
    );
  }
  return {
    name: `header "${name}"`,
    isAmbient: false,
    // Runtimes that join repeated lines leave a comma, which no token holds.
    read: ({ headers }) => {
      const values = headers.all(name);
      return values.every(isB64Token) ? values : "malformed";
    },
  };
}
