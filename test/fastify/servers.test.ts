import dns from "node:dns";
import { once } from "node:events";
import { createServer } from "node:http";
import websocket from "@fastify/websocket";
import { allow, firmshake, insecureAnyOrigin, origin, refuse } from "@firmshake/fastify";
import Fastify, { type FastifyInstance } from "fastify";
import { Server as SocketServer } from "socket.io";
import { type Socket as ClientSocket, io as connectClient } from "socket.io-client";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { WebSocketServer } from "ws";
import { makeCertificate } from "../support/certificate.ts";
import { answerOver, clientFrame, openSession, openStream } from "../support/http2.ts";
import { dial, handshakeText, statusOf } from "../support/raw-client.ts";
import { connectionsOf, deferred, echoing, echoOf, openWebSocket } from "../support/server.ts";
import { libraries, listening, route, served } from "./apps.ts";

const open = insecureAnyOrigin();
const certificate = await makeCertificate();

/** The plugin knows instances by their methods; only types tell servers apart. */
type Any = FastifyInstance;

describe("an app on", () => {
  const servers: readonly { name: string; make: () => Any; isTls: boolean }[] = [
    { name: "http", make: () => Fastify(), isTls: false },
    { name: "https", make: () => Fastify({ https: certificate }) as unknown as Any, isTls: true },
    {
      name: "http2 with HTTP/1.1 beside it",
      make: () =>
        Fastify({ http2: true, https: { ...certificate, allowHTTP1: true } }) as unknown as Any,
      isTls: true,
    },
    {
      name: "a server of its own",
      make: () => Fastify({ serverFactory: (handler) => createServer(handler) }),
      isTls: false,
    },
  ];

  it.each(servers.flatMap((row) => libraries.map(({ library }) => ({ ...row, library }))))(
    "$name is guarded, with $library",
    async ({ make, isTls, library }) => {
      const app = make();
      if (library === "@fastify/websocket") await app.register(websocket);
      await app.register(firmshake, { checks: [open] });
      route(app, "/chat");
      route(app, "/no", { checks: [() => refuse("forbidden")] });
      if (library !== "@fastify/websocket") echoing(new WebSocketServer({ server: app.server }));
      const port = await listening(app);
      const socket = await openWebSocket(`ws${isTls ? "s" : ""}://127.0.0.1:${port}/chat`);
      expect(await echoOf(socket, "hello")).toBe("hello");
      expect(await statusOf(port, { target: "/no" }, { isTls })).toBe(403);
      socket.terminate();
      await expect.poll(() => connectionsOf(app.server)).toBe(0);
    },
  );

  it.each(libraries)(
    "http2 with WebSockets as streams is guarded, with $library",
    async ({ library }) => {
      const settings = { enableConnectProtocol: true };
      const http2 = { ...certificate, allowHTTP1: true, settings };
      const app = Fastify({ http2: true, https: http2 }) as unknown as Any;
      if (library === "@fastify/websocket") await app.register(websocket);
      await app.register(firmshake, { checks: [open] });
      route(app, "/chat");
      route(app, "/no", { checks: [() => refuse("forbidden")] });
      if (library !== "@fastify/websocket") echoing(new WebSocketServer({ server: app.server }));
      const session = await openSession(await listening(app), { isTls: true });
      const { stream } = await openStream(session);
      stream.write(clientFrame("hello"));
      const [frame] = (await once(stream, "data")) as [Buffer];
      expect(frame.subarray(2).toString()).toBe("hello");
      expect(await answerOver(session, { ":path": "/no" })).toMatchObject({ status: 403 });
    },
  );
});

describe("localhost, where Fastify has a server for each address", () => {
  it.each(libraries)("is guarded on all of them: $library", async ({ library }) => {
    const { lookup } = dns;
    const spy = vi.spyOn(dns, "lookup").mockImplementation(((
      name: string,
      options: object,
      done: (error: null, found: unknown) => void,
    ) => {
      if (name !== "localhost" || !("all" in options && options.all))
        return lookup(name, options, done as never);
      done(null, [
        { address: "127.0.0.1", family: 4 },
        { address: "127.0.0.2", family: 4 },
      ]);
    }) as never);
    onTestFinished(() => spy.mockRestore());
    const app = Fastify();
    if (library === "@fastify/websocket") await app.register(websocket);
    await app.register(firmshake, { checks: [open] });
    route(app, "/chat");
    route(app, "/no", { checks: [() => refuse("forbidden")] });
    if (library !== "@fastify/websocket") echoing(new WebSocketServer({ server: app.server }));
    const port = await listening(app, "localhost");
    const addresses = app.addresses().map((one) => (typeof one === "string" ? one : one.address));
    expect(addresses.sort()).toEqual(["127.0.0.1", "127.0.0.2"]);
    for (const host of ["127.0.0.1", "127.0.0.2"]) {
      const socket = await openWebSocket(`ws://${host}:${port}/chat`);
      expect(await echoOf(socket, "hello")).toBe("hello");
      socket.terminate();
      await expect(openWebSocket(`ws://${host}:${port}/no`)).rejects.toThrow("403");
    }
  });
});

describe("close", () => {
  it.each(libraries)("refuses what waits, and ends: $library", async ({ library }) => {
    const asked = deferred<void>();
    const { app, port, events } = await served(library, async (instance, gate) => {
      const hangs = (): Promise<never> => {
        asked.resolve();
        return new Promise<never>(() => undefined);
      };
      await instance.register(firmshake, { checks: [open, hangs], ...gate });
      route(instance, "/chat");
    });
    const client = await dial(port);
    client.send(handshakeText());
    await asked.promise;
    await app.close();
    expect(await client.closed).toContain("503 Service Unavailable");
    expect(events).toMatchObject([{ outcome: "refused", code: "shutting_down" }]);
  });

  it.each(libraries)(
    "new handshakes get 503 while clients take their leave: $library",
    async (row) => {
      const leaving = deferred<void>();
      const said = deferred<void>();
      const { app, port } = await served(row.library, async (instance) => {
        await instance.register(firmshake, { checks: [open] });
        route(instance, "/chat");
        instance.addHook("preClose", async () => {
          said.resolve();
          await leaving.promise;
        });
      });
      const waiting = await dial(port);
      const closed = app.close();
      await said.promise;
      waiting.send(handshakeText());
      expect(await waiting.closed).toContain("503 Service Unavailable");
      leaving.resolve();
      await closed;
    },
  );

  it.each([
    { name: "return503OnClosing is off", options: { return503OnClosing: false } },
    { name: "connections are closed by force", options: { forceCloseConnections: true } },
  ])(
    "an accepted client is told goodbye by @fastify/websocket where $name",
    async ({ options }) => {
      const { app, port } = await served(
        libraries[0].library,
        async (instance) => {
          await instance.register(firmshake, { checks: [open] });
          route(instance, "/chat");
        },
        options,
      );
      const socket = await openWebSocket(`ws://127.0.0.1:${port}/chat`);
      const closed = new Promise((resolve) => socket.once("close", resolve));
      await app.close();
      expect(await closed).toBe(1005);
    },
  );
});

describe("drain", () => {
  it.each([
    { name: "ws on app.server", hasPlugin: false },
    { name: "@fastify/websocket that is registered behind it", hasPlugin: true },
  ])("closing the app closes what is open, as it was told: $name", async ({ hasPlugin }) => {
    const app = Fastify();
    await app.register(firmshake, { checks: [open], drain: { code: "going-away", retryAfter: 9 } });
    if (hasPlugin) await app.register(websocket);
    route(app, "/chat");
    if (!hasPlugin) echoing(new WebSocketServer({ server: app.server }));
    const port = await listening(app);
    const socket = await openWebSocket(`ws://127.0.0.1:${port}/chat`);
    expect(app.firmshake.connections.size).toBe(1);
    const closed = once(socket, "close");
    await app.close();
    const [code, reason] = (await closed) as [number, Buffer];
    expect(`${code} ${reason}`).toBe("1001 draining;retry=9");
    expect(app.firmshake.connections.size).toBe(0);
  });
});

describe("several libraries", () => {
  const paths = { "/chat": "@fastify/websocket", "/other": "ws" };

  it.each([true, false])(
    "on one server, @fastify/websocket in front of the plugin: %s",
    async (isBefore) => {
      const app = Fastify();
      if (isBefore) await app.register(websocket);
      await app.register(firmshake, { checks: [open] });
      if (!isBefore) await app.register(websocket);
      app.get("/chat", { websocket: true }, (socket) => {
        socket.on("message", () => socket.send("chat"));
      });
      app.get("/page", async () => "page");
      const wss = new WebSocketServer({ noServer: true });
      app.server.on("upgrade", (request, socket, head) => {
        if (request.url === "/page") wss.handleUpgrade(request, socket, head, () => undefined);
      });
      const port = await listening(app);
      const chat = await openWebSocket(`ws://127.0.0.1:${port}/chat`);
      expect(await echoOf(chat, "?")).toBe("chat");
      chat.terminate();
      expect(await (await fetch(`http://127.0.0.1:${port}/page`)).text()).toBe("page");
      expect((await fetch(`http://127.0.0.1:${port}/chat`)).status).toBe(404);
    },
  );

  it("on one server: one decision, and a second lifecycle of @fastify/websocket's own", async () => {
    const app = Fastify();
    const lifecycles: string[] = [];
    const seen: unknown[] = [];
    let decisions = 0;
    await app.register(websocket);
    app.addHook("onRequest", async ({ url, ws }) => void lifecycles.push(`${url} ${ws}`));
    await app.register(firmshake, {
      checks: [
        open,
        async () => {
          decisions++;
          return allow;
        },
      ],
    });
    app.get("/chat", { websocket: true }, (socket, request) => {
      seen.push(request.firmshake?.path);
      socket.on("message", () => socket.send(paths["/chat"]));
    });
    const wss = new WebSocketServer({ noServer: true });
    app.server.on("upgrade", (request, socket, head) => {
      if (request.url !== "/other") return;
      wss.handleUpgrade(request, socket, head, (client) => {
        client.on("message", () => client.send(paths["/other"]));
      });
    });
    app.get(
      "/no",
      { websocket: true, config: { firmshake: { checks: [() => refuse("forbidden")] } } },
      () => undefined,
    );
    const port = await listening(app);
    const chat = await openWebSocket(`ws://127.0.0.1:${port}/chat`);
    expect(await echoOf(chat, "?")).toBe("@fastify/websocket");
    expect(lifecycles).toEqual(["/chat false", "/chat true"]);
    expect([decisions, seen]).toEqual([1, ["/chat"]]);
    expect(await statusOf(port, { target: "/no" })).toBe(403);
    chat.terminate();
  });

  it("on two servers: what @fastify/websocket does elsewhere is not taken for what is here", async () => {
    const elsewhere = createServer();
    const app = Fastify();
    let lifecycles = 0;
    await app.register(websocket, { options: { server: elsewhere } });
    app.addHook("onRequest", async () => void lifecycles++);
    await app.register(firmshake, { checks: [open, async () => allow] });
    route(app, "/chat");
    route(app, "/no", { checks: [() => refuse("forbidden")] });
    let upgrades = 0;
    elsewhere.prependListener("upgrade", () => upgrades++);
    echoing(new WebSocketServer({ server: app.server }));
    const port = await listening(app);
    expect([upgrades, lifecycles]).toEqual([0, 0]);
    const socket = await openWebSocket(`ws://127.0.0.1:${port}/chat`);
    expect(await echoOf(socket, "hello")).toBe("hello");
    expect(await statusOf(port, { target: "/no" })).toBe(403);
    expect([upgrades, lifecycles]).toEqual([0, 2]);
    socket.terminate();
    elsewhere.close();
  });

  it("Socket.IO is guarded by the instance's policy", async () => {
    const app = Fastify();
    await app.register(firmshake, { checks: [origin(["https://app.example.com"])] });
    app.get("/page", async () => "page");
    await app.ready();
    const io = new SocketServer(app.server);
    io.on("connection", (socket) => {
      socket.on("ask", (answer: (text: string) => void) => answer("well"));
    });
    const port = await listening(app);
    const open = (Origin: string): ClientSocket => {
      const client = connectClient(`http://127.0.0.1:${port}`, {
        transports: ["websocket"],
        extraHeaders: { Origin },
        reconnection: false,
      });
      onTestFinished(() => void client.disconnect());
      return client;
    };
    expect(await open("https://app.example.com").emitWithAck("ask")).toBe("well");
    const refused = open("https://evil.test");
    const error = await new Promise((resolve) => refused.once("connect_error", resolve));
    expect(error).toBeInstanceOf(Error);
    expect(io.engine.clientsCount).toBe(1);
    expect(await (await fetch(`http://127.0.0.1:${port}/page`)).text()).toBe("page");
    io.disconnectSockets(true);
  });

  it("a listener of one's own by the same name as theirs is not called with what is no upgrade", async () => {
    const app = Fastify();
    const requests: unknown[] = [];
    await app.register(firmshake, { checks: [open] });
    app.server.on("upgrade", function onUpgrade(request, socket) {
      requests.push(request.url);
      socket.end("HTTP/1.1 101 Handed over\r\n\r\n");
    });
    const port = await listening(app);
    expect(await statusOf(port)).toBe(101);
    expect(requests).toEqual(["/chat"]);
  });
});

it("without any library, upgrades are pages, and refused like others", async () => {
  const app = Fastify();
  await app.register(firmshake, { checks: [open] });
  app.get("/page", async () => "page");
  app.get(
    "/no",
    { config: { firmshake: { checks: [() => refuse("forbidden")] } } },
    async () => "no",
  );
  const port = await listening(app);
  expect(await statusOf(port, { target: "/page" })).toBe(200);
  expect(await statusOf(port, { target: "/no" })).toBe(403);
});

it("a gate that was taken away lets everything by", async () => {
  const { app, shake } = await served(libraries[0].library, async (instance) => {
    await instance.register(firmshake, { checks: [() => refuse("forbidden")] });
    route(instance, "/chat");
  });
  expect((await shake()).status).toBe(403);
  app.firmshake.detach();
  expect((await shake()).status).toBe(101);
});
