import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { createRequire } from "node:module";
import { FirmSocket, type FirmSocketOptions, isRetryable, withFirmshake } from "@firmshake/client";
import {
  allow,
  attach,
  type Check,
  closeKinds,
  type Gate,
  type GateOptions,
  guard,
  type Handshake,
  insecureAnyOrigin,
  jwt,
  type RefusalCode,
  refusalKinds,
  refuse,
  subprotocolToken,
} from "@firmshake/node";
import { createClient } from "graphql-ws";
import { useServer } from "graphql-ws/use/ws";
import { SignJWT } from "jose";
import { beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { gatedWs, listen } from "../support/server.ts";

const key = new TextEncoder().encode("a secret of at least thirty-two bytes");
const tokens = { issuer: "https://id.example.com", audience: "chat", keys: key };
const tokenFor = (subject: string, lifeSeconds = 600): Promise<string> =>
  new SignJWT({ iss: tokens.issuer, aud: tokens.audience, sub: subject })
    .setProtectedHeader({ alg: "HS256", typ: "JWT" })
    .setExpirationTime(Math.floor(Date.now() / 1_000) + lifeSeconds)
    .sign(key);

interface Endpoint {
  readonly port: number;
  readonly gate: Gate;
  readonly wss: WebSocketServer;
  /** The handshakes that were asked for. */
  readonly asked: Handshake[];
  /** What the next handshakes are refused with. */
  readonly refusals: (RefusalCode | ReturnType<typeof refuse>)[];
}

/** `ws`, behind a gate that refuses by close frames. */
async function endpoint(
  checks: readonly Check[] = [],
  options: GateOptions = {},
): Promise<Endpoint> {
  const asked: Handshake[] = [];
  const refusals: Endpoint["refusals"] = [];
  const policy = guard({
    checks: [
      insecureAnyOrigin(),
      (handshake: Handshake) => {
        asked.push(handshake);
        const next = refusals.shift();
        return next === undefined ? allow : typeof next === "string" ? refuse(next) : next;
      },
      ...checks,
    ],
    order: "written",
  });
  const { port, wss, gate } = await gatedWs(policy, { refuse: "close", ...options });
  return { port, gate, wss, asked, refusals };
}

interface Told {
  readonly type: string;
  readonly code?: number;
  readonly reason?: string;
  readonly delayMs?: number;
}

/** A socket to that endpoint, and what it tells. */
function open(
  port: number,
  options: FirmSocketOptions = {},
  protocols: readonly string[] = [],
): { socket: FirmSocket; told: Told[] } {
  const socket = new FirmSocket(`ws://127.0.0.1:${port}/chat`, protocols, {
    WebSocket,
    reconnect: { baseMs: 8, maxMs: 40 },
    ...options,
  });
  onTestFinished(() => socket.close());
  const told: Told[] = [];
  for (const type of ["open", "message", "error", "close", "reconnecting"] as const) {
    socket.addEventListener(type, (event) => {
      const { code, reason, delayMs } = event as unknown as Told;
      if (type === "reconnecting") told.push({ type, code, reason, delayMs } as Told);
      else told.push(type === "close" ? ({ type, code, reason } as Told) : { type });
    });
  }
  return { socket, told };
}

const typesOf = (told: readonly Told[]): readonly string[] => told.map(({ type }) => type);
const heard = (socket: FirmSocket): Promise<unknown> =>
  new Promise((resolve) => {
    socket.addEventListener("message", ({ data }) => resolve(data), { once: true });
  });
const closed = (socket: FirmSocket): Promise<unknown> => once(socket, "close");

describe("in the shape of a WebSocket", () => {
  it("opens, speaks and closes as one", async () => {
    const { port, wss } = await endpoint();
    const { socket, told } = open(port, {}, ["chat.v1"]);
    expect([socket.readyState, socket.url]).toEqual([0, `ws://127.0.0.1:${port}/chat`]);
    expect(() => socket.send("early")).toThrow(
      expect.objectContaining({ name: "InvalidStateError" }),
    );
    const calls: string[] = [];
    socket.onopen = () => calls.push("onopen");
    socket.onclose = ({ code, wasClean }) => calls.push(`onclose ${code} ${wasClean}`);
    await once(socket, "open");
    expect([socket.readyState, socket.protocol, socket.bufferedAmount]).toEqual([1, "chat.v1", 0]);
    socket.send("hello");
    expect(await heard(socket)).toBe("hello");
    const [server] = wss.clients;
    const left = once(server as WebSocket, "close");
    socket.close(4_001, "enough");
    expect(socket.readyState).toBe(2);
    await closed(socket);
    expect(await left).toEqual([4_001, Buffer.from("enough")]);
    expect(socket.readyState).toBe(3);
    expect(calls).toEqual(["onopen", "onclose 4001 true"]);
    expect(told.at(-1)).toEqual({ type: "close", code: 4_001, reason: "enough" });
    expect(typesOf(told)).toEqual(["open", "message", "close"]);
    socket.send("late");
  });

  it("gives binary messages in the type that is asked for", async () => {
    const { port, wss } = await endpoint();
    wss.on("connection", (server) => server.send(Buffer.from([1, 2])));
    const { socket } = open(port);
    socket.binaryType = "arraybuffer";
    const data = (await heard(socket)) as ArrayBuffer;
    expect(socket.binaryType).toBe("arraybuffer");
    expect([...new Uint8Array(data)]).toEqual([1, 2]);
  });

  it("has the constants of the class and of its instances", async () => {
    const { port } = await endpoint();
    const Socket = withFirmshake({ WebSocket });
    const socket = new Socket(`ws://localhost:${port}/`);
    const constants = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 };
    for (const [name, value] of Object.entries(constants)) {
      expect([Reflect.get(Socket, name), Reflect.get(socket, name)]).toEqual([value, value]);
    }
    await once(socket, "open");
    socket.close();
    await closed(socket);
  });

  it.each([
    { code: 999, reason: "", name: "InvalidAccessError" },
    { code: 1_001, reason: "", name: "InvalidAccessError" },
    { code: 5_000, reason: "", name: "InvalidAccessError" },
    { code: 4_000, reason: "é".repeat(62), name: "SyntaxError" },
  ])("does not close with $code and $reason", async ({ code, reason, name }) => {
    const { socket } = open((await endpoint()).port);
    expect(() => socket.close(code, reason)).toThrow(expect.objectContaining({ name }));
    expect(socket.readyState).toBe(0);
  });

  it("closed before it is open, it tells an error and 1006, and no server hears more", async () => {
    const { port, wss } = await endpoint();
    const { socket, told } = open(port);
    socket.close();
    socket.close();
    await closed(socket);
    expect(told).toEqual([{ type: "error" }, { type: "close", code: 1006, reason: "" }]);
    expect(wss.clients.size).toBe(0);
  });

  it.skipIf(globalThis.WebSocket === undefined)("needs no class where Node has one", async () => {
    const { port, refusals } = await endpoint();
    refusals.push(refuse("overloaded", undefined, { headers: [["Retry-After", "0"]] }));
    const socket = new FirmSocket(`ws://127.0.0.1:${port}/chat`, "chat.v1", {
      reconnect: { baseMs: 1 },
    });
    const [{ code, reason }] = await once(socket, "reconnecting");
    expect([code, reason]).toEqual([1013, "overloaded;retry=0"]);
    await once(socket, "open");
    socket.send("hello");
    expect(await heard(socket)).toBe("hello");
    socket.close(4_001, "enough");
    expect(await closed(socket)).toMatchObject([{ code: 4_001, reason: "enough" }]);
  });

  it.skipIf(globalThis.WebSocket !== undefined)("says so where there is none", () => {
    expect(() => new FirmSocket("wss://app.example.com/")).toThrow(/give \{ WebSocket \}/);
  });

  it("is taken by graphql-ws, with a ticket and a token for each connection", async () => {
    const { port, asked } = await graphqlEndpoint();
    const client = createClient({
      url: `ws://127.0.0.1:${port}/graphql`,
      webSocketImpl: withFirmshake({
        WebSocket,
        reconnect: false,
        ticket: () => "t",
        token: () => "a.b.c",
      }),
    });
    const results = client.iterate({ query: "{ hello }" });
    expect(await results.next()).toEqual({ done: false, value: { data: { hello: "world" } } });
    expect(asked[0]?.target).toBe("/graphql?ticket=t");
    expect(asked[0]?.protocols).toEqual(["graphql-transport-ws", "bearer", "a.b.c"]);
    await client.dispose();
  });
});

// The copy that graphql-ws itself loads: bundlers' `module` condition would lead to a second one, which it refuses.
const { buildSchema } = createRequire(import.meta.url)("graphql") as typeof import("graphql");

/** A GraphQL server behind a gate. */
async function graphqlEndpoint(): Promise<{ port: number; asked: Handshake[] }> {
  const asked: Handshake[] = [];
  const server = createServer();
  attach(
    server,
    guard(insecureAnyOrigin(), (handshake) => {
      asked.push(handshake);
      return allow;
    }),
  );
  const schema = buildSchema("type Query { hello: String }");
  useServer(
    { schema, roots: { query: { hello: () => "world" } } },
    new WebSocketServer({ server }),
  );
  return { port: await listen(server), asked };
}

describe("where it connects to", () => {
  const to = (url: string, options: FirmSocketOptions = {}) => {
    const socket = new FirmSocket(url, [], { WebSocket, reconnect: false, ...options });
    socket.close();
    return socket.url;
  };

  it.each([
    ["wss://app.example.com/chat?a=%20b", "wss://app.example.com/chat?a=%20b"],
    ["https://app.example.com/", "wss://app.example.com/"],
    ["http://localhost:8080/", "ws://localhost:8080/"],
    ["ws://127.0.0.1/", "ws://127.0.0.1/"],
    ["ws://[::1]:80/", "ws://[::1]/"],
  ])("%s is %s", (given, url) => {
    expect(to(given)).toBe(url);
  });

  it.each([
    "ws://app.example.com/",
    "http://app.example.com/",
    "ws://127.0.0.1.example.com/",
    "ws://localhost.example.com/",
    "ws://localhost@evil.test/",
    "no URL",
  ])("%s is refused", (url) => {
    expect(() => to(url)).toThrow(TypeError);
  });

  it.each(["ftp://localhost/", "wss://app.example.com/#part"])("%s is no WebSocket's", (url) => {
    expect(() => to(url)).toThrow(expect.objectContaining({ name: "SyntaxError" }));
  });

  it("a ticket is not fetched in clear either", () => {
    const ticket = "http://app.example.com/ticket";
    expect(() => to("wss://app.example.com/", { ticket })).toThrow(TypeError);
  });
});

describe("a token", () => {
  const check = jwt({ ...tokens, from: [subprotocolToken()] });

  it.each([
    { name: "at once", token: async () => tokenFor("ada") },
    {
      name: "with its end",
      token: async () => ({ token: await tokenFor("ada"), expiresAt: Date.now() + 600_000 }),
    },
  ])("that is given $name is offered behind the subprotocols", async ({ token }) => {
    const { port, asked } = await endpoint([check]);
    const { socket } = open(port, { token }, ["chat.v1"]);
    await once(socket, "open");
    expect(socket.protocol).toBe("chat.v1");
    expect(asked[0]?.protocols.slice(0, 2)).toEqual(["chat.v1", "bearer"]);
  });

  it.each([
    { name: "no token", token: () => undefined, reason: "token_missing" },
    { name: "a token that is not accepted", token: () => "a.b.c", reason: "token_malformed" },
  ])("$name ends with 3000", async ({ token, reason }) => {
    const { port } = await endpoint([check]);
    const { socket, told } = open(port, { token });
    await closed(socket);
    expect(told.at(-1)).toMatchObject({ code: 3000 });
    expect(told.at(-1)?.reason).toMatch(/^token_/);
    if (reason === "token_missing") expect(told.at(-1)?.reason).toBe(reason);
  });

  it("that no WebSocket takes ends without another try", async () => {
    const { port, asked } = await endpoint([check]);
    const { socket, told } = open(port, { token: () => "a b" });
    await closed(socket);
    expect(typesOf(told)).toEqual(["error", "close"]);
    expect(asked).toEqual([]);
  });

  it("that cannot be had now is asked for again, and the failure is told", async () => {
    const { port } = await endpoint([check]);
    const failure = new Error("offline");
    const token = vi.fn(async () => tokenFor("ada")).mockRejectedValueOnce(failure);
    const { socket } = open(port, { token });
    const [event] = await once(socket, "reconnecting");
    expect(event).toMatchObject({ code: 1006, cause: failure });
    await once(socket, "open");
    expect(token).toHaveBeenCalledTimes(2);
  });

  it("is renewed before it is over, by a connection that takes the place of the old", async () => {
    const { port, wss, asked } = await endpoint([check]);
    const lives = [400, 600_000];
    const token = async () => ({
      token: await tokenFor("ada"),
      expiresAt: Date.now() + (lives.shift() ?? 0),
    });
    const { socket, told } = open(port, { token, refreshBeforeExpiryMs: 300 });
    await once(socket, "open");
    const [first] = wss.clients;
    const left = once(first as WebSocket, "close");
    const states: number[] = [];
    const looking = setInterval(() => states.push(socket.readyState), 2);
    await once(socket, "open");
    expect(await left).toEqual([1000, Buffer.from("")]);
    clearInterval(looking);
    expect(new Set(states)).toEqual(new Set([1]));
    expect(asked).toHaveLength(2);
    socket.send("still here");
    expect(await heard(socket)).toBe("still here");
    expect(typesOf(told)).toEqual(["open", "open", "message"]);
    expect(wss.clients.size).toBe(1);
  });

  it("that cannot be renewed leaves the connection until the server ends it", async () => {
    const { port, wss } = await endpoint([check]);
    const given: (string | undefined)[] = [await tokenFor("ada"), undefined];
    const token = vi.fn(() => {
      const next = given.shift();
      return next && { token: next, expiresAt: Date.now() + 60 };
    });
    const { socket, told } = open(port, { token, refreshBeforeExpiryMs: 30 });
    await once(socket, "open");
    await expect.poll(() => token.mock.calls.length).toBe(2);
    socket.send("still here");
    expect(await heard(socket)).toBe("still here");
    for (const server of wss.clients) server.close(3000, "token_expired");
    await closed(socket);
    expect(told.at(-1)).toEqual({ type: "close", code: 3000, reason: "token_expired" });
  });
});

describe("a ticket", () => {
  type Answer = { status?: number; headers?: Record<string, string>; body?: string };

  async function booth(answers: Answer[]): Promise<{ url: string; asked: IncomingMessage[] }> {
    const asked: IncomingMessage[] = [];
    const server = createServer((request, response) => {
      asked.push(request);
      const { status = 200, headers = {}, body = "" } = answers.shift() ?? {};
      response.writeHead(status, headers).end(body);
    });
    return { url: `http://127.0.0.1:${await listen(server)}/ticket`, asked };
  }

  it.each([
    { name: "as text", answer: { body: "t/1+\n" } },
    {
      name: "in JSON",
      answer: { headers: { "content-type": "application/json" }, body: '{"ticket":"t/1+"}' },
    },
  ])("that is fetched $name is sent in the query, and never shown", async ({ answer }) => {
    const { port, asked } = await endpoint();
    const { url, asked: fetched } = await booth([answer]);
    const { socket } = open(port, { ticket: url });
    await once(socket, "open");
    expect(fetched.map(({ method }) => method)).toEqual(["POST"]);
    expect(asked[0]?.target).toBe("/chat?ticket=t%2F1%2B");
    expect(socket.url).not.toContain("ticket");
  });

  it("may come from a function, and leaves the rest of the query alone", async () => {
    const { port, asked } = await endpoint();
    const socket = new FirmSocket(`ws://127.0.0.1:${port}/chat?room=a%20b`, [], {
      WebSocket,
      ticket: async () => "t",
    });
    await once(socket, "open");
    expect(asked[0]?.target).toBe("/chat?room=a%20b&ticket=t");
    socket.close();
    await closed(socket);
  });

  it("is new for each connection", async () => {
    const { port, asked, refusals } = await endpoint();
    refusals.push("overloaded");
    const { url } = await booth([{ body: "one" }, { body: "two" }]);
    const { socket } = open(port, { ticket: url });
    await expect.poll(() => asked.map(({ query }) => query)).toEqual(["ticket=one", "ticket=two"]);
    expect(socket.readyState).toBeLessThan(2);
  });

  it.each([
    { answer: { status: 401 }, code: 3000 },
    { answer: { status: 403 }, code: 3003 },
    { answer: { status: 404 }, code: 3003 },
    { answer: { status: 302, headers: { location: "/sign-in" } }, code: 3003 },
    { answer: { body: "" }, code: 3003 },
    { answer: { headers: { "content-type": "application/json" }, body: "null" }, code: 3003 },
  ])("that is answered with $answer ends with $code", async ({ answer, code }) => {
    const { port, asked } = await endpoint();
    const { url } = await booth([answer]);
    const { socket, told } = open(port, { ticket: url });
    await closed(socket);
    expect(told.at(-1)).toEqual({ type: "close", code, reason: "ticket_refused" });
    expect(asked).toEqual([]);
  });

  const inTenSeconds = (): string => new Date(Date.now() + 10_000).toUTCString();
  it.each([
    { name: "seconds", retryAfter: () => "10", status: 429 },
    { name: "a date", retryAfter: inTenSeconds, status: 503 },
  ])("honours Retry-After in $name", async ({ retryAfter, status }) => {
    const { port } = await endpoint();
    const { url } = await booth([{ status, headers: { "retry-after": retryAfter() } }]);
    const { socket } = open(port, { ticket: url });
    const [event] = await once(socket, "reconnecting");
    expect(event.code).toBe(1013);
    expect(Math.abs(event.delayMs - 10_000)).toBeLessThan(2_000);
  });
});

describe("what a close code says", () => {
  const codes = (Object.keys(refusalKinds) as RefusalCode[]).filter(
    (code) => code !== "client_gone",
  );

  it.each(codes)("%s is understood as the table means it", async (code) => {
    const { port, refusals, asked } = await endpoint();
    refusals.push(code);
    const { closeCode, retryable } = refusalKinds[code];
    expect(isRetryable({ code: closeCode })).toBe(retryable);
    const { socket, told } = open(port);
    await once(socket, retryable ? "reconnecting" : "close");
    expect(told.at(-1)).toMatchObject({ code: closeCode, reason: code });
    if (retryable) await expect.poll(() => asked.length).toBe(2);
  });

  it.each([1000, 1005, 3000, 4000, 4999])("%d stops", (code) => {
    expect(isRetryable({ code })).toBe(false);
  });

  it.each(Object.entries(closeKinds))(
    "%s of an open connection is understood as the table means it",
    (code, { closeCode, retryable }) => {
      const reason = code === "token_expired" ? `${code};retry=0` : code;
      expect(isRetryable({ code: closeCode, reason })).toBe(retryable);
    },
  );

  it("an HTTP refusal cannot be told from an outage, and is tried again", async () => {
    const { port, refusals } = await endpoint([], { refuse: "http" });
    refusals.push("forbidden");
    const { socket, told } = open(port);
    await once(socket, "open");
    expect(told[0]).toMatchObject({ type: "reconnecting", code: 1006 });
  });

  it("a connection that is cut is opened again", async () => {
    const { port, wss } = await endpoint();
    const { socket, told } = open(port);
    await once(socket, "open");
    for (const server of wss.clients) server.terminate();
    await once(socket, "reconnecting");
    expect(socket.readyState).toBe(0);
    expect(() => socket.send("lost")).toThrow();
    await once(socket, "open");
    socket.send("back");
    expect(await heard(socket)).toBe("back");
    expect(typesOf(told)).toEqual(["open", "reconnecting", "open", "message"]);
  });

  it.each([
    { name: "a token", options: () => ({ token: () => new Promise<string>(() => undefined) }) },
    { name: "a ticket", options: () => ({ ticket: () => new Promise<string>(() => undefined) }) },
    { name: "an answer", options: () => ({}) },
  ])("is not waited for where $name never comes", async ({ name, options }) => {
    const hangs = async (): Promise<typeof allow> => {
      if (name === "an answer") await new Promise(() => undefined);
      return allow;
    };
    const { port, gate } = await endpoint([hangs]);
    const reconnect = { baseMs: 1, maxAttempts: 1 };
    const { socket, told } = open(port, { ...options(), connectTimeoutMs: 30, reconnect });
    await closed(socket);
    expect(told.map(({ type, code }) => [type, code])).toEqual([
      ["reconnecting", 1006],
      ["error", undefined],
      ["close", 1006],
    ]);
    await expect.poll(() => gate.pending).toBe(0);
  });

  it("a renewal that hangs does not keep what it should replace from being opened again", async () => {
    const { port, wss } = await endpoint();
    const given: (() => Promise<{ token: string; expiresAt: number }>)[] = [
      async () => ({ token: "one", expiresAt: Date.now() + 40 }),
      () => new Promise(() => undefined),
      async () => ({ token: "two", expiresAt: Date.now() + 600_000 }),
    ];
    const token = vi.fn(() => given.shift()?.());
    const { socket, told } = open(port, { token, connectTimeoutMs: 500 });
    await once(socket, "open");
    await expect.poll(() => token.mock.calls.length).toBe(2);
    for (const server of wss.clients) server.terminate();
    await once(socket, "open");
    expect(typesOf(told)).toEqual(["open", "reconnecting", "reconnecting", "open"]);
  });

  it("nothing is opened again where that is off", async () => {
    const { port, wss } = await endpoint();
    const { socket, told } = open(port, { reconnect: false });
    await once(socket, "open");
    for (const server of wss.clients) server.close(1013);
    await closed(socket);
    expect(typesOf(told)).toEqual(["open", "close"]);
  });

  it("nor after the last attempt", async () => {
    const { port, refusals, asked } = await endpoint();
    refusals.push("overloaded", "overloaded", "overloaded", "overloaded");
    const { socket, told } = open(port, { reconnect: { baseMs: 1, maxAttempts: 2 } });
    await closed(socket);
    expect(asked).toHaveLength(3);
    expect(told.at(-1)).toEqual({ type: "close", code: 1013, reason: "overloaded" });
  });

  it("closed while it waits, it stays closed", async () => {
    const { port, refusals, asked } = await endpoint();
    refusals.push(refuse("overloaded", undefined, { headers: [["Retry-After", "3"]] }));
    const { socket } = open(port);
    const [event] = await once(socket, "reconnecting");
    expect(event.delayMs).toBeGreaterThanOrEqual(3_000);
    socket.close();
    await closed(socket);
    expect([asked.length, socket.readyState]).toEqual([1, 3]);
  });
});

describe("the wait", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
    const random = vi.spyOn(Math, "random").mockReturnValue(0.5);
    return () => {
      random.mockRestore();
      vi.useRealTimers();
    };
  });

  const backOff = { baseMs: 1_000, maxMs: 10_000 };

  /** The waits of so many refusals in a row, after each of which time goes on. */
  async function waits(
    given: readonly (RefusalCode | ReturnType<typeof refuse>)[],
  ): Promise<readonly number[]> {
    const { port, refusals } = await endpoint();
    refusals.push(...given);
    const { socket } = open(port, { reconnect: backOff });
    const delays: number[] = [];
    for (const _ of given) {
      const [{ delayMs }] = await once(socket, "reconnecting");
      delays.push(delayMs);
      await vi.advanceTimersByTimeAsync(delayMs);
    }
    await once(socket, "open");
    return delays;
  }

  it("doubles up to its bound, and any part of it is taken", async () => {
    const refused = Array.from({ length: 6 }, () => "overloaded" as const);
    expect(await waits(refused)).toEqual([500, 1_000, 2_000, 4_000, 5_000, 5_000]);
  });

  it("is never shorter than the server asks", async () => {
    const busy = refuse("overloaded", undefined, { headers: [["Retry-After", "7"]] });
    expect(await waits([busy, busy])).toEqual([7_500, 8_000]);
  });

  it("is never longer than a timer can be", async () => {
    const long = refuse("overloaded", undefined, { headers: [["Retry-After", "999999999"]] });
    expect(await waits([long])).toEqual([2 ** 31 - 1]);
  });

  it("starts anew behind a connection that lived longer than the longest wait", async () => {
    const { port, wss, refusals } = await endpoint();
    refusals.push("overloaded", "overloaded");
    const { socket } = open(port, { reconnect: backOff });
    const delays: number[] = [];
    socket.addEventListener("reconnecting", ({ delayMs }) => {
      delays.push(delayMs);
      queueMicrotask(() => void vi.advanceTimersByTimeAsync(delayMs));
    });
    await expect.poll(() => wss.clients.size).toBe(1);
    for (const livedMs of [9_000, 11_000]) {
      await expect.poll(() => socket.readyState).toBe(1);
      await vi.advanceTimersByTimeAsync(livedMs);
      for (const server of wss.clients) server.close(1012);
      await once(socket, "reconnecting");
    }
    await once(socket, "open");
    expect(delays).toEqual([500, 1_000, 2_000, 500]);
  });
});
