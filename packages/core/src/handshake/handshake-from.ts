import { anything, aText, aTimeoutMs, oneOf, readOptions } from "../config/options.ts";
import { deadline } from "../fetch/deadline.ts";
import { createHandshake, type Handshake, type TlsFacts, type Transport } from "./handshake.ts";
import { type ProxyTrust, type TrustedProxiesOptions, trustedProxies } from "./proxy-trust.ts";

/** The parts of a web-standard `Request` that are read. */
export interface RequestLike {
  readonly method: string;
  readonly url: string;
  readonly headers: Iterable<readonly [string, string]>;
  readonly signal?: AbortSignal;
}

/** What {@link handshakeFrom} takes besides the request. */
export interface HandshakeFromOptions {
  /**
   * The address at the other end of the socket; runtimes keep it outside of the `Request`. Where it is unknown, checks by address refuse,
   * and foreign names over loopback (DNS rebinding) are not seen: list names with `host` or `origin`.
   */
  readonly peerAddress?: string | undefined;
  /** How the client connects; say `polling` for the requests of an HTTP fallback. Default `websocket`. */
  readonly transport?: Transport;
  /** Which peers' forwarding headers count. Default: nobody's. Compile it once, with {@link trustedProxies}. */
  readonly trustProxy?: ProxyTrust | TrustedProxiesOptions | readonly string[];
  /** How long the checks may take, in milliseconds. Default 5,000. */
  readonly timeoutMs?: number;
}

const defaultTimeoutMs = 5_000;
const maxHeaderLines = 1_000;

/**
 * Makes a handshake from a web-standard `Request`, for runtimes whose servers hand those out.
 *
 * Repeated headers arrive joined there, and `Connection` may be withheld; what can still be checked is. What the client sent never makes it
 * throw: a request that is no handshake is refused by whoever decides on it.
 *
 * @throws {@link ConfigError} for options that are not as described.
 *
 * @example
 * ```ts
 * import { guard, handshakeFrom, origin, responseOf } from "@firmshake/core";
 *
 * const chat = guard(origin(["https://app.example.com"]));
 *
 * export async function answer(request: Request): Promise<Response | undefined> {
 *   const verdict = await chat.decide(handshakeFrom(request, { peerAddress: "203.0.113.7" }));
 *   return verdict.ok ? undefined : responseOf(verdict.refusal);
 * }
 * ```
 */
export function handshakeFrom(request: RequestLike, options: HandshakeFromOptions = {}): Handshake {
  const {
    peerAddress,
    transport = "websocket",
    trustProxy,
    timeoutMs = defaultTimeoutMs,
  } = readOptions<HandshakeFromOptions>("handshakeFrom", options, {
    peerAddress: aText,
    transport: oneOf("websocket", "polling"),
    trustProxy: anything,
    timeoutMs: aTimeoutMs,
  });
  const url = urlOf(request.url);
  const headerLines = [...request.headers].flat();
  if (!headerLines.some((text, index) => index % 2 === 0 && text.toLowerCase() === "host")) {
    headerLines.push("host", url.host);
  }
  return createHandshake(
    {
      transport,
      method: request.method,
      target: url.pathname + url.search,
      httpVersion: undefined,
      headerLines,
      maxHeaderLines,
      showsConnectionHeader: false,
      peerAddress: () => peerAddress,
      tls: () => (url.protocol === "https:" || url.protocol === "wss:" ? tlsOnly : undefined),
      signal: () => deadline(timeoutMs, request.signal),
    },
    trustProxy === undefined ? undefined : trustedProxies(trustProxy),
  );
}

interface Url {
  readonly protocol: string;
  readonly host: string;
  readonly pathname: string;
  readonly search: string;
}

/** Of what is no URL, made by runtimes that join it out of a Host header: a target that is refused, since nothing here may throw. */
function urlOf(text: string): Url {
  return URL.canParse(text) ? new URL(text) : { protocol: "", host: "", pathname: "", search: "" };
}

const tlsOnly: TlsFacts = Object.freeze({
  protocol: undefined,
  serverName: undefined,
  isClientAuthorized: false,
});
