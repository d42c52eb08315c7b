import { parseCookie } from "cookie";
import { ConfigError } from "../config/config-error.ts";
import { isHttpToken } from "../parse/http-token.ts";
import type { TokenSource } from "./token-source.ts";

/**
 * The token in a cookie. Browsers send cookies with the handshakes of every page, so a guard that reads one needs an origin check.
 *
 * @throws {@link ConfigError} `ERR_FIRMSHAKE_OPTION_INVALID` for a name that no cookie can have (RFC 6265 §4.1.1).
 *
 * @example
 * ```ts
 * import { cookieToken, guard, jwt, origin } from "@firmshake/core";
 *
 * const chat = guard(
 *   origin(["https://app.example.com"]),
 *   jwt({
 *     issuer: "https://id.example.com",
 *     audience: "chat",
 *     keys: new Uint8Array(32),
 *     from: [cookieToken("__Host-session")],
 *   }),
 * );
 * ```
 */
export function cookieToken(name: string): TokenSource {
  if (typeof name !== "string" || !isHttpToken(name)) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTION_INVALID",
      `cookieToken: give the cookie's name, such as cookieToken("session").`,
    );
  }
  return {
    name: `cookie "${name}"`,
    isAmbient: true,
    read: ({ headers }) => cookieValues(headers.all("cookie"), name),
  };
}

/**
 * Each pair is parsed by itself: the parser keeps the first of two cookies of one name, and two tokens are an error.
 *
 * @param lines - The `Cookie` headers of one request.
 */
export const cookieValues = (lines: readonly string[], name: string): readonly string[] =>
  lines
    .flatMap((line) => line.split(";"))
    .map((pair) => ownValue(parseCookie(pair), name))
    .filter((value) => value !== undefined);

const ownValue = (cookies: Record<string, string | undefined>, name: string): string | undefined =>
  Object.entries(cookies).find(([key]) => key === name)?.[1];
