import { ConfigError } from "../config/config-error.ts";
import { type Refusal, refuse } from "../decision/decision.ts";
import { readBounded } from "../fetch/bounded-text.ts";
import type { Handshake } from "../handshake/handshake.ts";
import { deepFrozen } from "../parse/deep-frozen.ts";
import { isSecureUri } from "../tokens/secure-uri.ts";
import type { AuthorizeOptions } from "./authorize-options.ts";
import { readRetryAfter } from "./retry-after.ts";

/** The service did not answer as it must. The message is a fixed text, fit for logs. */
export class UnusableAuthorization extends Error {
  override readonly name: string = "UnusableAuthorization";
}

const maxAnswerBytes = 65_536;

/**
 * Asks a service over HTTP about handshakes.
 *
 * @throws {@link ConfigError} `ERR_FIRMSHAKE_OPTION_INVALID` for a URL without TLS, except on loopback.
 */
export function authorizationService(
  given: string | URL,
  {
    headers = [],
    requestHeaders = {},
    fetch: ask = (...request) => fetch(...request),
  }: AuthorizeOptions,
): (handshake: Handshake, signal: AbortSignal) => Promise<unknown> {
  const url = readUrl(given);
  return async (handshake, signal) => {
    const response = await ask(url, {
      method: "POST",
      headers: {
        Accept: "application/json",
        ...requestHeaders,
        "Content-Type": "application/json",
      },
      body: JSON.stringify(descriptionOf(handshake, headers)),
      redirect: "error",
      signal,
    });
    if (response.status === 200) return readJson(await readBounded(response, maxAnswerBytes));
    // The connection is given back.
    await response.body?.cancel();
    return response.status === 204 ? {} : refusalBy(response);
  };
}

/** What the service is told. The query is not among it, since tokens may be. */
function descriptionOf(handshake: Handshake, names: readonly string[]): object {
  const { transport, method, path, scheme, headers, clientAddress, identity } = handshake;
  return {
    transport,
    method,
    scheme,
    host: headers.only("host"),
    path,
    origin: headers.only("origin"),
    clientAddress,
    identity: identity && {
      subject: identity.subject,
      scheme: identity.scheme,
      claims: identity.claims,
      expiresAt: identity.expiresAt,
    },
    headers: Object.fromEntries(names.map((name) => [name.toLowerCase(), headers.all(name)])),
  };
}

const unauthorized = refuse("unauthorized", undefined, { reason: "authorize: answered 401" });
const forbidden = refuse("forbidden", undefined, { reason: "authorize: answered 403" });

function refusalBy({ status, headers }: Response): Refusal {
  if (status === 401) return unauthorized;
  if (status === 403) return forbidden;
  if (status !== 429) throw new UnusableAuthorization(`answered ${status}`);
  const retryAfter = readRetryAfter(headers.get("retry-after"));
  return refuse("rate_limited", undefined, {
    headers: retryAfter === undefined ? [] : [["Retry-After", retryAfter]],
    reason: "authorize: answered 429",
  });
}

function readJson(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The error of JSON.parse shows a piece of the text.
    throw new UnusableAuthorization("the answer is no JSON");
  }
  // Functions say yes so, and services do not.
  if (typeof value === "boolean") {
    throw new UnusableAuthorization("the answer is not as described");
  }
  return typeof value === "object" && value !== null ? deepFrozen(value) : value;
}

function readUrl(given: string | URL): URL {
  const url = URL.canParse(given) ? new URL(given) : undefined;
  if (url !== undefined && isSecureUri(url) && url.username === "" && url.password === "") {
    return url;
  }
  throw new ConfigError(
    "ERR_FIRMSHAKE_OPTION_INVALID",
    `authorize: the service must be an https: URL (http: only on loopback) without a password, or whoever is on the way lets clients in.`,
  );
}
