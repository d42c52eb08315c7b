import { ConfigError } from "../config/config-error.ts";
import { UnusableAnswer } from "../fetch/unusable-answer.ts";
import { withinTime } from "../fetch/within-time.ts";
import { isHeaderValue } from "../parse/http-token.ts";
import { readIssuer } from "./discovery.ts";
import { fetchJson } from "./fetch-json.ts";
import type { IntrospectionOptions } from "./introspection-options.ts";
import { isSecureUri } from "./secure-uri.ts";

const json = "application/json";
/** How long the issuer's word on its endpoint is good; where it cannot be renewed, the old one serves on. */
const maxEndpointAgeMs = 600_000;

/**
 * Asks about tokens by RFC 7662 §2.1.
 *
 * @throws {@link ConfigError} `ERR_FIRMSHAKE_JWKS_URI_INSECURE`, or where there is no such issuer.
 */
export function introspector(
  options: IntrospectionOptions,
  timeoutMs: number,
): (token: string, signal: AbortSignal) => Promise<unknown> {
  const { fetch: ask = (...request) => fetch(...request) } = options;
  const locate = endpointOf(options, ask, timeoutMs);
  const authorize = authorizationOf(options);
  return async (token, signal) => {
    const [endpoint, authorization] = [await locate(), await authorize()];
    return fetchJson(endpoint, {
      fetch: ask,
      signal,
      method: "POST",
      headers: {
        Accept: json,
        Authorization: authorization,
        "Content-Type": "application/x-www-form-urlencoded",
      },
      body: new URLSearchParams({ token, token_type_hint: "access_token" }).toString(),
      mediaType: json,
    });
  };
}

function endpointOf(
  { endpoint, issuer = "" }: IntrospectionOptions,
  ask: typeof fetch,
  timeoutMs: number,
): () => Promise<URL> {
  if (endpoint !== undefined) {
    const uri = readEndpoint(endpoint);
    return async () => uri;
  }
  const { locate } = readIssuer("introspection", issuer, `"endpoint"`);
  let found: URL | undefined;
  let foundAt = Number.NEGATIVE_INFINITY;
  let underWay: Promise<URL> | undefined;

  const find = (): Promise<URL> =>
    withinTime(timeoutMs, (signal) =>
      locate("introspection_endpoint", (uri, { accept, ...expected }) =>
        fetchJson(uri, { fetch: ask, signal, headers: { Accept: accept }, ...expected }),
      ),
    )
      .then((uri) => {
        found = uri;
        foundAt = performance.now();
        return uri;
      })
      .finally(() => {
        underWay = undefined;
      });

  /** Single flight: all tokens wait for the one answer, and none is left by the client that happened to be the first. */
  return async () => {
    if (found !== undefined && performance.now() - foundAt <= maxEndpointAgeMs) return found;
    underWay ??= find();
    if (found === undefined) return underWay;
    // Renewed behind the tokens' backs.
    underWay.catch(() => undefined);
    return found;
  };
}

function readEndpoint(given: string | URL): URL {
  const uri = URL.canParse(given) ? new URL(given) : undefined;
  if (uri !== undefined && isSecureUri(uri)) return uri;
  throw new ConfigError(
    "ERR_FIRMSHAKE_JWKS_URI_INSECURE",
    `introspection: "endpoint" must be an https: URL (http: only on loopback) without a password, or whoever is on the way answers for it and reads the secret.`,
  );
}

function authorizationOf({
  clientId = "",
  clientSecret = "",
  authorization,
}: IntrospectionOptions): () => Promise<string> {
  if (typeof authorization === "function") {
    return async () => {
      const made: unknown = await authorization();
      // What `fetch` throws of it would show it.
      if (typeof made === "string" && isHeaderValue(made)) return made;
      throw new UnusableAnswer(`The function "authorization" gave no header.`);
    };
  }
  const value = authorization ?? `Basic ${btoa(`${encoded(clientId)}:${encoded(clientSecret)}`)}`;
  return async () => value;
}

/** By `application/x-www-form-urlencoded`, as RFC 6749 §2.3.1 has it: then a colon in the name cannot be taken for the end of it. */
const encoded = (text: string): string => new URLSearchParams({ "": text }).toString().slice(1);
