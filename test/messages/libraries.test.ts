import { createServer, type Server } from "node:http";
import fastifyWebsocket from "@fastify/websocket";
import { message, messages, type Socket, withScope } from "@firmshake/messages";
import {
  allowWith,
  attach,
  type Connection,
  connectionOf,
  guard,
  type Identity,
  insecureAnyOrigin,
} from "@firmshake/node";
import fastify from "fastify";
import FayeWebSocket from "faye-websocket";
import { describe, expect, it, onTestFinished } from "vitest";
import websocket from "websocket";
import { WebSocketServer } from "ws";
import { z } from "zod";
import { listen } from "../support/server.ts";
import { connect } from "./chat.ts";

const protocol = messages({
  types: {
    say: message({
      schema: z.object({ text: z.string() }),
      allow: (connection: Connection) => connection.identity?.subject === "ada",
    }),
    ban: message({ schema: z.object({}), allow: withScope("admin") }),
  },
  onError: (error) => {
    throw error;
  },
});

const ada: Identity = {
  subject: "ada",
  scheme: "bearer",
  claims: { scope: "chat" },
  expiresAt: undefined,
};

type Accept = (socket: Socket, request: object) => void;

function onConnection(socket: Socket, request: object): void {
  protocol.listen(socket, {
    connection: connectionOf(request),
    on: {
      say: ({ text }, { connection: { path }, position }) =>
        socket.send(JSON.stringify({ text, path, position })),
      ban: () => undefined,
    },
  });
}

const libraries: Readonly<Record<string, (server: Server, accept: Accept) => void>> = {
  ws: (server, accept) => void new WebSocketServer({ server }).on("connection", accept),
  "ws, in fragments": (server, accept) =>
    void new WebSocketServer({ server }).on("connection", (socket, request) => {
      socket.binaryType = "fragments";
      accept(socket, request);
    }),
  "ws, in the manner of browsers": (server, accept) =>
    void new WebSocketServer({ server }).on("connection", (socket, request) => {
      const standard = {
        send: (data: string) => socket.send(data),
        close: (code?: number, reason?: string) => socket.close(code, reason),
        addEventListener: socket.addEventListener.bind(socket),
        removeEventListener: socket.removeEventListener.bind(socket),
      };
      accept(standard as Socket, request);
    }),
  "faye-websocket": (server, accept) =>
    void server.on("upgrade", (request, socket, head) =>
      accept(new FayeWebSocket(request, socket, head, []) as unknown as Socket, request),
    ),
  websocket: (server, accept) =>
    void new websocket.server({ httpServer: server }).on("request", (request) =>
      accept(request.accept(null, request.origin) as unknown as Socket, request.httpRequest),
    ),
  "@fastify/websocket": (server, accept) => {
    const app = fastify({
      serverFactory: (handler) => server.on("request", handler),
      forceCloseConnections: true,
    });
    onTestFinished(() => app.close());
    app.register(fastifyWebsocket).after(() => {
      app.get("/", { websocket: true }, (socket, request) => accept(socket, request));
    });
    app.ready();
  },
};

describe.each(Object.entries(libraries))("behind %s", (name, serve) => {
  async function start(): Promise<string> {
    const server = createServer();
    attach(
      server,
      guard(insecureAnyOrigin(), () => allowWith({ identity: ada })),
    );
    serve(server, onConnection);
    return `ws://127.0.0.1:${await listen(server)}/`;
  }

  it("messages reach their handlers, and what is wrong is answered", async () => {
    const client = await connect(await start());
    client.send({ type: "say", text: "hello €" }, { type: "ban" }, Buffer.from("{}"), "{");
    expect(await client.hear(4)).toMatchObject([
      { text: "hello €", path: "/", position: 1 },
      { type: "error", code: "message_not_allowed", of: "ban" },
      { type: "error", code: "binary_unsupported", position: 3 },
      { type: "error", code: "json_malformed", position: 4 },
    ]);
  });

  it("the connection is closed where it has to be", async () => {
    const client = await connect(await start());
    client.send('"\\ud83d"');
    const [code, reason] = await client.closed;
    // Those that send no codes of the protocol's own send 3,000 more.
    expect(name === "faye-websocket" ? [1007, 4007] : [1007]).toContain(code);
    expect(reason).toBe("text_malformed");
  });
});
