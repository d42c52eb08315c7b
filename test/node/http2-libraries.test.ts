import { once } from "node:events";
import type { IncomingMessage, RequestListener, Server } from "node:http";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import type { Duplex } from "node:stream";
import fastifyWebsocket from "@fastify/websocket";
import { allow, attach, connectionOf, guard, insecureAnyOrigin, refuse } from "@firmshake/node";
import Fastify from "fastify";
import { createProxyServer } from "http-proxy-3";
import { Server as SocketIoServer } from "socket.io";
import { describe, expect, it, onTestFinished } from "vitest";
import { WebSocketServer } from "ws";
import {
  answerOver,
  clientFrame,
  closeFrame,
  nextMessage,
  offeringServer,
  openSession,
  openStream,
} from "../support/http2.ts";
import { echoing, listen } from "../support/server.ts";
import { captureThrown } from "../support/thrown.ts";

const require = createRequire(import.meta.url);

/** Of libraries without types of their own, as much as is used. */
interface Emitting<Event> {
  readonly on: (event: string, listener: (given: Event) => void) => void;
}
const { attach: attachEngine } = createRequire(require.resolve("socket.io"))("engine.io") as {
  readonly attach: (
    server: Server,
    options: object,
  ) => Emitting<Emitting<string> & { readonly send: (text: string) => void }> & {
    readonly close: () => void;
  };
};
const FayeWebSocket = require("faye-websocket") as new (
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
) => Emitting<{ readonly data: string }> & { readonly send: (data: string) => void };
const { server: TheturtleServer } = require("websocket") as {
  readonly server: new (
    options: object,
  ) => Emitting<
    Emitting<{ readonly utf8Data: string }> & { readonly sendUTF: (text: string) => void }
  >;
};
const sockjs = require("sockjs") as {
  readonly createServer: (options: object) => Emitting<
    Emitting<string> & { readonly write: (text: string) => void }
  > & {
    readonly installHandlers: (server: Server, options: object) => void;
  };
};

/** A library that echoes, on a server that has a gate. */
interface Library {
  readonly name: string;
  readonly mount: (server: Server) => unknown;
  readonly path?: string;
  /** Messages before the first that it may send. */
  readonly greeting?: (say: (text: string) => void, hear: () => Promise<string>) => Promise<void>;
  readonly wrap?: (text: string) => string;
}

const libraries: readonly Library[] = [
  { name: "ws", mount: (server) => echoing(new WebSocketServer({ server })) },
  {
    name: "ws without a server",
    mount: (server) => {
      const wss = echoing(new WebSocketServer({ noServer: true }));
      server.on("upgrade", (request, socket, head) => {
        wss.handleUpgrade(request, socket, head, (webSocket) => {
          wss.emit("connection", webSocket, request);
        });
      });
    },
  },
  {
    name: "Engine.IO",
    path: "/engine.io/?EIO=4&transport=websocket",
    mount: (server) => {
      const engine = attachEngine(server, {});
      engine.on("connection", (socket) => {
        socket.on("message", (text) => socket.send(text));
      });
      onTestFinished(() => void engine.close());
    },
    greeting: async (_say, hear) => expect(await hear()).toMatch(/^0\{"sid":/),
    wrap: (text) => `4${text}`,
  },
  {
    name: "Socket.IO",
    path: "/socket.io/?EIO=4&transport=websocket",
    mount: (server) => {
      const io = new SocketIoServer(server);
      onTestFinished(() => void io.close());
      io.on("connection", (socket) => {
        expect(connectionOf(socket.request).path).toBe("/socket.io/");
        socket.on("echo", (text: string) => socket.emit("echo", text));
      });
    },
    greeting: async (say, hear) => {
      expect(await hear()).toMatch(/^0\{"sid":/);
      say("40");
      expect(await hear()).toMatch(/^40\{"sid":/);
    },
    wrap: (text) => `42${JSON.stringify(["echo", text])}`,
  },
  {
    name: "faye-websocket",
    mount: (server) =>
      server.on("upgrade", (request, socket, head) => {
        const webSocket = new FayeWebSocket(request, socket, head);
        webSocket.on("message", ({ data }) => webSocket.send(data));
      }),
  },
  {
    name: "websocket",
    mount: (server) =>
      new TheturtleServer({ httpServer: server, autoAcceptConnections: true }).on(
        "connect",
        (connection) => {
          connection.on("message", ({ utf8Data }) => connection.sendUTF(utf8Data));
        },
      ),
  },
  {
    name: "SockJS",
    path: "/echo/websocket",
    mount: (server) => {
      const echo = sockjs.createServer({ log: () => undefined });
      echo.on("connection", (connection) => {
        connection.on("data", (text) => connection.write(text));
      });
      echo.installHandlers(server, { prefix: "/echo" });
    },
  },
  {
    name: "@fastify/websocket",
    mount: async (server) => {
      const serverFactory = (handler: RequestListener): Server => server.on("request", handler);
      const app = Fastify({ http2: true, serverFactory } as never);
      onTestFinished(() => app.close());
      await app.register(fastifyWebsocket);
      await app.register((routes, _options, done) => {
        routes.get("/chat", { websocket: true }, (socket) => {
          socket.on("message", (data: Buffer) => socket.send(String(data)));
        });
        done();
      });
      await app.ready();
    },
  },
  {
    name: "http-proxy-3, to ws behind it",
    mount: async (server) => {
      const behind = createServer();
      echoing(new WebSocketServer({ server: behind }));
      const proxy = createProxyServer({ target: `http://127.0.0.1:${await listen(behind)}` });
      proxy.on("error", () => undefined);
      server.on("upgrade", (request, socket, head) => {
        proxy.ws(request, socket, head);
      });
    },
  },
];

const policy = guard(insecureAnyOrigin(), ({ query }) =>
  query.includes("refuse") ? refuse("forbidden") : allow,
);

describe.each(libraries)("$name", ({ mount, path = "/chat", greeting, wrap = String }) => {
  async function mounted(): Promise<{ server: Server; port: number }> {
    const server = offeringServer();
    attach(server, policy);
    await mount(server);
    return { server, port: await listen(server) };
  }

  it("takes its WebSocket over HTTP/2, echoes, and closes", async () => {
    const thrown = captureThrown();
    const { port } = await mounted();
    const { stream } = await openStream(await openSession(port), { ":path": path });
    const hear = async (): Promise<string> => String(await nextMessage(stream));
    const say = (text: string): void => void stream.write(clientFrame(text));
    await greeting?.(say, hear);
    const long = "long ".repeat(10_000);
    for (const text of ["hello", long, "bye"]) {
      say(wrap(text));
      expect(await hear()).toBe(wrap(text));
    }
    stream.write(closeFrame(1_000));
    stream.on("data", () => undefined);
    stream.on("end", () => stream.end());
    if (!stream.destroyed) await once(stream, "close");
    expect([stream.rstCode, thrown]).toEqual([0, []]);
  });

  it("hears of a reset", async () => {
    const thrown = captureThrown();
    const { server, port } = await mounted();
    const upgraded = once(server, "upgrade") as Promise<[IncomingMessage, Duplex]>;
    const { stream } = await openStream(await openSession(port), { ":path": path });
    const [, socket] = await upgraded;
    stream.close(8);
    await expect.poll(() => socket.destroyed).toBe(true);
    expect(thrown).toEqual([]);
  });

  it("never hears of what is refused", async () => {
    const { server, port } = await mounted();
    let heard = 0;
    server.on("upgrade", () => heard++);
    const refused = `${path}${path.includes("?") ? "&" : "?"}refuse`;
    const { status, body } = await answerOver(await openSession(port), { ":path": refused });
    expect({ status, code: JSON.parse(body).code, heard }).toEqual({
      status: 403,
      code: "forbidden",
      heard: 0,
    });
  });
});

describe("libraries beside each other", () => {
  it("each takes its own path, and refuses in its own words", async () => {
    const server = offeringServer();
    attach(
      server,
      guard(insecureAnyOrigin(), () => allow),
    );
    const wss = echoing(new WebSocketServer({ noServer: true }));
    server.on("upgrade", (request, socket, head) => {
      if (request.url === "/chat") {
        wss.handleUpgrade(request, socket, head, (webSocket) => {
          wss.emit("connection", webSocket, request);
        });
      } else if (request.url === "/none") {
        socket.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n");
      }
    });
    const io = new SocketIoServer(server, { destroyUpgrade: false });
    onTestFinished(() => void io.close());
    const session = await openSession(await listen(server));
    const { stream: chat } = await openStream(session);
    const { stream: engine } = await openStream(session, {
      ":path": "/socket.io/?EIO=4&transport=websocket",
    });
    chat.write(clientFrame("hello"));
    expect(String(await nextMessage(chat))).toBe("hello");
    expect(String(await nextMessage(engine))).toMatch(/^0\{"sid":/);
    expect(await answerOver(session, { ":path": "/none" })).toMatchObject({
      status: 404,
      hasEnded: true,
    });
    const own = await answerOver(session, { ":path": "/socket.io/?EIO=4&transport=none" });
    expect(own).toMatchObject({ status: 400, body: expect.stringContaining("ransport") });
  });

  it("a refusal of ws itself arrives as its own", async () => {
    const server = offeringServer();
    attach(
      server,
      guard(insecureAnyOrigin(), () => allow),
    );
    new WebSocketServer({
      server,
      verifyClient: (_, answer) => answer(false, 418, "Short and stout", { "x-pot": "tea" }),
    });
    const answer = await answerOver(await openSession(await listen(server)));
    expect(answer).toMatchObject({
      status: 418,
      headers: { "x-pot": "tea", "content-length": "15" },
      body: "Short and stout",
      hasEnded: true,
      rstCode: 0,
    });
  });
});
