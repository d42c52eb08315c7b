import { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { ExtendedConnect } from "./extended-connect.ts";

/** The HTTP/1.1 request that would have asked for the same, for middleware and libraries that know nothing else. */
export function upgradeRequest(
  { target, authority, headerLines }: ExtendedConnect,
  socket: Duplex,
  key: string,
): IncomingMessage {
  const lines = ["Host", authority];
  for (let at = 0; at + 1 < headerLines.length; at += 2) {
    const name = headerLines[at] as string;
    if (!isReplaced.has(name)) lines.push(name, headerLines[at + 1] as string);
  }
  lines.push("Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Key", key);
  const request = new IncomingMessage(socket as Socket) as ParsedMessage;
  request.httpVersion = "1.1";
  request.httpVersionMajor = 1;
  request.httpVersionMinor = 1;
  request.method = "GET";
  request.url = target;
  request._addHeaderLines(lines, lines.length);
  request.upgrade = true;
  request.complete = true;
  request.push(null);
  return request;
}

/** What Node's own parser calls and sets, so that headers are joined as in any other request. */
interface ParsedMessage extends IncomingMessage {
  upgrade: boolean;
  readonly _addHeaderLines: (lines: string[], count: number) => void;
}

const isReplaced: ReadonlySet<string> = new Set(["host", "sec-websocket-key"]);
