import { AsyncLocalStorage } from "node:async_hooks";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { allow, attach, guard, insecureAnyOrigin } from "@firmshake/node";
import FayeWebSocket from "faye-websocket";
import { describe, expect, it } from "vitest";
import { WebSocketServer } from "ws";
import { listenersOn } from "../support/listeners.ts";
import { dial, handshakeText, refusalOf, statusOf, textFrame } from "../support/raw-client.ts";
import {
  deferred,
  echoing,
  echoOf,
  gatedServer,
  gatedWs,
  type HandedOver,
  listen,
  openWebSocket,
} from "../support/server.ts";
import { captureThrown } from "../support/thrown.ts";

const policies = [
  { name: "a synchronous policy", make: () => guard(insecureAnyOrigin(), () => allow) },
  { name: "an asynchronous policy", make: () => guard(insecureAnyOrigin(), async () => allow) },
] as const;

const url = (port: number, path = "/chat"): string => `ws://127.0.0.1:${port}${path}`;

describe.each(policies)("behind $name", ({ make }) => {
  it("a listener is given the very same request, socket and head, in the server's own way", async () => {
    const server = createServer();
    const emitted: unknown[][] = [];
    const emit = server.emit;
    // Below the gate: what Node's own emit would have been called with.
    server.emit = function below(this: unknown, ...args: unknown[]) {
      if (args[0] === "upgrade") emitted.push(args, [this]);
      return Reflect.apply(emit, this, args);
    } as typeof emit;
    const given: unknown[][] = [];
    attach(server, make());
    // Above the gate: what Node calls.
    const gated = server.emit;
    server.emit = function above(this: unknown, ...args: unknown[]) {
      if (args[0] === "upgrade") given.push(args);
      return Reflect.apply(gated, this, args);
    } as typeof emit;
    const port = await listen(server);
    server.on("upgrade", function (this: unknown, _request: IncomingMessage, socket: Duplex) {
      emitted.push([this]);
      socket.end("HTTP/1.1 101 x\r\n\r\n");
    });
    const client = await dial(port);
    client.send(Buffer.concat([Buffer.from(handshakeText()), textFrame("head")]));
    await client.ended;
    expect(given.length).toBe(1);
    expect(emitted.length).toBe(3);
    for (const at of [0, 1, 2, 3]) expect(emitted[0]?.[at]).toBe(given[0]?.[at]);
    expect(emitted[0]?.[3]).toEqual(textFrame("head"));
    expect(emitted[1]).toEqual([server]);
    expect(emitted[2]).toEqual([server]);
  });

  it("nothing is left on the socket, and nothing was read from it", async () => {
    const bare = createServer();
    const gated = createServer();
    attach(gated, make());
    const seen = await Promise.all(
      [bare, gated].map(async (server) => {
        const seenHere = deferred<object>();
        server.on("upgrade", (_request: IncomingMessage, socket: Duplex & { timeout?: number }) => {
          // Once the emit is over: the gate takes its own error listener away right behind the hand-over.
          process.nextTick(() => {
            seenHere.resolve({
              listeners: listenersOn(socket),
              readableFlowing: socket.readableFlowing,
              isPaused: socket.isPaused(),
              readableLength: socket.readableLength,
              bytesWritten: (socket as unknown as { bytesWritten: number }).bytesWritten,
              timeout: socket.timeout,
            });
            socket.destroy();
          });
        });
        const client = await dial(await listen(server));
        client.send(handshakeText());
        return seenHere.promise;
      }),
    );
    expect(seen[1]).toEqual(seen[0]);
    expect(seen[1]).toMatchObject({ readableFlowing: null, bytesWritten: 0 });
  });

  it("listeners run in their order, whenever they were added, with once and prepend", async () => {
    const server = createServer();
    const order: string[] = [];
    const add = (name: string) => () => void order.push(name);
    server.on("upgrade", add("before"));
    attach(server, make());
    server.on("upgrade", add("after"));
    server.once("upgrade", add("once"));
    server.prependListener("upgrade", add("prepended"));
    server.on("upgrade", (_request: IncomingMessage, socket: Duplex) =>
      socket.end("HTTP/1.1 101 x\r\n\r\n"),
    );
    const port = await listen(server);
    for (const _ of [1, 2]) {
      const client = await dial(port);
      client.send(handshakeText());
      await client.ended;
    }
    const each = ["prepended", "before", "after"];
    expect(order).toEqual([...each, "once", ...each]);
  });

  it("ws works with frames that were sent early, added before or after the gate", async () => {
    for (const isLate of [true, false]) {
      const server = createServer();
      if (!isLate) echoing(new WebSocketServer({ server }));
      attach(server, make());
      if (isLate) echoing(new WebSocketServer({ server }));
      const client = await dial(await listen(server));
      client.send(Buffer.concat([Buffer.from(handshakeText()), textFrame("early")]));
      expect(await client.until("early")).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\n/);
    }
  });

  it("two ws servers on different paths share one server", async () => {
    const server = createServer();
    const [chat, news] = [
      new WebSocketServer({ noServer: true }),
      new WebSocketServer({ noServer: true }),
    ];
    for (const [name, wss] of Object.entries({ chat, news })) {
      wss.on("connection", (socket) => socket.send(name));
    }
    server.on("upgrade", (request, socket, head) => {
      const wss = request.url === "/chat" ? chat : news;
      wss.handleUpgrade(request, socket, head, (one) => wss.emit("connection", one, request));
    });
    attach(server, make());
    const port = await listen(server);
    for (const name of ["chat", "news"]) {
      const client = await dial(port);
      client.send(handshakeText({ target: `/${name}` }));
      expect(await client.until(name)).toContain(" 101 ");
    }
  });

  it("two gates both decide, and either one's refusal stands", async () => {
    const server = createServer();
    const isRefusing = { inner: false, outer: false };
    const asked: string[] = [];
    for (const name of ["inner", "outer"] as const) {
      attach(server, {
        "/chat": guard(insecureAnyOrigin(), () => {
          asked.push(name);
          return isRefusing[name] ? (undefined as never) : allow;
        }),
      });
    }
    echoing(new WebSocketServer({ server }));
    const port = await listen(server);
    expect(await echoOf(await openWebSocket(url(port)), "hello")).toBe("hello");
    expect(asked).toEqual(["outer", "inner"]);
    isRefusing.inner = true;
    expect(await statusOf(port)).toBe(500);
    isRefusing.inner = false;
    isRefusing.outer = true;
    expect(await statusOf(port)).toBe(500);
  });

  it("a server that was closed meanwhile still hands over, and closes once its sockets are gone", async () => {
    const { server, port, wss } = await gatedWs(make());
    const socket = await openWebSocket(url(port));
    const closed = once(server, "close");
    server.close();
    expect(await echoOf(socket, "still")).toBe("still");
    for (const client of wss.clients) client.terminate();
    await closed;
  });

  it("the async context of the upgrade is kept", async () => {
    const storage = new AsyncLocalStorage<string>();
    const server = createServer();
    const emit = server.emit;
    attach(server, make());
    const gated = server.emit;
    server.emit = ((...args: unknown[]) =>
      storage.run("traced", () => Reflect.apply(gated, server, args))) as typeof emit;
    const found = deferred<string | undefined>();
    server.on("upgrade", (_request: IncomingMessage, socket: Duplex) => {
      found.resolve(storage.getStore());
      socket.destroy();
    });
    const client = await dial(await listen(server));
    client.send(handshakeText());
    expect(await found.promise).toBe("traced");
  });
});

describe("what a client sends during a slow check", () => {
  const [one, two, three] = ["one", "two", "three"].map(textFrame) as [Buffer, Buffer, Buffer];

  async function handedOver(
    early: readonly Buffer[],
    during: readonly Buffer[],
  ): Promise<HandedOver> {
    const decision = deferred<typeof allow>();
    const { server, port, gate, next } = await gatedServer(
      guard(insecureAnyOrigin(), () => decision.promise),
    );
    const sockets: Socket[] = [];
    server.on("connection", (socket: Socket) => sockets.push(socket));
    const given = next();
    const client = await dial(port);
    let sent = 0;
    const send = async (bytes: Buffer): Promise<void> => {
      client.send(bytes);
      sent += bytes.length;
      await expect.poll(() => sockets[0]?.bytesRead).toBe(sent);
    };
    await send(Buffer.concat([Buffer.from(handshakeText()), ...early]));
    await expect.poll(() => gate.pending).toBe(1);
    for (const bytes of during) await send(bytes);
    decision.resolve(allow);
    return given;
  }

  it.each([
    { name: "behind bytes that came with the handshake", early: [one], during: [two, three] },
    { name: "alone", early: [], during: [one, two, three] },
  ])("is handed over as head, in order: $name", async ({ early, during }) => {
    const { head, socket } = await handedOver(early, during);
    expect(head).toEqual(Buffer.concat([one, two, three]));
    expect([socket.readableLength, socket.readableFlowing]).toEqual([0, null]);
  });

  it("does not bring down libraries that must not read before they have answered", async () => {
    const thrown = captureThrown();
    const texts: string[] = [];
    const decision = deferred<typeof allow>();
    const server = createServer();
    const gate = attach(
      server,
      guard(insecureAnyOrigin(), () => decision.promise),
    );
    server.on("upgrade", (request, socket, head) => {
      const one = new FayeWebSocket(request, socket, head, []);
      one.onmessage = ({ data }) => texts.push(data);
    });
    const bytesRead: (() => number)[] = [];
    server.on("connection", (socket: Socket) => bytesRead.push(() => socket.bytesRead));
    const client = await dial(await listen(server));
    client.send(handshakeText());
    await expect.poll(() => gate.pending).toBe(1);
    const shake = handshakeText().length;
    client.send(textFrame("early"));
    await expect.poll(() => bytesRead[0]?.()).toBe(shake + textFrame("early").length);
    decision.resolve(allow);
    await client.until(" 101 ");
    client.send(textFrame("late"));
    await expect.poll(() => texts).toEqual(["early", "late"]);
    expect(thrown).toEqual([]);
  });
});

describe("the server itself", () => {
  it("shows no difference: keys, listeners, timeouts", () => {
    const server = createServer();
    const look = (): object => ({
      keys: Object.keys(server),
      enumerable: Object.entries(Object.getOwnPropertyDescriptors(server)).flatMap(
        ([name, { enumerable }]) => (enumerable ? [name] : []),
      ),
      listeners: server.eventNames().map((name) => [name, server.listeners(name)]),
      timeouts: [
        server.timeout,
        server.keepAliveTimeout,
        server.headersTimeout,
        server.requestTimeout,
      ],
      maxListeners: server.getMaxListeners(),
    });
    const before = look();
    const gate = attach(server, guard());
    expect(look()).toEqual(before);
    expect(server.listenerCount("upgrade")).toBe(0);
    gate.detach();
    expect(look()).toEqual(before);
    expect(Object.hasOwn(server, "emit")).toBe(false);
  });

  it.each([
    { name: "synchronous allow", check: () => allow },
    { name: "asynchronous allow", check: async () => allow },
    { name: "refusal", check: () => undefined as never },
  ])("emit answers whether somebody listens: $name", async ({ check }) => {
    const { server, port } = await gatedServer(guard(insecureAnyOrigin(), check));
    const answered: boolean[] = [];
    const gated = server.emit;
    server.emit = ((...args: unknown[]) => {
      const answer = Reflect.apply(gated, server, args) as boolean;
      if (args[0] === "upgrade") answered.push(answer);
      return answer;
    }) as typeof gated;
    const client = await dial(port);
    client.send(handshakeText());
    await client.until("\r\n\r\n");
    server.removeAllListeners("upgrade");
    server.emit("upgrade", { rawHeaders: [] }, {}, Buffer.alloc(0));
    expect(answered).toEqual([true, false]);
  });

  it("other protocols and ordinary requests are none of the gate's business", async () => {
    const { server, port } = await gatedServer(
      guard(insecureAnyOrigin(), () => undefined as never),
    );
    server.on("request", (_request, response) => response.end("page"));
    expect(
      await statusOf(port, { headers: { Upgrade: "h2c", Connection: "Upgrade, HTTP2-Settings" } }),
    ).toBe(101);
    expect(await statusOf(port, { headers: { Upgrade: undefined, Connection: "close" } })).toBe(
      200,
    );
    expect(await statusOf(port)).toBe(500);
  });

  it("pure h2c with nobody on upgrades stays an ordinary request", async () => {
    const server = createServer((_request, response) => response.end("page"));
    attach(
      server,
      guard(() => undefined as never),
    );
    expect(await statusOf(await listen(server), { headers: { Upgrade: "h2c" } })).toBe(200);
  });

  it("a slow check is no concern of engine.io's habit to end unclaimed upgrades", async () => {
    const decision = deferred<typeof allow>();
    const { server, port, gate } = await gatedServer(
      guard(insecureAnyOrigin(), () => decision.promise),
    );
    let isCleaning = false;
    server.prependListener("upgrade", (_request: IncomingMessage, socket: Duplex) => {
      isCleaning = true;
      setTimeout(() => void (socket.writable && socket.end()), 1);
    });
    const client = await dial(port);
    client.send(handshakeText());
    await expect.poll(() => gate.pending).toBe(1);
    expect(isCleaning).toBe(false);
    decision.resolve(allow);
    expect(await client.until("\r\n\r\n")).toContain("101");
  });
});

describe("detach", () => {
  it("restores what was there, also an emit that somebody had put on the instance", async () => {
    const server = createServer();
    const own = function emit(...args: unknown[]): boolean {
      return Reflect.apply(Object.getPrototypeOf(server).emit, server, args) as boolean;
    };
    server.emit = own as typeof server.emit;
    const gate = attach(
      server,
      guard(() => undefined as never),
    );
    gate.detach();
    expect(server.emit).toBe(own);
    expect(Object.getOwnPropertyDescriptor(server, "emit")).toMatchObject({
      enumerable: true,
      value: own,
    });
  });

  it("leaves a wrapper that came later in place and passes everything on", async () => {
    const { server, port, gate } = await gatedServer(
      guard(insecureAnyOrigin(), () => undefined as never),
    );
    let seen = 0;
    const gated = server.emit;
    server.emit = ((...args: unknown[]) => {
      if (args[0] === "upgrade") seen++;
      return Reflect.apply(gated, server, args) as boolean;
    }) as typeof gated;
    expect(await statusOf(port)).toBe(500);
    gate.detach();
    gate.detach();
    expect(await statusOf(port)).toBe(101);
    expect(seen).toBe(2);
  });

  it("may happen in any order with two gates", async () => {
    const { server, port, gate } = await gatedServer(
      guard(insecureAnyOrigin(), () => undefined as never),
    );
    const outer = attach(server, guard(insecureAnyOrigin()));
    gate.detach();
    expect(await statusOf(port)).toBe(101);
    outer.detach();
    expect(await statusOf(port)).toBe(101);
  });

  it("refuses who waits", async () => {
    const asked = deferred<void>();
    const { port, gate, handedOver } = await gatedServer(
      guard(insecureAnyOrigin(), () => {
        asked.resolve();
        return new Promise(() => undefined);
      }),
    );
    const waiting = refusalOf(port);
    await asked.promise;
    gate.detach();
    expect((await waiting).status).toBe(503);
    expect(handedOver).toEqual([]);
  });
});

it.each(policies)(
  "what a library's listener throws is an uncaught exception behind $name",
  async ({ make }) => {
    const thrown = captureThrown();
    const server = createServer();
    attach(server, make());
    server.on("upgrade", () => {
      throw new Error("the library's own");
    });
    const client = await dial(await listen(server));
    client.send(handshakeText());
    await expect.poll(() => thrown.length).toBe(1);
    expect(thrown).toEqual([{ event: "uncaughtException", error: new Error("the library's own") }]);
  },
);
