import { ConfigError } from "../config/config-error.ts";
import type { JwtOptions } from "./jwt-options.ts";
import { type KeySet, remoteKeySet } from "./key-set.ts";
import { isSecureUri } from "./secure-uri.ts";

/**
 * The keys at `jwksUri`, asked for as the options say.
 *
 * @throws {@link ConfigError} `ERR_FIRMSHAKE_JWKS_URI_INSECURE`
 */
export function publishedKeys({ jwksUri, jwks = {} }: JwtOptions): KeySet {
  const {
    timeoutMs = 3_000,
    maxAgeMs = 600_000,
    maxStaleMs = 3_600_000,
    cooldownMs = 30_000,
  } = jwks;
  return remoteKeySet({
    uri: readUri(jwksUri),
    fetch: jwks.fetch ?? ((...request) => fetch(...request)),
    timeoutMs,
    maxAgeMs,
    maxStaleMs: Math.max(maxStaleMs, maxAgeMs),
    cooldownMs,
  });
}

function readUri(given: string | URL | undefined): URL {
  const uri = given !== undefined && URL.canParse(given) ? new URL(given) : undefined;
  if (uri !== undefined && isSecureUri(uri)) return uri;
  throw new ConfigError(
    "ERR_FIRMSHAKE_JWKS_URI_INSECURE",
    `jwt: "jwksUri" must be an https: URL (http: only on loopback), or whoever is on the way chooses the keys.`,
  );
}
