import { ConfigError } from "../config/config-error.ts";
import { kindOf } from "../config/options.ts";
import { isPlainPath } from "../handshake/validity.ts";

/**
 * A path, compared letter by letter and not decoded; or a path that ends in `/*`, which stands for everything below it. Write it as it
 * is sent: letters beyond ASCII are percent-encoded there.
 */
export type PathPattern = `/${string}`;

/**
 * Compiles a pattern.
 *
 * @throws {@link ConfigError} `ERR_FIRMSHAKE_ROUTE_INVALID` for a pattern that could never match as meant.
 */
export function compilePath(owner: string, pattern: string): (path: string) => boolean {
  if (typeof pattern !== "string" || !pattern.startsWith("/")) {
    throw invalidPath(owner, typeof pattern === "string" ? `"${pattern}"` : kindOf(pattern));
  }
  const isPrefix = pattern.endsWith("/*");
  const fixed = isPrefix ? pattern.slice(0, -1) : pattern;
  for (const sign of ["*", "?", "#", "\\", ":", "//"]) {
    if (fixed.includes(sign)) throw invalidPath(owner, `"${pattern}"`);
  }
  // Such a target is refused before any check: a check behind this pattern would silently never run.
  if (!isPlainPath(fixed)) throw invalidPath(owner, `"${pattern}"`);
  return isPrefix ? (path) => path.startsWith(fixed) : (path) => path === fixed;
}

const invalidPath = (owner: string, written: string): ConfigError =>
  new ConfigError(
    "ERR_FIRMSHAKE_ROUTE_INVALID",
    `${owner}: ${written} is not a path. Write a whole path such as "/chat", or "/socket.io/*" for everything below one; for more use a predicate of the handshake.`,
  );
