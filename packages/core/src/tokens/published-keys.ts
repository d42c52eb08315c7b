import { ConfigError } from "../config/config-error.ts";
import { readIssuer } from "./discovery.ts";
import type { JwtOptions } from "./jwt-options.ts";
import { type KeySet, type RemoteKeySetOptions, remoteKeySet } from "./key-set.ts";
import { isSecureUri } from "./secure-uri.ts";

/**
 * The keys at `jwksUri`, or where the issuer says that they are, asked for as the options say.
 *
 * @throws {@link ConfigError} `ERR_FIRMSHAKE_JWKS_URI_INSECURE`, or where there is no such issuer.
 */
export function publishedKeys({ issuer, jwksUri, jwks = {} }: JwtOptions): KeySet {
  const {
    timeoutMs = 3_000,
    maxAgeMs = 600_000,
    maxStaleMs = 3_600_000,
    cooldownMs = 30_000,
  } = jwks;
  return remoteKeySet({
    locate: jwksUri === undefined ? byDiscovery(issuer) : at(readUri(jwksUri)),
    fetch: jwks.fetch ?? ((...request) => fetch(...request)),
    timeoutMs,
    maxAgeMs,
    maxStaleMs: Math.max(maxStaleMs, maxAgeMs),
    cooldownMs,
  });
}

type Locate = RemoteKeySetOptions["locate"];

const at =
  (uri: URL): Locate =>
  async () =>
    uri;

function byDiscovery(issuer: string): Locate {
  const { locate } = readIssuer("jwt", issuer, `either "keys" or "jwksUri"`);
  return (get) => locate("jwks_uri", get);
}

function readUri(given: string | URL): URL {
  const uri = URL.canParse(given) ? new URL(given) : undefined;
  if (uri !== undefined && isSecureUri(uri)) return uri;
  throw new ConfigError(
    "ERR_FIRMSHAKE_JWKS_URI_INSECURE",
    `jwt: "jwksUri" must be an https: URL (http: only on loopback) without a password, or whoever is on the way chooses the keys.`,
  );
}
