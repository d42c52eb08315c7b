import { once } from "node:events";
import { createServer } from "node:http";
import { attach, type Gate, type GateOptions, type Policy } from "@firmshake/node";
import { Server, type ServerOptions, type Socket as ServerSocket } from "socket.io";
import { type ManagerOptions, io as open, type Socket, type SocketOptions } from "socket.io-client";
import { onTestFinished } from "vitest";
import { answerIn, dial, type RawAnswer } from "../../support/raw-client.ts";
import { listen } from "../../support/server.ts";

export interface SocketIoServer {
  readonly io: Server;
  readonly port: number;
  readonly gate: Gate | undefined;
  /** What is connected next. */
  readonly next: () => Promise<ServerSocket>;
}

/** A real Socket.IO server, behind a gate where there is a policy. */
export async function socketIo(
  policy: Policy | undefined,
  options: Partial<ServerOptions> = {},
  gateOptions: GateOptions = {},
  prepare: (io: Server) => void = () => undefined,
): Promise<SocketIoServer> {
  const server = createServer();
  const gate = policy === undefined ? undefined : attach(server, policy, gateOptions);
  const io = new Server(server, options);
  prepare(io);
  onTestFinished(() => void io.close());
  const next = async (): Promise<ServerSocket> => {
    const [socket] = (await once(io, "connection")) as [ServerSocket];
    return socket;
  };
  return { io, port: await listen(server), gate, next };
}

/** A real client, which is closed when the test is over. */
export function client(
  port: number,
  options: Partial<ManagerOptions & SocketOptions> = {},
  namespace = "",
): Socket {
  const socket = open(`http://127.0.0.1:${port}${namespace}`, {
    forceNew: true,
    reconnection: false,
    ...options,
  });
  onTestFinished(() => void socket.close());
  return socket;
}

/** Resolves once it is connected, rejects with what the client was told otherwise. */
export const connected = (socket: Socket): Promise<void> =>
  new Promise((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("connect_error", reject);
  });

/** What the client was told of a refusal. */
export async function connectError(socket: Socket): Promise<ConnectError> {
  return new Promise((resolve, reject) => {
    socket.once("connect", () => reject(new Error("connected")));
    socket.once("connect_error", (error) => resolve(error as ConnectError));
  });
}

export interface ConnectError extends Error {
  readonly description?: number | { readonly message: string };
  readonly context?: { readonly status?: number };
}

/** What a polling client says beyond the least. */
export interface Poll {
  readonly method?: string;
  readonly query?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** One request of a polling session, in bare HTTP on a connection of its own. */
export async function poll(port: number, sketch: Poll = {}): Promise<RawAnswer> {
  const raw = await dial(port);
  raw.send(pollText(sketch));
  return answerIn(await raw.closed);
}

export function pollText({
  method = "GET",
  query = "EIO=4&transport=polling",
  path = "/socket.io/",
  headers = {},
  body,
}: Poll): string {
  const length = body === undefined ? {} : { "Content-Length": String(Buffer.byteLength(body)) };
  const lines = Object.entries({
    Host: "localhost",
    Connection: "close",
    ...length,
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${path}?${query} HTTP/1.1\r\n${lines.join("")}\r\n${body ?? ""}`;
}

/** The id of the session that an answer opens. */
export function sidIn({ body }: RawAnswer): string {
  const found = /\\?"sid\\?":\\?"([\w-]+)/.exec(body)?.[1];
  if (found === undefined) throw new Error(`no session in ${JSON.stringify(body)}`);
  return found;
}
