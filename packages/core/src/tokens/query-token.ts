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
      const tokens = parametersOf(query).getAll(name);
      if (tokens.length === 0) return noTokens;
      // Another source may have taken its own out before.
      const progress = progressOf(handshake);
      const left = progress.target === undefined ? query : progress.target.slice(path.length + 1);
      progress.target = path + without(left, name);
      return tokens;
    },
  };
}

/** A question mark at the start would be left out, and one within a query is part of a name. */
const parametersOf = (query: string): URLSearchParams => new URLSearchParams(`?${query}`);

/** The query without one parameter, with its question mark; what remains is left as it was written. */
function without(query: string, name: string): string {
  const rest = query.split("&").filter((pair) => !parametersOf(pair).has(name));
  return rest.length === 0 ? "" : `?${rest.join("&")}`;
}
