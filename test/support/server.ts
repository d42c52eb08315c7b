import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo, Server as NetServer, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { attach, type Gate, type GateOptions, type Policy } from "@firmshake/node";
import { WebSocket, WebSocketServer } from "ws";
import { whenFinished } from "./test-scope.ts";

/** Lets a server listen on 127.0.0.1 until the test is over, and answers with the port. */
export async function listen(server: NetServer): Promise<number> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  if (!server.listening) server.listen(0, "127.0.0.1");
  if (server.address() === null) await once(server, "listening");
  whenFinished(async () => {
    for (const socket of sockets) socket.destroy();
    if (!server.listening) return;
    server.close();
    await once(server, "close");
  });
  return (server.address() as AddressInfo).port;
}

/** What a library behind the gate was given. */
export interface HandedOver {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

export interface GatedServer {
  readonly server: Server;
  readonly port: number;
  readonly gate: Gate;
  /** The upgrades that got through to a listener which answers nothing. */
  readonly handedOver: HandedOver[];
  /** The next of them. */
  readonly next: () => Promise<HandedOver>;
}

/** A gated server, with a listener behind it that takes the socket and answers "101" in its own words. */
export async function gatedServer(
  policy: Policy,
  options: GateOptions = {},
  server: Server = createServer(),
): Promise<GatedServer> {
  const gate = attach(server, policy, options);
  const handedOver: HandedOver[] = [];
  const waiting: ((one: HandedOver) => void)[] = [];
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on("error", () => undefined);
    socket.write("HTTP/1.1 101 Handed over\r\n\r\n");
    handedOver.push({ request, socket, head });
    waiting.shift()?.({ request, socket, head });
  });
  const port = await listen(server);
  const next = (): Promise<HandedOver> => new Promise((resolve) => waiting.push(resolve));
  return { server, port, gate, handedOver, next };
}

/** A gated server with `ws` behind the gate, which greets and echoes. */
export async function gatedWs(
  policy: Policy,
  options: GateOptions = {},
  server: Server = createServer(),
): Promise<{ server: Server; port: number; gate: Gate; wss: WebSocketServer }> {
  const gate = attach(server, policy, options);
  const wss = echoing(new WebSocketServer({ server }));
  return { server, port: await listen(server), gate, wss };
}

export function echoing(wss: WebSocketServer): WebSocketServer {
  return wss.on("connection", (socket) => {
    socket.on("error", () => undefined);
    socket.on("message", (data) => socket.send(String(data)));
  });
}

/** A `ws` client that is terminated when the test is over. */
export async function openWebSocket(
  url: string,
  protocols: readonly string[] = [],
  options: object = {},
): Promise<WebSocket> {
  const socket = new WebSocket(url, [...protocols], { rejectUnauthorized: false, ...options });
  whenFinished(() => socket.terminate());
  await once(socket, "open");
  socket.on("error", () => undefined);
  return socket;
}

/** What an echoing server answers to one message. */
export async function echoOf(socket: WebSocket, text: string): Promise<string> {
  socket.send(text);
  const [data] = (await once(socket, "message")) as [Buffer];
  return String(data);
}

/** A promise, and what settles it: a check that decides when the test says so. */
export function deferred<Value>(): {
  promise: Promise<Value>;
  resolve: (value: Value) => void;
  reject: (reason: unknown) => void;
} {
  let resolve: (value: Value) => void = () => undefined;
  let reject: (reason: unknown) => void = () => undefined;
  const promise = new Promise<Value>((resolvePromise, rejectPromise) => {
    resolve = resolvePromise;
    reject = rejectPromise;
  });
  return { promise, resolve, reject };
}

/** How many sockets the server holds, in its own words. */
export const connectionsOf = (server: NetServer): Promise<number> =>
  new Promise((resolve, reject) => {
    server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
  });
