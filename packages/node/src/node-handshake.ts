import type { IncomingMessage } from "node:http";
import type { TLSSocket } from "node:tls";
import type { Handshake, ProxyTrust, TlsFacts } from "@firmshake/core";
import { createHandshake } from "@firmshake/core/gate";
import type { ExtendedConnect } from "./http2/extended-connect.ts";
import type { Target } from "./target.ts";
import { headerLinesOf } from "./websocket-request.ts";

/**
 * The view of a Node request. Addresses and TLS are taken from `request.socket`: the socket that comes with the upgrade event is on
 * Node 26 not always one that knows them.
 */
export function nodeHandshake(
  { request, connect, transport }: Pick<Target, "request" | "connect" | "transport">,
  maxHeaderLines: number,
  signal: () => AbortSignal,
  trust: ProxyTrust | undefined,
): Handshake {
  if (connect !== undefined) {
    return connectHandshake(connect, request, maxHeaderLines, signal, trust);
  }
  return createHandshake(
    {
      transport,
      method: request.method ?? "",
      target: request.url ?? "",
      httpVersion: request.httpVersion,
      // A copy: middleware, and this gate itself, may change theirs.
      headerLines: headerLinesIn(request),
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

/**
 * The view of an ordinary `POST`, for checks that are made for handshakes. Of the path alone: a query could make it a request of a polling
 * session.
 *
 * @param target - As the client wrote it.
 */
export function postHandshake(
  request: IncomingMessage,
  target: string | undefined,
  signal: () => AbortSignal,
  trust: ProxyTrust | undefined,
): Handshake {
  return createHandshake(
    {
      transport: "polling",
      method: "POST",
      target: target?.split("?", 1)[0] ?? "",
      httpVersion: request.httpVersion,
      headerLines: headerLinesIn(request),
      maxHeaderLines: nodeKeeps,
      showsConnectionHeader: true,
      request,
      peerAddress: () => socketOf(request)?.remoteAddress,
      tls: () => tlsOf(socketOf(request)),
      signal,
    },
    trust,
  );
}

/** By what the client sent: the request was made up from it. */
function connectHandshake(
  { method, target, headerLines, pseudoHeaders }: ExtendedConnect,
  request: IncomingMessage,
  maxHeaderLines: number,
  signal: () => AbortSignal,
  trust: ProxyTrust | undefined,
): Handshake {
  return createHandshake(
    {
      method,
      target,
      httpVersion: "2.0",
      headerLines,
      maxHeaderLines,
      showsConnectionHeader: false,
      pseudoHeaders,
      request,
      peerAddress: () => socketOf(request)?.remoteAddress,
      tls: () => tlsOf(socketOf(request)),
      signal,
    },
    trust,
  );
}

/** HTTP/2 says the host in a field of its own (RFC 9113 §8.3.1); other pseudo-header fields are no header lines. */
function headerLinesIn(request: IncomingMessage): readonly string[] {
  const rawHeaders = headerLinesOf(request);
  if (!(request.httpVersionMajor >= 2)) return rawHeaders.slice();
  const lines: string[] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const [name, value] = [rawHeaders[at] as string, rawHeaders[at + 1] as string];
    if (name === ":authority") lines.push("host", value);
    else if (!name.startsWith(":")) lines.push(name, value);
  }
  return lines;
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
