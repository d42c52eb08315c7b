import type { IncomingMessage } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import websocket from "@fastify/websocket";
import type { DecisionEvent, GateOptions, RoutePolicy } from "@firmshake/fastify";
import Fastify, {
  type FastifyInstance,
  type FastifyPluginAsync,
  type FastifyServerOptions,
  type RouteShorthandOptions,
} from "fastify";
import { onTestFinished } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import {
  answerIn,
  type DialOptions,
  dial,
  handshakeText,
  type RawAnswer,
  type RawHandshake,
} from "../support/raw-client.ts";
import { echoing } from "../support/server.ts";

/** What stands behind the gate: a library that starts the lifecycle by itself, and one that knows nothing of Fastify. */
export const libraries = [
  { library: "@fastify/websocket", isInside: true },
  { library: "ws on app.server", isInside: false },
] as const;

export type Library = (typeof libraries)[number]["library"];

export interface Served {
  readonly app: FastifyInstance;
  readonly port: number;
  /** The requests that the library has accepted. */
  readonly accepted: IncomingMessage[];
  readonly events: DecisionEvent[];
  /** The lines of Fastify's logger. */
  readonly lines: readonly Record<string, unknown>[];
  /** What comes of one handshake: 101, or the whole answer. */
  readonly shake: (sketch?: RawHandshake, options?: DialOptions) => Promise<RawAnswer>;
}

/** Puts a library behind an app that is built by the test, and lets it listen until the test is over. */
export async function served(
  library: Library,
  build: (app: FastifyInstance, gate: GateOptions) => unknown,
  options: FastifyServerOptions = {},
): Promise<Served> {
  const lines: Record<string, unknown>[] = [];
  const stream = { write: (line: string) => void lines.push(JSON.parse(line)) };
  const app = Fastify({ logger: { stream }, ...options });
  const events: DecisionEvent[] = [];
  if (library === "@fastify/websocket") await app.register(websocket);
  await build(app, { onDecision: (event) => void events.push(event) });
  await app.ready();
  const wss = app.websocketServer ?? echoing(new WebSocketServer({ server: app.server }));
  const accepted: IncomingMessage[] = [];
  wss.on("connection", (socket: WebSocket, request: IncomingMessage) => {
    accepted.push(request);
    socket.on("error", () => undefined);
  });
  const port = await listening(app);
  const shake = async (sketch: RawHandshake = {}, to: DialOptions = {}): Promise<RawAnswer> => {
    const client = await dial(port, to);
    client.send(handshakeText(sketch));
    const head = answerIn(await client.until("\r\n\r\n"));
    if (head.status === 101) client.socket.destroy();
    return head.status === 101 ? head : answerIn(await client.closed);
  };
  return { app, port, accepted, events, lines, shake };
}

/** Lets an app listen until the test is over; answers with its port. */
export async function listening(app: FastifyInstance, host = "127.0.0.1"): Promise<number> {
  const sockets = new Set<Socket>();
  app.server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await app.close();
  });
  await app.listen({ port: 0, host });
  return (app.server.address() as AddressInfo).port;
}

/** A route that is a WebSocket's with `@fastify/websocket`, and otherwise a page that no upgrade must reach. */
export function route(
  scope: FastifyInstance,
  path: string,
  firmshake?: RoutePolicy,
  options: RouteShorthandOptions = {},
): void {
  const config = firmshake === undefined ? {} : { firmshake };
  if (scope.websocketServer === undefined) {
    scope.get(path, { ...options, config }, async () => "page");
  } else {
    scope.get(path, { ...options, config, websocket: true }, (socket) => {
      socket.on("message", (data: Buffer) => socket.send(String(data)));
    });
  }
}

/** An encapsulated scope. */
export async function scoped(
  instance: FastifyInstance,
  build: (scope: FastifyInstance) => unknown,
  options: { readonly prefix?: string } = {},
): Promise<void> {
  const plugin: FastifyPluginAsync = async (scope) => {
    await build(scope);
  };
  await instance.register(plugin, options);
}

/** The statuses of handshakes for several paths. */
export async function statusesOf(
  { shake }: Served,
  paths: readonly string[],
  headers: RawHandshake["headers"] = {},
): Promise<Record<string, number>> {
  const statuses: Record<string, number> = {};
  for (const target of paths) statuses[target] = (await shake({ target, headers })).status;
  return statuses;
}
