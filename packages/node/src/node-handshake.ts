import type { IncomingMessage } from "node:http";
import type { TLSSocket } from "node:tls";
import type { Handshake, ProxyTrust, TlsFacts } from "@firmshake/core";
import { createHandshake } from "@firmshake/core/gate";
import { headerLinesOf } from "./websocket-request.ts";

/**
 * The view of a Node request. Addresses and TLS are taken from `request.socket`: the socket that comes with the upgrade event is on
 * Node 26 not always one that knows them.
 */
export function nodeHandshake(
  request: IncomingMessage,
  maxHeaderLines: number,
  signal: () => AbortSignal,
  trust: ProxyTrust | undefined,
): Handshake {
  return createHandshake(
    {
      method: request.method ?? "",
      target: request.url ?? "",
      httpVersion: request.httpVersion,
      // A copy: middleware, and this gate itself, may change theirs.
      headerLines: headerLinesOf(request).slice(),
      maxHeaderLines,
      showsConnectionHeader: true,
      request,
      peerAddress: () => socketOf(request)?.remoteAddress,
      tls: () => tlsOf(socketOf(request)),
      signal,
    },
    trust,
  );
}

/** A request that was made by hand has none. */
const socketOf = (request: IncomingMessage): Partial<TLSSocket> | undefined =>
  request.socket as Partial<TLSSocket> | undefined;

function tlsOf(socket: Partial<TLSSocket> | undefined): TlsFacts | undefined {
  if (socket?.encrypted !== true) return undefined;
  return Object.freeze({
    get protocol(): string | undefined {
      return socket.getProtocol?.() ?? undefined;
    },
    get serverName(): string | undefined {
      return typeof socket.servername === "string" ? socket.servername : undefined;
    },
    get isClientAuthorized(): boolean {
      return socket.authorized === true;
    },
  });
}

/** How many header lines Node keeps on this server; of requests with more it drops some without a word. */
export function headerLinesKeptBy(server: object): number {
  const { maxHeadersCount } = server as { readonly maxHeadersCount?: number | null };
  return Math.min(maxHeadersCount || nodeKeeps, nodeKeeps);
}

const nodeKeeps = 1_000;
