import { createServer, type IncomingMessage, type Server } from "node:http";
import { createServer as createTcpServer, type Server as NetServer, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type ServerOptions, type WebSocket, WebSocketServer } from "ws";
import { acceptKey } from "../../packages/node/src/accept-key.ts";
import { listen } from "../support/server.ts";

/** The origin of the pages that the servers here are for. */
export const appOrigin = "https://app.example.com";

/** What a server here does with a handshake: true lets it in, a number refuses by that status, nothing leaves it hanging. */
export type Rule = (
  request: IncomingMessage,
) => boolean | number | undefined | Promise<boolean | number>;

export interface WsSketch {
  readonly rule?: Rule;
  readonly onSocket?: (socket: WebSocket, request: IncomingMessage) => void;
  readonly options?: ServerOptions;
  readonly server?: Server;
  /** The body of refusals. */
  readonly body?: string;
  /** Header lines of refusals, each with its end. */
  readonly lines?: string;
}

/** A server of `ws` that lets in whom a rule lets in, and echoes. Answers with its URL. */
export async function serveWs(sketch: WsSketch = {}): Promise<string> {
  const {
    rule = () => true,
    onSocket,
    options,
    server = createServer(),
    body = "",
    lines = "",
  } = sketch;
  const wss = new WebSocketServer({ noServer: true, ...options });
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on("error", () => undefined);
    const decide = (answer: boolean | number | undefined): void => {
      if (answer === true) {
        wss.handleUpgrade(request, socket, head, (client) => {
          client.on("error", () => undefined);
          if (onSocket === undefined) client.on("message", (data) => client.send(String(data)));
          else onSocket(client, request);
        });
      } else if (answer !== undefined) {
        const status = answer === false ? 403 : answer;
        socket.end(
          `HTTP/1.1 ${status} No\r\nConnection: close\r\n${lines}Content-Length: ${body.length}\r\n\r\n${body}`,
        );
      }
    };
    void Promise.resolve(rule(request)).then(decide, () => decide(false));
  });
  return `ws://127.0.0.1:${await listen(server)}/chat`;
}

export const isOwn: Rule = ({ headers }) => headers.origin === appOrigin;

/** A server that answers 101 to whatever has an end, and pongs to whatever looks like a ping: it never refuses and never closes. */
export async function serveCarelessly(): Promise<string> {
  const server = createTcpServer((socket) => {
    socket.on("error", () => undefined);
    let isOpen = false;
    let head = "";
    socket.on("data", (chunk: Buffer) => {
      if (isOpen) pongTo(chunk, socket);
      else {
        head += chunk.toString("latin1");
        const end = head.indexOf("\r\n\r\n");
        if (end === -1) return;
        isOpen = true;
        switchProtocols(head, socket);
        pongTo(Buffer.from(head.slice(end + 4), "latin1"), socket);
      }
    });
  });
  return `ws://127.0.0.1:${await listen(server)}/chat`;
}

/** Answers 101 to a request's text, whatever it asks for. */
export function switchProtocols(head: string, socket: Duplex): void {
  const key = /sec-websocket-key: *(\S+)/i.exec(head)?.[1] ?? "";
  const upgrade = /\r\nupgrade: *([^\r]+)/i.exec(head)?.[1] ?? "websocket";
  socket.write(
    `HTTP/1.1 101 Yes\r\nUpgrade: ${upgrade}\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptKey(key)}\r\n\r\n`,
  );
}

/** Answers the pings among these frames of less than 126 bytes. */
export function pongTo(bytes: Buffer, socket: Duplex): void {
  let at = 0;
  while (at + 2 <= bytes.length) {
    const opcode = bytes.readUInt8(at) & 0x0f;
    const isMasked = (bytes.readUInt8(at + 1) & 0x80) !== 0;
    const length = bytes.readUInt8(at + 1) & 0x7f;
    const start = at + 2 + (isMasked ? 4 : 0);
    if (opcode === 0x9) {
      const mask = isMasked ? bytes.subarray(at + 2, start) : Buffer.alloc(4);
      const payload = bytes
        .subarray(start, start + length)
        .map((byte, index) => byte ^ mask.readUInt8(index % 4));
      socket.write(Buffer.concat([Buffer.from([0x8a, payload.length]), payload]));
    }
    at = start + length;
  }
}

/** A TCP server that does with each connection what it is told to. */
export async function serveTcp(onConnection: (socket: Socket) => void): Promise<string> {
  const server: NetServer = createTcpServer((socket) => {
    socket.on("error", () => undefined);
    onConnection(socket);
  });
  return `ws://127.0.0.1:${await listen(server)}/chat`;
}
