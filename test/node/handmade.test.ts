import { createServer, type IncomingMessage } from "node:http";
import { PassThrough } from "node:stream";
import fastifyWebsocket from "@fastify/websocket";
import {
  allow,
  allowWith,
  attach,
  connectionOf,
  type DecisionEvent,
  type GateOptions,
  guard,
  insecureAnyOrigin,
  jwt,
  origin,
  type Policy,
  queryToken,
  refuse,
  requestOf,
  subprotocolToken,
} from "@firmshake/node";
import Fastify, { type FastifyInstance } from "fastify";
import { SignJWT } from "jose";
import { describe, expect, it, onTestFinished } from "vitest";
import { captureThrown } from "../support/thrown.ts";

const page = "https://app.example.com";
const headers = { host: "app.example.com", origin: page };

describe("@fastify/websocket's injectWS, which makes the request by hand", () => {
  async function injectable(
    policy: Policy,
    options: GateOptions = {},
  ): Promise<{ app: FastifyInstance; accepted: IncomingMessage[] }> {
    const app = Fastify();
    onTestFinished(() => app.close());
    const accepted: IncomingMessage[] = [];
    await app.register(fastifyWebsocket);
    app.get("/*", { websocket: true }, (socket, { raw }) => {
      accepted.push(raw);
      socket.on("message", (data) => socket.send(String(data)));
    });
    attach(app.server, policy, options);
    await app.ready();
    return { app, accepted };
  }

  it.each([
    { name: "at once", check: () => allow },
    { name: "after a while", check: async () => allow },
  ])("is decided on and let in $name", async ({ check }) => {
    const { app, accepted } = await injectable({ "/chat": guard(origin([page]), check) });
    const socket = await app.injectWS("/chat", { headers });
    const echo = new Promise((resolve) => socket.once("message", (data) => resolve(String(data))));
    socket.send("hello");
    expect(await echo).toBe("hello");
    expect(connectionOf(accepted[0] as object)).toMatchObject({ path: "/chat" });
    socket.terminate();
  });

  it.each([
    {
      name: "a foreign origin",
      path: "/chat",
      headers: { ...headers, origin: "https://evil.example" },
      status: 403,
    },
    { name: "a path without a guard", path: "/news", headers, status: 404 },
    { name: "no Host", path: "/chat", headers: { origin: page }, status: 400 },
    {
      name: "two Origins",
      path: "/chat",
      headers: { ...headers, origin: [page, page] },
      status: 400,
    },
    { name: "a body", path: "/chat", headers: { ...headers, "content-length": 5 }, status: 400 },
  ])("is refused for $name", async ({ path, headers: sent, status }) => {
    const thrown = captureThrown();
    const { app, accepted } = await injectable({ "/chat": guard(origin([page])) });
    await expect(app.injectWS(path, { headers: sent as never })).rejects.toThrow(String(status));
    expect(accepted).toEqual([]);
    expect(thrown).toEqual([]);
  });

  it("has no address, and the guard finds the request itself", async () => {
    const events: DecisionEvent[] = [];
    const seen = guard(insecureAnyOrigin(), async (handshake) =>
      allowWith({
        addresses: [handshake.peerAddress, handshake.clientAddress],
        scheme: handshake.scheme,
        request: requestOf(handshake),
      }),
    );
    const { app, accepted } = await injectable(seen, { onDecision: (event) => events.push(event) });
    const socket = await app.injectWS("/chat", { headers });
    expect(connectionOf(accepted[0] as object, seen).facts).toEqual({
      addresses: [undefined, undefined],
      scheme: "ws",
      request: accepted[0],
    });
    expect(events).toMatchObject([{ outcome: "accepted", clientAddress: undefined }]);
    socket.terminate();
  });

  it("loses what must not reach the library", async () => {
    const keys = new TextEncoder().encode("a secret of thirty-two bytes.....");
    const token = await new SignJWT()
      .setProtectedHeader({ alg: "HS256" })
      .setSubject("ada")
      .setIssuer("https://id.example.com")
      .setAudience("chat")
      .setExpirationTime("1h")
      .sign(keys);
    const settings = { issuer: "https://id.example.com", audience: "chat", keys };
    const { app, accepted } = await injectable({
      "/offered": guard(origin([page]), jwt({ ...settings, from: [subprotocolToken()] })),
      "/query": guard(origin([page]), jwt({ ...settings, from: [queryToken("token")] })),
    });
    const offered = { ...headers, "sec-websocket-protocol": `bearer, ${token}` };
    for (const [path, sent] of [
      ["/offered", offered],
      [`/query?token=${token}&room=1`, headers],
    ] as const) {
      (await app.injectWS(path, { headers: sent })).terminate();
    }
    expect(accepted.map((request) => connectionOf(request).identity?.subject)).toEqual([
      "ada",
      "ada",
    ]);
    expect(accepted[0]?.headers["sec-websocket-protocol"]).toBe("bearer");
    expect(accepted.map(({ url }) => url).join()).not.toContain(token);
  });
});

describe("a request that somebody else made by hand", () => {
  const good = {
    host: "app.example.com",
    connection: "Upgrade",
    upgrade: "websocket",
    "sec-websocket-version": 13,
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
  };
  const made = { method: "GET", url: "/chat", httpVersion: "1.1" };

  it.each([
    { name: "headers alone", request: { ...made, headers: good } },
    { name: "empty raw headers", request: { ...made, headers: good, rawHeaders: [] } },
    {
      name: "names in capitals",
      request: { ...made, headers: { ...good, upgrade: undefined, Upgrade: "WebSocket" } },
    },
    {
      name: "a list of values",
      request: { ...made, headers: { ...good, upgrade: ["websocket"] } },
    },
    { name: "no method and no target", request: { headers: good } },
  ])("is not let by: $name", ({ request }) => {
    const server = createServer();
    attach(
      server,
      guard(insecureAnyOrigin(), () => refuse("forbidden")),
    );
    const listened: unknown[] = [];
    server.on("upgrade", (given) => listened.push(given));
    const socket = new PassThrough();
    expect(server.emit("upgrade", request, socket, Buffer.alloc(0))).toBe(true);
    expect(listened).toEqual([]);
    expect(String(socket.read())).toMatch(/^HTTP\/1\.1 40\d /);
  });

  it("waits for a slow check like any other, and may leave meanwhile", async () => {
    const thrown = captureThrown();
    const server = createServer();
    const listened: unknown[] = [];
    server.on("upgrade", (given) => listened.push(given));
    const gate = attach(
      server,
      guard(insecureAnyOrigin(), () => new Promise<never>(() => undefined)),
    );
    const socket = new PassThrough();
    server.emit("upgrade", { ...made, headers: good }, socket);
    expect(gate.pending).toBe(1);
    socket.destroy(new Error("gone"));
    await expect.poll(() => gate.pending).toBe(0);
    expect([listened, thrown]).toEqual([[], []]);
  });

  it.each([
    { name: "no headers at all", request: {} },
    { name: "another protocol", request: { ...made, headers: { ...good, upgrade: "h2c" } } },
  ])("goes where it would have gone: $name", ({ request }) => {
    const server = createServer();
    attach(server, guard());
    const listened: unknown[] = [];
    server.on("upgrade", (given) => listened.push(given));
    server.emit("upgrade", request, new PassThrough(), Buffer.alloc(0));
    expect(listened).toEqual([request]);
  });
});
