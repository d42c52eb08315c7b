import { ConfigError } from "../config/config-error.ts";
import { progressOf } from "../handshake/handshake.ts";
import { noTokens, type TokenSource } from "./token-source.ts";

/**
 * The token in a parameter of the query. URLs end up in logs, histories and `Referer` headers (RFC 6750 §5.3), so this is for short-lived
 * tokens where nothing else will do. The parameter is taken out of the URL before the WebSocket library sees the request; whatever
 * runs before the guard still sees it.
 *
 * @throws {@link ConfigError} `ERR_FIRMSHAKE_OPTION_INVALID` without a name.
 *
 * @example
 * ```ts
 * import { guard, jwt, queryToken } from "@firmshake/core";
 *
 * const legacy = guard(
 *   jwt({ issuer: "https://id.example.com", audience: "chat", keys: new Uint8Array(32), from: [queryToken("access_token")] }),
 * );
 * ```
 */
export function queryToken(name: string): TokenSource {
  if (typeof name !== "string" || name === "") {
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTION_INVALID",
      `queryToken: give the parameter's name, such as queryToken("access_token").`,
    );
  }
  return {
    name: `query "${name}"`,
    isAmbient: false,
    read: (handshake) => {
      const { path, query } = handshake;
      if (query === "") return noTokens;
      const tokens = new URLSearchParams(query).getAll(name);
      if (tokens.length > 0) progressOf(handshake).target = path + without(query, name);
      return tokens;
    },
  };
}

/** The query without one parameter, with its question mark; what remains is left as it was written. */
function without(query: string, name: string): string {
  const rest = query.split("&").filter((pair) => !new URLSearchParams(pair).has(name));
  return rest.length === 0 ? "" : `?${rest.join("&")}`;
}
