import type { IncomingMessage } from "node:http";
import type { Handshake } from "@firmshake/core";
import { rewriteOf } from "@firmshake/core/gate";
import { offerableExtensions } from "./frames/compression-offer.ts";
import type { FrameRules } from "./frames/frame-rules.ts";

/** Takes what must not reach a WebSocket library out of the request: withheld subprotocols, secrets in the query. */
export function rewriteRequest(request: IncomingMessage, handshake: Handshake): void {
  const rewrite = rewriteOf(handshake);
  if (rewrite === undefined) return;
  if (rewrite.target !== undefined) {
    retarget(request, handshake.target, rewrite.target);
    // Express 4 has parsed it on the way.
    forgetWithheld((request as { readonly query?: unknown }).query, handshake);
  }
  if (rewrite.protocols !== undefined) offerOnly(request, rewrite.protocols);
}

/**
 * Takes parameters that were withheld from the URL out of what a framework has made of its query before.
 *
 * @param query - An object by names of parameters; anything else is left alone.
 */
export function forgetWithheld(query: unknown, handshake: Handshake): void {
  const target = rewriteOf(handshake)?.target;
  if (target === undefined || typeof query !== "object" || query === null) return;
  const left = parametersOf(target);
  for (const name of parametersOf(handshake.target).keys()) {
    if (!left.has(name)) Reflect.deleteProperty(query, name);
  }
}

function parametersOf(target: string): URLSearchParams {
  const start = target.indexOf("?");
  return new URLSearchParams(start === -1 ? "" : target.slice(start));
}

/** Express, Connect and Fastify keep the URL in a second place, from which proxies and loggers take it. */
function retarget(
  request: IncomingMessage & { originalUrl?: string },
  before: string,
  target: string,
): void {
  if (request.originalUrl === request.url || request.originalUrl === before) {
    request.originalUrl = target;
  }
  request.url = target;
}

function offerOnly(request: IncomingMessage, protocols: readonly string[]): void {
  const value = protocols.length === 0 ? undefined : protocols.join(", ");
  replaceHeader(request, "Sec-WebSocket-Protocol", value);
}

/** Shows the library no other extensions (RFC 6455 §9.1) than may be agreed to. */
export function offerExtensions(
  request: IncomingMessage,
  compression: FrameRules["compression"],
): void {
  const offered = request.headers["sec-websocket-extensions"];
  if (offered === undefined) return;
  const left = offerableExtensions(String(offered), compression);
  if (left !== offered) replaceHeader(request, "Sec-WebSocket-Extensions", left);
}

/**
 * Node reads both views out of the raw lines when they are first asked for, by a count of its own: so they are asked for before. Requests
 * that were made by hand have `headers` alone.
 */
function replaceHeader(request: IncomingMessage, name: string, value: string | undefined): void {
  const { headers, headersDistinct = {}, rawHeaders = [] } = request;
  const key = name.toLowerCase();
  for (let at = rawHeaders.length - 2; at >= 0; at -= 2) {
    if (rawHeaders[at]?.toLowerCase() === key) rawHeaders.splice(at, 2);
  }
  delete headers[key];
  delete headersDistinct[key];
  if (value === undefined) return;
  rawHeaders.push(name, value);
  headers[key] = value;
  headersDistinct[key] = [value];
}
