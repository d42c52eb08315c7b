import type { IncomingMessage } from "node:http";
import websocket from "@fastify/websocket";
import {
  allow,
  allowWith,
  type Check,
  connectionOf,
  type DecidingHook,
  firmshake,
  guard,
  insecureAnyOrigin,
  refuse,
  requestOf,
} from "@firmshake/fastify";
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { describe, expect, it, onTestFinished } from "vitest";
import { listenersOn } from "../support/listeners.ts";
import { dial, handshakeText, textFrame } from "../support/raw-client.ts";
import { connectionsOf, deferred, openWebSocket } from "../support/server.ts";
import { captureThrown } from "../support/thrown.ts";
import { libraries, route, scoped, served } from "./apps.ts";

const open = insecureAnyOrigin();
const hooks = ["onRequest", "preValidation", "preHandler"] as const;

/** Notes in which order hooks and the decision come. */
function noted(order: string[]): { readonly note: (name: string) => Check; readonly hook: Noting } {
  const hook: Noting = (scope, name, text) => {
    scope.addHook(name as "onRequest", async () => void order.push(text));
  };
  return {
    note: (name) => () => {
      order.push(name);
      return allow;
    },
    hook,
  };
}
type Noting = (scope: FastifyInstance, name: DecidingHook, text: string) => void;

describe.each(libraries)("$library", ({ library }) => {
  it.each([
    {
      name: "by default",
      at: {},
      expected: ["session", "check", "later", "validation", "handler"],
    },
    {
      name: "in onRequest",
      at: { hook: "onRequest" },
      expected: ["session", "check", "later", "validation", "handler"],
    },
    {
      name: "in preValidation",
      at: { hook: "preValidation" },
      expected: ["session", "later", "check", "validation", "handler"],
    },
    {
      name: "in preHandler",
      at: { hook: "preHandler" },
      expected: ["session", "later", "validation", "check", "handler"],
    },
  ] as const)("an instance decides behind the hooks before it: $name", async ({ at, expected }) => {
    const order: string[] = [];
    const { note, hook } = noted(order);
    const { shake } = await served(library, async (app) => {
      hook(app, "onRequest", "session");
      await app.register(firmshake, { checks: [open, note("check")], ...at });
      hook(app, "onRequest", "later");
      hook(app, "preValidation", "validation");
      hook(app, "preHandler", "handler");
      route(app, "/chat");
    });
    expect((await shake()).status).toBe(101);
    expect(order).toEqual(expected);
  });

  it.each(hooks)("a route decides behind its own hooks and all others: %s", async (at) => {
    const order: string[] = [];
    const { note, hook } = noted(order);
    const { shake } = await served(library, async (app) => {
      await app.register(firmshake, { checks: [open, note("instance")] });
      hook(app, at, "instance's hook");
      const own = async (): Promise<void> => void order.push("route's hook");
      route(app, "/chat", { hook: at, checks: [note("route")] }, { [at]: own });
    });
    expect((await shake()).status).toBe(101);
    expect(order).toEqual(["instance's hook", "route's hook", "instance", "route"]);
  });

  it("a scope decides behind the hooks before its own registration", async () => {
    const order: string[] = [];
    const { note, hook } = noted(order);
    const { shake } = await served(library, async (app) => {
      await app.register(firmshake, { checks: [open, note("instance")] });
      await scoped(app, async (scope) => {
        hook(scope, "onRequest", "session");
        await scope.register(firmshake, { checks: [note("scope")] });
        route(scope, "/chat");
      });
    });
    expect((await shake()).status).toBe(101);
    expect(order).toEqual(["session", "instance", "scope"]);
  });

  it("the last hook that somebody names is the one for all, and each check is asked once", async () => {
    const order: string[] = [];
    const { note, hook } = noted(order);
    const { shake } = await served(library, async (app) => {
      await app.register(firmshake, { hook: "preHandler", checks: [open, note("instance")] });
      hook(app, "preValidation", "validation");
      hook(app, "preHandler", "handler");
      route(app, "/chat", { checks: [note("route")] });
    });
    expect((await shake()).status).toBe(101);
    expect(order).toEqual(["validation", "instance", "route", "handler"]);
  });

  it.each(hooks)(
    "a hook of the application's own that stands behind keeps its say: %s",
    async (at) => {
      const { shake, accepted } = await served(library, async (app) => {
        await app.register(firmshake, { checks: [open] });
        app.addHook(at as "onRequest", async (_request, reply) => reply.code(401).send("who?"));
        route(app, "/chat");
      });
      expect(await shake()).toMatchObject({ status: 401, body: "who?" });
      expect(accepted).toEqual([]);
    },
  );

  it("so does one that another plugin puts on routes, behind the plugin", async () => {
    const { shake, accepted } = await served(library, async (app) => {
      await app.register(firmshake, { checks: [open] });
      app.addHook("onRoute", (options) => {
        const own = async (_request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> =>
          reply.code(401).send("who?");
        options.preHandler = [options.preHandler ?? [], own].flat();
      });
      route(app, "/chat");
    });
    expect(await shake()).toMatchObject({ status: 401, body: "who?" });
    expect(accepted).toEqual([]);
  });

  it("checks find Fastify's request, with what hooks have put there", async () => {
    const found = deferred<unknown>();
    const tenant = guard(open, (handshake) => {
      const request = requestOf(handshake);
      found.resolve([request.query, request.params, request.getDecorator("tenant")]);
      return allowWith({ tenant: "blue" });
    });
    const { shake, accepted } = await served(library, async (app) => {
      app.decorateRequest("tenant", "");
      app.addHook("onRequest", async (request) => request.setDecorator("tenant", "blue"));
      await app.register(firmshake);
      route(app, "/rooms/:room", tenant);
    });
    expect((await shake({ target: "/rooms/7?x=1" })).status).toBe(101);
    expect(await found.promise).toEqual([{ x: "1" }, { room: "7" }, "blue"]);
    expect(connectionOf(accepted[0] as IncomingMessage, tenant).facts.tenant).toBe("blue");
  });

  it.each([
    { name: "at once", check: () => allowWith({ a: 1 }) },
    { name: "after a while", check: async () => allowWith({ a: 1 }) },
  ])("the socket has no listeners that it would not have without the gate: $name", async (row) => {
    const listenersOf = async (isGated: boolean): Promise<unknown> => {
      const { port, accepted } = await served(library, async (app) => {
        if (isGated) await app.register(firmshake, { checks: [open, row.check] });
        route(app, "/chat");
      });
      const client = await openWebSocket(`ws://127.0.0.1:${port}/chat`);
      const { socket } = accepted[0] as IncomingMessage;
      const counts = listenersOn(socket);
      client.terminate();
      return counts.toSorted();
    };
    expect(await listenersOf(true)).toEqual(await listenersOf(false));
  });

  it("messages that come with the handshake arrive", async () => {
    const { port } = await served(library, async (app) => {
      await app.register(firmshake, { checks: [open, async () => allow] });
      route(app, "/chat");
    });
    const client = await dial(port);
    client.send(Buffer.concat([Buffer.from(handshakeText()), textFrame("hello")]));
    expect(await client.until("hello")).toContain("101 Switching Protocols");
  });

  it("what is decided at once is handed over at once", async () => {
    const order: string[] = [];
    const { app, shake } = await served(library, async (instance) => {
      instance.addHook("onRequest", (_request, _reply, done) => {
        process.nextTick(() => order.push("next tick"));
        done();
      });
      await instance.register(firmshake, { checks: [open, () => allow] });
      route(instance, "/chat");
    });
    const noteAccepted = (): void => void order.push("accepted");
    if (app.websocketServer === undefined) app.server.on("upgrade", noteAccepted);
    else app.websocketServer.on("connection", noteAccepted);
    expect((await shake()).status).toBe(101);
    expect(order).toEqual(["accepted", "next tick"]);
  });

  it("ordinary requests are not decided on", async () => {
    const { port } = await served(library, async (app) => {
      await app.register(firmshake, { checks: [() => refuse("forbidden")] });
      app.get("/page", async (request) => ({ connection: request.firmshake ?? "none" }));
    });
    const response = await fetch(`http://127.0.0.1:${port}/page`);
    expect([response.status, await response.json()]).toEqual([200, { connection: "none" }]);
  });

  it("inject behaves as without the plugin, with upgrade headers too", async () => {
    const answers = async (isGated: boolean): Promise<unknown> => {
      const { app } = await served(library, async (instance) => {
        if (isGated) await instance.register(firmshake, { checks: [() => refuse("forbidden")] });
        route(instance, "/chat");
      });
      const headers = { upgrade: "websocket", connection: "upgrade" };
      const plain = await app.inject({ url: "/chat" });
      const upgrade = await app.inject({ url: "/chat", headers });
      return [plain, upgrade].map(({ statusCode, body }) => [statusCode, body]);
    };
    expect(await answers(true)).toEqual(await answers(false));
  });
});

describe("@fastify/websocket", () => {
  const library = libraries[0].library;

  it.each([
    { name: "before the plugin", isBefore: true },
    { name: "behind the plugin", isBefore: false },
  ])(
    "may be registered $name: one lifecycle, and hooks see the WebSocket",
    async ({ isBefore }) => {
      const app = Fastify();
      onTestFinished(() => app.close());
      const seen: unknown[] = [];
      if (isBefore) await app.register(websocket);
      await app.register(firmshake, { checks: [open, async () => allowWith({ a: 1 })] });
      if (!isBefore) await app.register(websocket);
      app.addHook("onRequest", async ({ ws, firmshake: found }) => void seen.push([ws, found]));
      app.get("/chat", { websocket: true }, (socket, request) => {
        seen.push([request.ws, request.firmshake?.facts, connectionOf(request).path]);
        socket.send("welcome");
      });
      app.get("/no", { websocket: true, config: { firmshake: guard() } }, () => undefined);
      await app.ready();
      const socket = await app.injectWS("/chat", { headers: { host: "localhost" } });
      expect(seen).toEqual([
        [true, undefined],
        [true, { a: 1 }, "/chat"],
      ]);
      socket.terminate();
      const headers = { host: "localhost", origin: "https://evil.test" };
      await expect(app.injectWS("/no", { headers })).rejects.toThrow("403");
      await expect(app.injectWS("/none", { headers })).rejects.toThrow("404");
    },
  );

  it("in a scope: its routes alone are WebSockets, and outside are pages", async () => {
    const app = Fastify();
    onTestFinished(() => app.close());
    await app.register(firmshake, { checks: [open] });
    const lifecycles: string[] = [];
    app.addHook("onRequest", async ({ url }) => void lifecycles.push(url));
    await scoped(app, async (scope) => {
      await scope.register(websocket);
      scope.get("/chat", { websocket: true }, (socket) => socket.send("welcome"));
      scope.get(
        "/no",
        { websocket: true, config: { firmshake: { checks: [() => refuse("forbidden")] } } },
        () => undefined,
      );
    });
    app.get("/page", async () => "page");
    await app.ready();
    const inject = (app as unknown as { injectWS?: FastifyInstance["injectWS"] }).injectWS;
    expect(inject).toBeUndefined();
    await app.listen({ port: 0, host: "127.0.0.1" });
    const { port } = app.server.address() as { port: number };
    const socket = await openWebSocket(`ws://127.0.0.1:${port}/chat`);
    socket.terminate();
    for (const [target, expected] of [
      ["/no", "403 "],
      ["/page", "200 "],
    ] as const) {
      const client = await dial(port);
      client.send(handshakeText({ target }));
      expect(await client.closed).toContain(`HTTP/1.1 ${expected}`);
    }
    expect(lifecycles).toEqual(["/chat", "/no", "/page"]);
    await expect.poll(() => connectionsOf(app.server)).toBe(0);
  });

  it("a page that is asked for as a WebSocket is accepted and closed, as without the gate", async () => {
    const { port, accepted } = await served(library, async (app) => {
      await app.register(firmshake, { checks: [open] });
      app.get("/page", async () => "page");
    });
    const socket = await openWebSocket(`ws://127.0.0.1:${port}/page`);
    await expect.poll(() => socket.readyState).toBe(socket.CLOSED);
    expect(accepted.length).toBe(1);
  });

  it("an allowed path without a route is answered by the not-found handler", async () => {
    const { shake, events } = await served(library, async (app, gate) => {
      await app.register(firmshake, { checks: [open], ...gate });
      app.setNotFoundHandler(async (_request, reply) => reply.code(404).send("nothing here"));
    });
    expect(await shake()).toMatchObject({ status: 404, body: "nothing here" });
    expect(events).toMatchObject([{ outcome: "answered", status: 404 }]);
  });

  it("a URL that Fastify refuses to route is answered by Fastify", async () => {
    const { shake, events, app } = await served(library, async (instance, gate) => {
      await instance.register(firmshake, { checks: [open], ...gate });
      route(instance, "/rooms/:room");
    });
    expect((await shake({ target: "/rooms/%zz" })).status).toBe(400);
    expect(events).toMatchObject([{ outcome: "answered", status: 400 }]);
    await expect.poll(() => connectionsOf(app.server)).toBe(0);
  });

  it("sees the URL that the application's rewriteUrl has made", async () => {
    const urls: (string | undefined)[] = [];
    const { shake } = await served(
      library,
      async (app) => {
        await app.register(firmshake, { checks: [open] });
        app.get("/chat", { websocket: true }, (_socket, request) => {
          urls.push(request.url, request.originalUrl);
        });
      },
      { rewriteUrl: ({ url = "" }) => url.replace("/old", "/chat") },
    );
    expect((await shake({ target: "/old?x=1" })).status).toBe(101);
    expect(urls).toEqual(["/chat?x=1", "/old?x=1"]);
  });
});

describe("callNotFound of a hook", () => {
  it.each(libraries.flatMap(({ library }) => hooks.map((at) => ({ library, at }))))(
    "is an answer, not an end: $at with $library",
    async ({ library, at }) => {
      const thrown = captureThrown();
      const { shake, accepted, events } = await served(library, async (app, gate) => {
        await app.register(firmshake, { checks: [open], ...gate });
        const callNotFound = (_request: FastifyRequest, reply: FastifyReply): void =>
          void reply.callNotFound();
        route(app, "/chat", undefined, { [at]: callNotFound });
      });
      expect((await shake()).status).toBe(404);
      expect(accepted).toEqual([]);
      expect(events).toMatchObject([{ outcome: "answered", status: 404 }]);
      expect(thrown).toEqual([]);
    },
  );
});
