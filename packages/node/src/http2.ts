import type { Http2Stream, IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { ConfigError } from "@firmshake/core";

/**
 * Refuses servers that offer WebSockets over HTTP/2 (RFC 8441): they arrive as streams, without an upgrade, so a gate on upgrades would
 * be walked around.
 *
 * @throws {@link ConfigError} `ERR_FIRMSHAKE_HTTP2_UNGUARDED`
 */
export function refuseExtendedConnect(server: object): void {
  for (const symbol of Object.getOwnPropertySymbols(server)) {
    if (symbol.description !== "options") continue;
    const options = (server as Record<symbol, unknown>)[symbol];
    const { settings } = (options ?? {}) as {
      readonly settings?: { readonly enableConnectProtocol?: boolean };
    };
    if (settings?.enableConnectProtocol !== true) continue;
    throw new ConfigError(
      "ERR_FIRMSHAKE_HTTP2_UNGUARDED",
      "attach: this HTTP/2 server offers WebSockets as streams (settings.enableConnectProtocol), which are not guarded yet. Leave that setting out; browsers then use HTTP/1.1 for WebSockets, with allowHTTP1: true.",
    );
  }
}

/** Whether a stream asks for a WebSocket although none was offered. */
export function isExtendedConnect(headers: IncomingHttpHeaders): boolean {
  return headers[":method"] === "CONNECT" && headers[":protocol"] !== undefined;
}

/** Nobody behind the gate gets to see such a stream (RFC 9110 §15.6.2). */
export function refuseStream(stream: Http2Stream): void {
  stream.on("error", () => undefined);
  // To answer a stream that is gone already would throw.
  if (stream.destroyed || stream.closed) return;
  (stream as ServerHttp2Stream).respond({ ":status": 501 }, { endStream: true });
}
