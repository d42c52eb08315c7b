import { createServer } from "node:http";
import {
  allow,
  allowWith,
  attach,
  connectionOf,
  guard,
  type Identity,
  insecureAnyOrigin,
  jwt,
  queryToken,
  subprotocol,
  subprotocolToken,
} from "@firmshake/node";
import { SignJWT } from "jose";
import { describe, expect, it } from "vitest";
import { WebSocketServer } from "ws";
import { thrownBy } from "../support/handshakes.ts";
import { dial, handshakeText } from "../support/raw-client.ts";
import { deferred, gatedServer, gatedWs, listen, openWebSocket } from "../support/server.ts";

const keys = new Uint8Array(32).fill(7);
const options = { issuer: "https://id.example.com", audience: "chat", keys } as const;
const tokenOf = (subject: string): Promise<string> =>
  new SignJWT()
    .setProtectedHeader({ alg: "HS256" })
    .setIssuer(options.issuer)
    .setAudience(options.audience)
    .setSubject(subject)
    .setExpirationTime("1m")
    .sign(keys);

describe("connectionOf", () => {
  it("knows what was accepted, by the request and by the socket", async () => {
    const room = guard(
      insecureAnyOrigin(),
      () => allowWith({ room: "blue" }),
      async () => allowWith({ seat: 7 }),
    );
    const before = Date.now();
    const { port, next } = await gatedServer({ "/chat": room });
    const client = await dial(port);
    const handed = next();
    client.send(handshakeText());
    const { request, socket } = await handed;
    const connection = connectionOf(request, room);
    expect(connectionOf(socket, room)).toBe(connection);
    expect(connectionOf(request)).toBe(connection);
    expect(connection.facts).toEqual({ room: "blue", seat: 7 });
    expect(connection.facts.room).toBe("blue");
    expect(connection.identity).toBeUndefined();
    expect(connection.path).toBe("/chat");
    expect(connection.acceptedAt).toBeGreaterThanOrEqual(before);
    expect(Object.isFrozen(connection) && Object.isFrozen(connection.facts)).toBe(true);
  });

  it("throws for what no gate has let in, and for another guard", async () => {
    const open = guard(insecureAnyOrigin());
    const other = guard(insecureAnyOrigin());
    const { port, next, gate } = await gatedServer(open);
    const client = await dial(port);
    const handed = next();
    client.send(handshakeText());
    const { request } = await handed;
    expect(thrownBy(() => connectionOf(request, other))).toMatch(
      /another guard.*\(ERR_FIRMSHAKE_NOT_GUARDED\)/,
    );
    expect(thrownBy(() => connectionOf({}))).toMatch(/no gate.*\(ERR_FIRMSHAKE_NOT_GUARDED\)/);
    gate.detach();
    const late = await dial(port);
    const passed = next();
    late.send(handshakeText());
    const ungated = await passed;
    expect(thrownBy(() => connectionOf(ungated.request))).toContain("ERR_FIRMSHAKE_NOT_GUARDED");
  });

  it("adds up over two gates", async () => {
    const inner = guard(insecureAnyOrigin(), () => allowWith({ inner: 1 }));
    const outer = guard(insecureAnyOrigin(), async () => allowWith({ outer: 2 }));
    const { server, port, next } = await gatedServer(inner);
    attach(server, outer);
    const client = await dial(port);
    const handed = next();
    client.send(handshakeText());
    const { request, socket } = await handed;
    expect(connectionOf(request).facts).toEqual({ inner: 1, outer: 2 });
    expect(connectionOf(socket, inner).facts.inner).toBe(1);
    expect(connectionOf(request, outer).facts.outer).toBe(2);
  });

  it("holds the identity of a jwt check", async () => {
    const chat = guard(insecureAnyOrigin(), jwt(options));
    const found = deferred<Identity>();
    const { port, wss } = await gatedWs({ "/chat": chat });
    wss.on("connection", (_socket, request) => found.resolve(connectionOf(request, chat).identity));
    await openWebSocket(`ws://127.0.0.1:${port}/chat`, [], {
      headers: { Authorization: `Bearer ${await tokenOf("ada")}` },
    });
    expect(await found.promise).toMatchObject({ subject: "ada", scheme: "bearer" });
  });
});

describe("a token among the subprotocols", () => {
  const chat = guard(insecureAnyOrigin(), jwt({ ...options, from: [subprotocolToken()] }));

  it("is gone from every view of the request, whether it was looked at before or not", async () => {
    for (const isSeen of [true, false]) {
      const token = await tokenOf("ada");
      const server = createServer();
      const gated = deferred<void>();
      attach(server, chat);
      if (isSeen) {
        const emit = server.emit;
        server.emit = ((...args: unknown[]) => {
          const request = args[1] as { headers?: object; headersDistinct?: object } | undefined;
          if (args[0] === "upgrade")
            gated.resolve(void [request?.headers, request?.headersDistinct]);
          return Reflect.apply(emit, server, args);
        }) as typeof emit;
      }
      const seen = deferred<object>();
      server.on("upgrade", (request, socket) => {
        const { headers, headersDistinct, rawHeaders, url } = request;
        seen.resolve({
          text: JSON.stringify([headers, headersDistinct, rawHeaders, url]),
          headers,
          headersDistinct,
          rawHeaders,
        });
        socket.destroy();
      });
      const client = await dial(await listen(server));
      client.send(
        handshakeText({
          headers: { "sec-webSocket-protocol": ["chat.v1", `bearer, ${token}`], "X-Last": "kept" },
        }),
      );
      const { text, headers, headersDistinct, rawHeaders } = (await seen.promise) as Record<
        string,
        unknown
      >;
      expect(text).not.toContain(token);
      expect(headers).toMatchObject({
        "sec-websocket-protocol": "chat.v1, bearer",
        "x-last": "kept",
        host: "localhost",
      });
      expect(headersDistinct).toMatchObject({
        "sec-websocket-protocol": ["chat.v1, bearer"],
        "x-last": ["kept"],
      });
      expect(
        (rawHeaders as string[]).filter((name) => /^sec-websocket-protocol$/i.test(name)).length,
      ).toBe(1);
      expect((rawHeaders as string[])[(rawHeaders as string[]).indexOf("X-Last") + 1]).toBe("kept");
    }
  });

  it("is never echoed by ws, and the client is answered what it offered", async () => {
    const { port } = await gatedWs({ "/chat": chat });
    const token = await tokenOf("ada");
    const socket = await openWebSocket(`ws://127.0.0.1:${port}/chat`, ["bearer", token]);
    expect(socket.protocol).toBe("bearer");
    const raw = await dial(port);
    raw.send(handshakeText({ headers: { "Sec-WebSocket-Protocol": `bearer, ${token}` } }));
    expect(await raw.until("\r\n\r\n")).not.toContain(token);
  });

  it("alone is refused: there would be nothing to answer with", async () => {
    const { port } = await gatedServer(
      guard(insecureAnyOrigin(), jwt({ ...options, from: [subprotocolToken("jupyter")] })),
    );
    const client = await dial(port);
    const offer = `v1.token.websocket.jupyter.org.${await tokenOf("ada")}`;
    client.send(handshakeText({ headers: { "Sec-WebSocket-Protocol": offer } }));
    expect(await client.closed).toContain("subprotocol_required");
  });

  it("leaves one choice where a subprotocol was agreed on, and ws takes it", async () => {
    const agreeing = guard(
      insecureAnyOrigin(),
      subprotocol(["chat.v2", "chat.v1"]),
      jwt({ ...options, from: [subprotocolToken()] }),
    );
    const { port, wss } = await gatedWs(agreeing);
    const facts = deferred<unknown>();
    wss.on("connection", (_socket, request) =>
      facts.resolve(connectionOf(request, agreeing).facts.subprotocol),
    );
    const offer = ["news", "chat.v1", "bearer", await tokenOf("ada"), "chat.v2"];
    const socket = await openWebSocket(`ws://127.0.0.1:${port}/`, offer);
    expect(socket.protocol).toBe("chat.v1");
    expect(await facts.promise).toBe("chat.v1");
  });
});

it("a token in the query is gone from the URL, and the rest stays as it was written", async () => {
  const { port, next } = await gatedServer(
    guard(insecureAnyOrigin(), jwt({ ...options, from: [queryToken("token")] })),
  );
  const token = await tokenOf("ada");
  for (const [target, rest] of [
    [`/chat?token=${token}`, "/chat"],
    [`/chat?a=1&token=${token}&b=%20x`, "/chat?a=1&b=%20x"],
    [`/chat?t%6fken=${token}&c`, "/chat?c"],
  ] as const) {
    const client = await dial(port);
    const handed = next();
    client.send(handshakeText({ target }));
    expect((await handed).request.url).toBe(rest);
  }
});

it("an untouched request keeps its very arrays", async () => {
  const server = createServer();
  let before: unknown;
  attach(server, ({ request, handshake }) => {
    before = request.rawHeaders;
    const verdict = guard(insecureAnyOrigin(), () => allow).decide(handshake);
    if ("then" in verdict || !verdict.ok) throw new Error("allows at once");
    return { outcome: "permitted", permits: [verdict.permit], reported: undefined, trail: [] };
  });
  const wss = new WebSocketServer({ server });
  const seen = deferred<unknown>();
  wss.on("connection", (_socket, request) => seen.resolve(request.rawHeaders));
  await openWebSocket(`ws://127.0.0.1:${await listen(server)}/`);
  expect(await seen.promise).toBe(before);
});
