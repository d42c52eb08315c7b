import { createHook } from "node:async_hooks";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import fastifyWebsocket from "@fastify/websocket";
import { firmshake } from "@firmshake/fastify";
import {
  attach,
  type Connection,
  connectionOf,
  type FirstMessageOptions,
  firstMessage,
  guard,
  type Identity,
  insecureAnyOrigin,
  type MessageSocket,
  type RefusedFirst,
  tokenVerifier,
} from "@firmshake/node";
import fastify from "fastify";
import FayeWebSocket from "faye-websocket";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import websocket from "websocket";
import { type ServerOptions, type WebSocket, WebSocketServer } from "ws";
import { audience, claims, issuer, seconds, secret, tokenOf } from "../core/tokens/signing.ts";
import { fakeClock } from "../corpus/fake-clock.ts";
import { thrownBy } from "../support/handshakes.ts";
import { dial, handshakeText, type RawClient, textFrame } from "../support/raw-client.ts";
import { connectionsOf, deferred, gatedWs, listen, openWebSocket } from "../support/server.ts";
import { captureThrown } from "../support/thrown.ts";

type Found = Connection<{ readonly identity: Identity }> | undefined;

interface Attempt {
  readonly request: IncomingMessage;
  readonly socket: WebSocket;
  readonly found: Promise<Found>;
}

const open = guard(insecureAnyOrigin());
const isAda = (text: string) => (text === "ada" ? { subject: "ada" } : undefined);
const never = () => new Promise<undefined>(() => undefined);

/** A gated server with `ws`, whose application echoes once a client is authenticated. */
async function serve(options: Partial<FirstMessageOptions> = {}, wsOptions: ServerOptions = {}) {
  const server = createServer();
  // Or pings would be limited before they are counted here.
  attach(server, open, { limits: { controlFrames: 0 } });
  const refused: RefusedFirst[] = [];
  const authenticate = firstMessage({
    verify: isAda,
    timeoutMs: longMs,
    onRefused: (one) => refused.push(one),
    ...options,
  });
  const heard: string[] = [];
  const attempts: Attempt[] = [];
  const wss = new WebSocketServer({ server, ...wsOptions });
  wss.on("connection", async (socket, request) => {
    const found = authenticate(socket, request);
    attempts.push({ socket, request, found });
    const connection = await found;
    if (connection === undefined) return;
    socket.on("message", (data) => {
      heard.push(String(data));
      socket.send(String(data));
    });
    socket.send(`Welcome, ${connection.identity.subject}.`);
  });
  const port = await listen(server);
  const first = async (): Promise<Attempt> => {
    await expect.poll(() => attempts.length).toBe(1);
    return attempts[0] as Attempt;
  };
  return { server, port, url: `ws://127.0.0.1:${port}/`, refused, heard, attempts, first };
}

async function dialOpen(port: number, options = {}): Promise<RawClient> {
  const client = await dial(port, options);
  client.send(handshakeText());
  await client.until("\r\n\r\n");
  return client;
}

/** The code of a close frame among what a raw client received. */
function closeCodeIn(text: string): number | undefined {
  const bytes = Buffer.from(text.slice(text.indexOf("\r\n\r\n") + 4), "latin1");
  const start = bytes.indexOf(0x88);
  return start === -1 ? undefined : bytes.readUInt16BE(start + 2);
}

const frame = (first: number, payload = ""): Buffer =>
  Buffer.concat([Buffer.from([first, 0x80 | payload.length, 0, 0, 0, 0]), Buffer.from(payload)]);
const emptyFragment = (index: number): Buffer => frame(index === 0 ? 0x01 : 0x00);
const ping = (): Buffer => frame(0x89);

const closeOf = async (socket: WebSocket): Promise<[number, string]> => {
  const [code, reason] = (await once(socket, "close")) as [number, Buffer];
  return [code, String(reason)];
};

const longMs = 54_321;

/** How many deadlines of about `longMs` are running. Node sets a timer's time to -1 when it is cleared. */
function deadlinesRunning(): () => number {
  const made: { readonly _idleTimeout: number }[] = [];
  const hook = createHook({
    init: (_id, type, _trigger, resource) => {
      if (type === "Timeout") made.push(resource as { readonly _idleTimeout: number });
    },
  }).enable();
  onTestFinished(() => void hook.disable());
  return () => made.filter(({ _idleTimeout: ms }) => ms > longMs - 5_000 && ms <= longMs).length;
}

afterEach(() => void vi.restoreAllMocks());

describe("a first message that authenticates", () => {
  it("tells who it is, by the promise and by connectionOf", async () => {
    const { url, first, heard } = await serve({
      verify: () => ({ subject: "ada", claims: { a: 1 } }),
    });
    const client = await openWebSocket(url);
    const { found, request } = await first();
    expect(connectionOf(request).identity).toBeUndefined();
    client.send("ada");
    const connection = await found;
    expect(connection?.identity).toEqual({
      subject: "ada",
      scheme: "bearer",
      claims: { a: 1 },
      expiresAt: undefined,
    });
    expect(connectionOf(request)).toBe(connection);
    expect(connectionOf(request.socket, open)).toBe(connection);
    expect(connection).toMatchObject({ path: "/", facts: { identity: connection?.identity } });
    expect([connection, connection?.facts, connection?.identity].every(Object.isFrozen)).toBe(true);
    expect(heard).toEqual([]);
  });

  it("is a token, by the rules of jwt", async () => {
    const verify = tokenVerifier({ issuer, audience, keys: secret });
    const { url, first } = await serve({ verify });
    const client = await openWebSocket(url);
    client.send(await tokenOf(claims({ roles: ["reader"] })));
    const connection = await (await first()).found;
    expect(connection?.identity).toMatchObject({ subject: "ann", claims: { roles: ["reader"] } });
  });

  it("is never heard by the application, and what follows the welcome is", async () => {
    const { url, heard } = await serve();
    const client = await openWebSocket(url);
    client.send("ada");
    expect(String((await once(client, "message"))[0])).toBe("Welcome, ada.");
    client.send("hello");
    expect(String((await once(client, "message"))[0])).toBe("hello");
    expect(heard).toEqual(["hello"]);
  });

  it("leaves nothing behind: no listener, no timer", async () => {
    const { url, first } = await serve();
    const deadlines = deadlinesRunning();
    const client = await openWebSocket(url);
    const { socket, request, found } = await first();
    expect(deadlines()).toBe(1);
    expect(socket.listenerCount("message")).toBe(1);
    const [data, close] = ["data", "close"].map((name) => request.socket.listenerCount(name));
    client.send("ada");
    await found;
    expect(request.socket.listenerCount("data")).toBe((data ?? 0) - 1);
    expect(request.socket.listenerCount("close")).toBe((close ?? 0) - 1);
    expect(deadlines()).toBe(0);
  });

  it("may be one of several that are tried", async () => {
    const { url, first } = await serve({ maxMessages: 3 });
    const client = await openWebSocket(url);
    client.send("eve");
    client.send("ada");
    expect(await (await first()).found).toBeDefined();
  });

  it("is given the connection as the handshake left it", async () => {
    const seen = deferred<Connection>();
    const verify = (_: string, connection: Connection) => void seen.resolve(connection);
    const { port } = await serve({ verify });
    const client = await openWebSocket(`ws://127.0.0.1:${port}/rooms/7`);
    client.send("ada");
    expect(await seen.promise).toMatchObject({ path: "/rooms/7", identity: undefined });
  });
});

describe("a socket is closed", () => {
  const unauthorized = [3000, "Authentication failed."];
  const broken = [1011, "Authentication could not be checked."];
  const tooMuch = [1009, "Too much was sent before authentication."];
  const jwtVerifier = tokenVerifier({ issuer, audience, keys: secret });

  it.each<
    [
      string,
      Partial<FirstMessageOptions>,
      readonly (string | Buffer | (() => Promise<string>))[],
      readonly unknown[],
    ]
  >([
    ["for a wrong message", {}, ["eve"], unauthorized],
    ["for a message that means nobody: null", { verify: () => null }, ["eve"], unauthorized],
    [
      "for a message that means nobody: false",
      { verify: async () => false as const },
      ["eve"],
      unauthorized,
    ],
    ["for a token that is none", { verify: jwtVerifier }, ["eve"], unauthorized],
    [
      "for an expired token, with the same words",
      { verify: jwtVerifier },
      [() => tokenOf(claims({ exp: seconds() - 1 }))],
      unauthorized,
    ],
    [
      "for a forged token, with the same words",
      { verify: jwtVerifier },
      [() => tokenOf(claims(), {}, new Uint8Array(32))],
      unauthorized,
    ],
    ["after the last try", { maxMessages: 2 }, ["eve", "mallory"], unauthorized],
    ["for bytes", {}, [Buffer.from("ada")], [1003, "Authentication is a text message."]],
    ["for a message that is too long", { maxBytes: 5 }, ["adaada"], tooMuch],
    ["counting bytes and not letters", { maxBytes: 5 }, ["äöü"], tooMuch],
    [
      "for messages that are too long together",
      { maxMessages: 9, maxBytes: 5 },
      ["eve", "eve"],
      tooMuch,
    ],
    [
      "for messages that come while the first is verified",
      { verify: never },
      ["ada", "hello"],
      [1008, "Wait until you are authenticated."],
    ],
    [
      "for messages behind the good one, which the application could not hear",
      { maxMessages: 3 },
      ["eve", "ada", "hello"],
      [1008, "Wait until you are authenticated."],
    ],
    [
      "when verify throws",
      {
        verify: () => {
          throw new Error("broken");
        },
      },
      ["ada"],
      broken,
    ],
    ["when verify rejects", { verify: () => Promise.reject(new Error("down")) }, ["ada"], broken],
    ["when verify finds no subject", { verify: () => ({ subject: "" }) }, ["ada"], broken],
    ["when verify answers with nonsense", { verify: () => true as never }, ["ada"], broken],
    ["when nothing comes in time", { timeoutMs: 50 }, [], [3008, "Authentication took too long."]],
    [
      "when it is not verified in time",
      { timeoutMs: 50, verify: never },
      ["ada"],
      [3008, "Authentication took too long."],
    ],
  ])("%s", async (_, options, messages, closing) => {
    const thrown = captureThrown();
    const { url, first, heard, refused } = await serve(options);
    const client = await openWebSocket(url);
    const closed = closeOf(client);
    for (const message of messages) {
      client.send(typeof message === "function" ? await message() : message);
    }
    expect(await closed).toEqual(closing);
    const { found, request } = await first();
    expect(await found).toBeUndefined();
    expect(connectionOf(request).identity).toBeUndefined();
    expect(refused.map((one) => [one.closeCode, one.closeReason])).toEqual([closing]);
    expect(heard).toEqual([]);
    expect(thrown).toEqual([]);
  });

  it("with the reason told to onRefused alone", async () => {
    const cause = new Error("the database is down");
    const { url, refused } = await serve({ verify: () => Promise.reject(cause) });
    const client = await openWebSocket(url);
    client.send("ada");
    expect((await closeOf(client))[1]).not.toContain("database");
    expect(refused).toEqual([expect.objectContaining({ cause, closeCode: 1011 })]);
    expect(refused[0]?.connection.path).toBe("/");
  });

  it.each<[string, () => unknown]>([
    [
      "throws",
      () => {
        throw new Error("no disk");
      },
    ],
    ["rejects", () => Promise.reject(new Error("no disk"))],
  ])("also when onRefused %s", async (_, onRefused) => {
    const thrown = captureThrown();
    const { url } = await serve({ onRefused });
    const client = await openWebSocket(url);
    client.send("eve");
    expect((await closeOf(client))[0]).toBe(3000);
    expect(thrown).toEqual([]);
  });

  it("for what stands in the same packet as a good message, which the application could not hear", async () => {
    const { port, heard, first } = await serve();
    const client = await dialOpen(port);
    client.send(Buffer.concat([textFrame("ada"), textFrame("hello")]));
    expect(closeCodeIn(await client.closed)).toBe(1008);
    expect(await (await first()).found).toBeUndefined();
    expect(heard).toEqual([]);
  });

  it("when the application waited too long before it asked", async () => {
    const clock = fakeClock();
    const { port, wss } = await gatedWs(open, { clock });
    const authenticate = firstMessage({ verify: () => undefined, timeoutMs: 60_000 });
    wss.on("connection", (socket, request) => {
      clock.advance(60_000);
      void authenticate(socket, request);
    });
    const client = await openWebSocket(`ws://127.0.0.1:${port}/`);
    expect((await closeOf(client))[0]).toBe(3008);
  });
});

describe("the deadline is not moved", () => {
  const manyFragments = (index: number): Buffer => emptyFragment(index);
  const dribbled = Buffer.concat([
    Buffer.from([0x81, 0xfe, 0x10, 0, 0, 0, 0, 0]),
    Buffer.alloc(4096),
  ]);

  it.each<[string, (index: number) => Buffer]>([
    ["by a message that comes byte by byte", (index) => dribbled.subarray(index, index + 1)],
    ["by fragments that never end", manyFragments],
    ["by pings", ping],
  ])("%s", async (_, next) => {
    const { port, first, server } = await serve({ timeoutMs: 200 });
    const client = await dialOpen(port);
    const startedAt = performance.now();
    let index = 0;
    const sending = setInterval(() => client.send(next(index++)), 10);
    const { found } = await first();
    expect(await found).toBeUndefined();
    expect(performance.now() - startedAt).toBeLessThan(900);
    expect(closeCodeIn(await client.until("\x0b\xc0"))).toBe(3008);
    // It does not answer the close; a second later it is cut off.
    await client.closed;
    clearInterval(sending);
    expect(index).toBeGreaterThan(5);
    await expect.poll(() => connectionsOf(server)).toBe(0);
  });
});

describe("bytes are counted where no message is seen yet", () => {
  it.each<[string, (index: number) => Buffer]>([
    ["fragments", emptyFragment],
    ["pings", ping],
    [
      "one long message",
      (index) =>
        index === 0 ? Buffer.from([0x81, 0xfe, 0xff, 0xff, 0, 0, 0, 0]) : Buffer.alloc(6),
    ],
  ])("%s", async (_, next) => {
    const { port, refused } = await serve({ maxBytes: 100 });
    const client = await dialOpen(port);
    client.send(Buffer.concat(Array.from({ length: 220 }, (_, index) => next(index))));
    await expect.poll(() => refused.map(({ closeCode }) => closeCode)).toEqual([1009]);
  });

  it("and who goes on is cut off at once", async () => {
    const { port, first } = await serve({ maxBytes: 100 });
    const client = await dialOpen(port);
    const { request } = await first();
    client.send(Buffer.concat(Array.from({ length: 1_000 }, ping)));
    const startedAt = performance.now();
    client.send(Buffer.concat(Array.from({ length: 1_000 }, ping)));
    await expect.poll(() => request.socket.destroyed, { interval: 5 }).toBe(true);
    expect(performance.now() - startedAt).toBeLessThan(900);
  });

  it("a message of the very length that is allowed passes, among pings", async () => {
    const { port, first } = await serve({ maxBytes: 3 });
    const client = await dialOpen(port);
    client.send(Buffer.concat([ping(), textFrame("ada")]));
    expect(await (await first()).found).toBeDefined();
  });
});

describe("a client that leaves", () => {
  it.each<[string, (client: RawClient) => void]>([
    ["resets", (client) => client.reset()],
    ["ends its side", (client) => void client.socket.end()],
    ["says goodbye", (client) => client.send(frame(0x88))],
    ["sends what is no frame", (client) => client.send(Buffer.from([0xff, 0xff]))],
  ])("and %s while it is verified leaves nothing behind", async (_, leave) => {
    const thrown = captureThrown();
    const verified = deferred<{ subject: string }>();
    const entered = deferred<void>();
    const verify = () => {
      entered.resolve();
      return verified.promise;
    };
    const { port, first, server, refused } = await serve({ verify });
    const deadlines = deadlinesRunning();
    const client = await dialOpen(port);
    client.send(textFrame("ada"));
    await entered.promise;
    const { found, socket, request } = await first();
    expect(deadlines()).toBe(1);
    leave(client);
    expect(await found).toBeUndefined();
    verified.resolve({ subject: "ada" });
    expect(deadlines()).toBe(0);
    expect(socket.listenerCount("message")).toBe(0);
    expect(connectionOf(request).identity).toBeUndefined();
    client.socket.destroy();
    await expect.poll(() => connectionsOf(server)).toBe(0);
    expect(refused).toEqual([]);
    expect(thrown).toEqual([]);
  });

  it("before it is asked for is not waited for", async () => {
    const server = createServer();
    attach(server, open);
    const authenticate = firstMessage({ verify: isAda });
    const found = deferred<Found>();
    new WebSocketServer({ server }).on("connection", (socket, request) => {
      socket.terminate();
      authenticate(socket, request).then(found.resolve, found.reject);
    });
    const client = await dial(await listen(server));
    client.send(handshakeText());
    expect(await found.promise).toBeUndefined();
  });

  it("while it goes is not authenticated", async () => {
    const verified = deferred<{ subject: string }>();
    const { port, first } = await serve({ verify: () => verified.promise });
    const client = await dialOpen(port, { keepsOpen: true });
    const { found, socket, request } = await first();
    client.send(Buffer.concat([textFrame("ada"), frame(0x88)]));
    await expect.poll(() => socket.readyState).toBe(2);
    verified.resolve({ subject: "ada" });
    await client.ended;
    client.socket.end();
    expect(await found).toBeUndefined();
    expect(connectionOf(request).identity).toBeUndefined();
  });

  it("stays half open is cut off a second after its close", async () => {
    const { port, server } = await serve({ timeoutMs: 50 });
    await dialOpen(port, { keepsOpen: true });
    await expect.poll(() => connectionsOf(server), { timeout: 5_000 }).toBe(0);
  });
});

describe("sockets that wait are bounded", () => {
  const full = [1013, "Too many wait to be authenticated; come again later."];

  it.each<[string, Partial<FirstMessageOptions>]>([
    ["in all", { maxUnauthenticated: 2 }],
    ["for each address", { maxUnauthenticatedPerAddress: 2 }],
  ])("%s", async (_, options) => {
    const { url } = await serve(options);
    const [one, two] = [await openWebSocket(url), await openWebSocket(url)];
    expect(await closeOf(await openWebSocket(url))).toEqual(full);
    one.send("ada");
    expect(String((await once(one, "message"))[0])).toBe("Welcome, ada.");
    const three = await openWebSocket(url);
    expect(await closeOf(await openWebSocket(url))).toEqual(full);
    two.terminate();
    three.close();
    await once(three, "close");
    const four = await openWebSocket(url);
    four.send("ada");
    expect(String((await once(four, "message"))[0])).toBe("Welcome, ada.");
  });
});

describe("sockets of other libraries", () => {
  type Accept = (socket: MessageSocket, request: object) => void;

  const starts: Readonly<Record<string, (server: Server, accept: Accept) => void>> = {
    "faye-websocket": (server, accept) =>
      void server.on("upgrade", (request, stream, head) => {
        accept(new FayeWebSocket(request, stream, head, []) as unknown as MessageSocket, request);
      }),
    websocket: (server, accept) =>
      void new websocket.server({ httpServer: server }).on("request", (request) => {
        const socket = request.accept(null, request.origin) as unknown as MessageSocket;
        accept(socket, request.httpRequest);
      }),
    "the browser's interface": (server, accept) =>
      void new WebSocketServer({ server }).on("connection", (socket, request) => {
        accept(
          {
            close: (code = 1000, reason) => {
              if (code !== 1000 && code < 3000) throw new DOMException("InvalidAccessError");
              socket.close(code, reason);
            },
            addEventListener: (...args: unknown[]) =>
              void Reflect.apply(socket.addEventListener, socket, args),
            removeEventListener: (...args: unknown[]) =>
              void Reflect.apply(socket.removeEventListener, socket, args),
          },
          request,
        );
      }),
  };

  it.each([
    ["faye-websocket", 4003],
    ["websocket", 1003],
    ["the browser's interface", 4003],
  ])("%s", async (name, codeForBytes) => {
    const server = createServer();
    attach(server, open);
    const authenticate = firstMessage({ verify: isAda });
    const attempts: ReturnType<typeof authenticate>[] = [];
    starts[name]?.(server, (socket, request) => attempts.push(authenticate(socket, request)));
    const url = `ws://127.0.0.1:${await listen(server)}/`;
    const ada = await openWebSocket(url);
    ada.send("ada");
    await expect.poll(() => attempts.length).toBe(1);
    expect((await attempts[0])?.identity.subject).toBe("ada");
    const eve = await openWebSocket(url);
    eve.send("eve");
    expect((await closeOf(eve))[0]).toBe(3000);
    expect(await attempts[1]).toBeUndefined();
    const bytes = await openWebSocket(url);
    bytes.send(Buffer.from("ada"));
    expect((await closeOf(bytes))[0]).toBe(codeForBytes);
  });

  it("whose close() throws are cut off", async () => {
    const server = createServer();
    attach(server, open);
    const authenticate = firstMessage({ verify: isAda });
    new WebSocketServer({ server }).on("connection", (socket, request) => {
      socket.close = () => {
        throw new RangeError("no such code");
      };
      void authenticate(socket, request);
    });
    const eve = await openWebSocket(`ws://127.0.0.1:${await listen(server)}/`);
    eve.send("eve");
    expect((await closeOf(eve))[0]).toBe(1006);
  });

  it("of @fastify/websocket, by Fastify's request", async () => {
    const app = fastify();
    await app.register(fastifyWebsocket);
    await app.register(firmshake, { checks: [insecureAnyOrigin()] });
    const authenticate = firstMessage({ verify: isAda });
    app.get("/chat", { websocket: true }, async (socket, request) => {
      const connection = await authenticate(socket, request);
      socket.send(`${connection?.identity.subject} ${connectionOf(request).identity?.subject}`);
    });
    const port = await listen(app.server);
    await app.ready();
    const client = await openWebSocket(`ws://127.0.0.1:${port}/chat`);
    client.send("ada");
    expect(String((await once(client, "message"))[0])).toBe("ada ada");
  });
});

describe("a wrong use throws", () => {
  it.each<[string, unknown, string]>([
    ["no options", undefined, "OPTION_INVALID"],
    ["no verify", {}, "OPTION_MISSING"],
    [
      "a time that is none",
      { verify: isAda, timeoutMs: Number.POSITIVE_INFINITY },
      "OPTION_INVALID",
    ],
    ["no bytes at all", { verify: isAda, maxBytes: 0 }, "OPTION_INVALID"],
    ["an option that is not there", { verify: isAda, timeout: 5 }, "OPTION_UNKNOWN"],
  ])("%s", (_, options, code) => {
    expect(thrownBy(() => firstMessage(options as FirstMessageOptions))).toContain(code);
  });

  it("a request that no gate let in, a socket instead of the request, and what is no WebSocket", async () => {
    const { url, first } = await serve();
    await openWebSocket(url);
    const { socket, request } = await first();
    const authenticate = firstMessage({ verify: isAda });
    expect(thrownBy(() => authenticate(socket, {}))).toMatch(/no gate.*NOT_GUARDED/);
    expect(thrownBy(() => authenticate(socket, request.socket))).toMatch(/request.*NOT_GUARDED/);
    for (const wrong of [undefined, {}, { close: () => undefined }, { close: 1, on: 1, off: 1 }]) {
      expect(thrownBy(() => authenticate(wrong as MessageSocket, request))).toMatch(
        /WebSocket.*OPTION_INVALID/,
      );
    }
  });
});
