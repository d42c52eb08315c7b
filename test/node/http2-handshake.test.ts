import { once } from "node:events";
import { IncomingMessage } from "node:http";
import { createServer as createH2cServer } from "node:http2";
import {
  allow,
  attach,
  connectionOf,
  type DecisionEvent,
  guard,
  type Handshake,
  insecureAnyOrigin,
  jwt,
  origin,
  refuse,
  requestOf,
  secure,
  subprotocol,
  subprotocolToken,
} from "@firmshake/node";
import { describe, expect, it } from "vitest";
import { audience, issuer, secret, tokenOf } from "../core/tokens/signing.ts";
import {
  acceptText,
  answerOver,
  answerTo,
  askFor,
  type ConnectSketch,
  headOf,
  offeringServer,
  openSession,
  openStream,
  secureOfferingServer,
  textsOf,
} from "../support/http2.ts";
import { dial, refusalOf, statusOf } from "../support/raw-client.ts";
import { gatedServer, gatedWs, listen } from "../support/server.ts";
import { captureThrown } from "../support/thrown.ts";

const anyone = guard(insecureAnyOrigin(), () => allow);

/** A guard that remembers what it was asked about. */
function remembering(): { policy: typeof anyone; asked: Handshake[] } {
  const asked: Handshake[] = [];
  const policy = guard(insecureAnyOrigin(), (handshake) => {
    asked.push(handshake);
    return allow;
  });
  return { policy, asked };
}

describe("a WebSocket over HTTP/2", () => {
  it("is held, shown to the checks as it came, and handed over as an upgrade", async () => {
    const { policy, asked } = remembering();
    const { port, server } = await gatedServer(policy, {}, await secureOfferingServer());
    const upgraded = once(server, "upgrade") as Promise<[IncomingMessage, object, Buffer]>;
    const session = await openSession(port, { isTls: true });
    askFor(session, {
      ":path": "/chat?room=1",
      ":authority": `localhost:${port}`,
      origin: "https://app.example.com",
      cookie: ["a=1", "b=2"],
      "sec-websocket-key": "theirs",
      "x-list": ["1", "2"],
    });
    const [request, socket, head] = await upgraded;
    const [handshake] = asked as [Handshake];
    expect(handshake).toMatchObject({
      method: "CONNECT",
      httpVersion: "2.0",
      target: "/chat?room=1",
      path: "/chat",
      query: "room=1",
      clientAddress: "127.0.0.1",
      scheme: "wss",
    });
    expect(handshake.tls).toMatchObject({ protocol: "TLSv1.3", serverName: "localhost" });
    expect(handshake.headers.only("host")).toBe(`localhost:${port}`);
    expect(handshake.headers.all("cookie")).toEqual(["a=1; b=2"]);
    expect(handshake.headers.has("upgrade")).toBe(false);
    expect(request).toBeInstanceOf(IncomingMessage);
    expect(request).toMatchObject({ method: "GET", url: "/chat?room=1", httpVersion: "1.1" });
    expect(request.headers).toMatchObject({
      host: `localhost:${port}`,
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      origin: "https://app.example.com",
      cookie: "a=1; b=2",
      "x-list": "1, 2",
    });
    expect(request.headers["sec-websocket-key"]).toMatch(/^[A-Za-z0-9+/]{21}[AQgw]==$/);
    expect(request.rawHeaders.filter((text) => /^(host|sec-websocket-key)$/i.test(text))).toEqual([
      "Host",
      "Sec-WebSocket-Key",
    ]);
    expect(request.headersDistinct["x-list"]).toEqual(["1", "2"]);
    expect(request.socket).toBe(socket);
    expect(head).toHaveLength(0);
    expect(requestOf(handshake)).toBe(request);
    expect(connectionOf(request, policy)).toMatchObject({ path: "/chat" });
    expect(connectionOf(socket)).toBe(connectionOf(request));
  });

  it("has the request that HTTP/1.1 would have made", async () => {
    const { port, next } = await gatedServer(anyone, {}, await secureOfferingServer());
    const first = next();
    const client = await dial(port, { isTls: true });
    client.send(
      "GET /chat HTTP/1.1\r\nHost: localhost\r\nsec-websocket-version: 13\r\nConnection: Upgrade\r\n" +
        "Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    const { request: plain } = await first;
    const second = next();
    askFor(await openSession(port, { isTls: true }));
    const { request: made } = await second;
    const facts = [
      ...["method", "url", "httpVersion", "httpVersionMajor", "httpVersionMinor", "complete"],
      ...["aborted", "upgrade", "readableEnded", "destroyed", "statusCode", "trailers"],
    ] as readonly (keyof IncomingMessage)[];
    const comparable = (request: IncomingMessage): object => ({
      facts: facts.map((name) => [name, request[name]]),
      names: request.rawHeaders.filter((_, index) => index % 2 === 0),
      headers: { ...request.headers, "sec-websocket-key": "" },
    });
    expect(comparable(made)).toEqual(comparable(plain));
    plain.resume();
    made.resume();
    await Promise.all([once(plain, "end"), once(made, "end")]);
  });

  it("is answered as the library answers, without what belongs to the connection", async () => {
    const server = offeringServer();
    attach(server, anyone);
    server.on("upgrade", (request, socket) => {
      const lines = [
        "Sec-WebSocket-Protocol: chat",
        "X-Own: 1",
        "Set-Cookie: a=1",
        "Set-Cookie: b=2",
      ];
      socket.write(acceptText(request, [...lines, "X-Hop: 2", "Connection: x-hop"]));
    });
    const session = await openSession(await listen(server));
    const { headers } = await openStream(session, { "sec-websocket-protocol": "chat" });
    const { date, ...rest } = headers;
    expect(textsOf(rest)).toEqual({
      ":status": 200,
      "sec-websocket-protocol": "chat",
      "x-own": "1",
      "set-cookie": ["a=1", "b=2"],
    });
  });

  it("in clear is ws, and secure() refuses it", async () => {
    const { port } = await gatedWs(guard(insecureAnyOrigin(), secure()), {}, offeringServer());
    const { status, body } = await answerOver(await openSession(port));
    expect({ status, body }).toMatchObject({
      status: 403,
      body: expect.stringContaining("tls_required"),
    });
  });

  it("is of the same origin where :authority is that of the page", async () => {
    const { port } = await gatedWs(guard(origin("same-origin")), {}, await secureOfferingServer());
    const session = await openSession(port, { isTls: true });
    const authority = `localhost:${port}`;
    const own = await openStream(session, {
      ":authority": authority,
      origin: `https://${authority}`,
    });
    expect(own.headers[":status"]).toBe(200);
    const { status } = await answerOver(session, {
      ":authority": authority,
      origin: "https://evil.example",
    });
    expect(status).toBe(403);
  });

  it("of a path without a guard is refused", async () => {
    const { port } = await gatedWs({ "/chat": anyone } as never, {}, offeringServer());
    const { status, body } = await answerOver(await openSession(port), { ":path": "/other" });
    expect({ status, code: JSON.parse(body).code }).toEqual({ status: 404, code: "not_found" });
  });

  it("passes two gates", async () => {
    const server = offeringServer();
    const [inner, outer] = [remembering(), remembering()];
    attach(server, inner.policy);
    const { port } = await gatedServer(outer.policy, {}, server);
    askFor(await openSession(port));
    await once(server, "upgrade");
    expect([inner.asked[0]?.httpVersion, outer.asked[0]?.httpVersion]).toEqual(["1.1", "2.0"]);
  });

  it("keeps the token in the subprotocol from the library", async () => {
    const policy = guard(
      insecureAnyOrigin(),
      jwt({ issuer, audience, keys: secret, from: [subprotocolToken()] }),
      subprotocol(["chat"]),
    );
    const { port, wss } = await gatedWs(policy, {}, offeringServer());
    const connected = once(wss, "connection") as Promise<[unknown, IncomingMessage]>;
    const token = await tokenOf();
    const { headers } = await openStream(await openSession(port), {
      "sec-websocket-protocol": `chat, bearer, ${token}`,
    });
    expect(headers["sec-websocket-protocol"]).toBe("chat");
    const [, request] = await connected;
    expect(JSON.stringify([request.headers, request.rawHeaders])).not.toContain(token);
    expect(connectionOf(request, policy).identity.subject).toBe("ann");
  });
});

describe("a refusal over HTTP/2", () => {
  const cases: readonly (readonly [string, Parameters<typeof refuse>])[] = [
    ["a plain one", ["forbidden"]],
    ["with a detail", ["forbidden", "Schöne Grüße"]],
    ["with headers", ["rate_limited", undefined, { headers: [["Retry-After", "7"]] }]],
    [
      "with a header of the connection",
      ["version_unsupported", undefined, { headers: [["Upgrade", "websocket"]] }],
    ],
    [
      "with the same header twice",
      [
        "unauthorized",
        undefined,
        {
          headers: [
            ["WWW-Authenticate", "A"],
            ["WWW-Authenticate", "B"],
          ],
        },
      ],
    ],
  ];
  it.each(cases)("is that of HTTP/1.1, byte for byte: %s", async (_, args) => {
    const policy = guard(insecureAnyOrigin(), () => refuse(...args));
    const { port } = await gatedServer(policy, {}, await secureOfferingServer());
    const plain = await refusalOf(port, {}, { isTls: true });
    const made = await answerOver(await openSession(port, { isTls: true }));
    expect({ ...made, headers: {} }).toEqual({
      status: plain.status,
      body: Buffer.from(plain.body, "latin1").toString(),
      headers: {},
      hasEnded: true,
      rstCode: 0,
    });
    const { connection, upgrade, date, ...ofPlain } = plain.headers;
    const { date: on, ...ofMade } = made.headers;
    expect(ofMade).toEqual(ofPlain);
    expect(date).toBeDefined();
    expect(on).toBeDefined();
  });

  it("is told like any other", async () => {
    const events: DecisionEvent[] = [];
    const { port } = await gatedServer(
      guard(insecureAnyOrigin(), function invited() {
        return refuse("forbidden", undefined, { reason: "not invited" });
      }),
      { onDecision: (event) => events.push(event) },
      offeringServer(),
    );
    await answerOver(await openSession(port), { ":path": "/chat?secret" });
    expect(events).toEqual([
      expect.objectContaining({
        outcome: "refused",
        path: "/chat",
        clientAddress: "127.0.0.1",
        code: "forbidden",
        status: 403,
        reason: "not invited",
        trail: [
          { check: "loopback host", outcome: "allow", depth: 0 },
          { check: "insecureAnyOrigin", outcome: "allow", depth: 0 },
          {
            check: "invited",
            outcome: "refuse",
            depth: 0,
            code: "forbidden",
            reason: "not invited",
          },
        ],
      }),
    ]);
  });

  it("ends the stream, and leaves the session to the others", async () => {
    const policy = guard(insecureAnyOrigin(), ({ path }) =>
      path === "/chat" ? allow : refuse("forbidden"),
    );
    const { port } = await gatedWs(policy, {}, offeringServer());
    const session = await openSession(port);
    await openStream(session);
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        expect((await answerOver(session, { ":path": "/no" })).status).toBe(403);
      }),
    );
    expect(session.destroyed).toBe(false);
  });
});

const malformed: readonly (readonly [string, number, ConnectSketch])[] = [
  ["no version", 426, { "sec-websocket-version": undefined }],
  ["version 8", 426, { "sec-websocket-version": "8" }],
  ["another Host", 400, { host: "other.example" }],
  ["an authority that is none", 400, { ":authority": "[" }],
  ["https in clear", 400, { ":scheme": "https" }],
  ["the scheme ws", 400, { ":scheme": "ws" }],
  ["a dot segment", 400, { ":path": "/chat/../admin" }],
  ["an encoded letter", 400, { ":path": "/%61dmin" }],
  ["a target with two slashes", 400, { ":path": "//evil.example/" }],
  ["a length", 400, { "content-length": "5" }],
  ["a subprotocol twice", 400, { "sec-websocket-protocol": "a, a" }],
  ["two Origins", 400, { origin: ["https://a.example", "https://b.example"] }],
];

describe("what is no handshake over HTTP/2", () => {
  it.each(malformed)("%s", async (_, status, sketch) => {
    const { policy, asked } = remembering();
    const { port, handedOver } = await gatedServer(policy, {}, offeringServer());
    expect((await answerOver(await openSession(port), sketch)).status).toBe(status);
    expect([asked, handedOver]).toEqual([[], []]);
  });

  it("a Host that says the same as :authority does no harm", async () => {
    const { port } = await gatedWs(anyone, {}, offeringServer());
    const { headers } = await openStream(await openSession(port), { host: "LOCALHOST" });
    expect(headers[":status"]).toBe(200);
  });

  it("as many header lines as are kept over HTTP/1.1", async () => {
    const server = offeringServer({ maxHeaderListSize: 1e6 }, { maxHeaderListPairs: 2_000 });
    const { port } = await gatedWs(anyone, {}, server);
    const session = await openSession(port);
    const lines = (count: number): ConnectSketch => ({ "x-line": Array(count).fill("a") });
    expect((await answerOver(session, lines(998))).status).toBe(431);
    expect((await headOf(askFor(session, lines(900))))[":status"]).toBe(200);
  });
});

describe("what else comes as a stream", () => {
  it.each(["connect-udp", "WebSocket", "webtransport"])(
    "%s is refused, and seen by nobody",
    async (name) => {
      const { policy, asked } = remembering();
      const server = offeringServer();
      const seen: string[] = [];
      for (const event of ["stream", "request", "connect", "upgrade"]) {
        server.on(event, () => seen.push(event));
      }
      attach(server, policy);
      const session = await openSession(await listen(server));
      const { status, body } = await answerOver(session, { ":protocol": name });
      expect({ status, code: JSON.parse(body).code }).toEqual({
        status: 501,
        code: "protocol_unsupported",
      });
      expect([asked, seen]).toEqual([[], []]);
    },
  );

  it("a WebSocket that no library listens for is refused, and seen by nobody", async () => {
    const server = offeringServer();
    const seen: string[] = [];
    for (const event of ["stream", "request", "connect"]) server.on(event, () => seen.push(event));
    attach(server, anyone);
    const session = await openSession(await listen(server));
    const { status, body } = await answerOver(session);
    expect({ status, code: JSON.parse(body).code }).toEqual({
      status: 501,
      code: "protocol_unsupported",
    });
    expect(seen).toEqual([]);
  });

  it("a WebSocket that was not offered gets as far as Node lets it", async () => {
    const { policy, asked } = remembering();
    const server = createH2cServer();
    const { port, handedOver } = await gatedServer(policy, {}, server as never);
    const session = await openSession(port);
    const stream = (() => {
      try {
        return askFor(session);
      } catch {
        return undefined;
      }
    })();
    const answer = stream === undefined ? undefined : await answerTo(stream);
    expect(answer?.status).toBeUndefined();
    expect([asked, handedOver]).toEqual([[], []]);
  });

  it("one that is offered later, by updateSettings, is held", async () => {
    const { policy, asked } = remembering();
    const server = createH2cServer();
    const { port } = await gatedWs(policy, {}, server as never);
    server.updateSettings({ enableConnectProtocol: true });
    await openStream(await openSession(port));
    expect(asked).toHaveLength(1);
  });

  it("pages and plain CONNECT go on as before", async () => {
    const server = createH2cServer({ settings: { enableConnectProtocol: true } }, (_, response) => {
      response.end("page");
    });
    server.on("connect", (_request, response) => {
      response.writeHead(405);
      response.end();
    });
    await gatedWs(anyone, {}, server as never);
    const session = await openSession((server.address() as { port: number }).port);
    const page = session.request({ ":path": "/" });
    let text = "";
    for await (const chunk of page) text += String(chunk);
    expect(text).toBe("page");
    const tunnel = session.request({ ":method": "CONNECT", ":authority": "localhost:1" });
    expect((await headOf(tunnel))[":status"]).toBe(405);
    tunnel.close();
  });

  it("upgrades of HTTP/1.1 are gated beside it", async () => {
    let answer: typeof allow | ReturnType<typeof refuse> = allow;
    const { port } = await gatedWs(
      guard(insecureAnyOrigin(), () => answer),
      {},
      await secureOfferingServer(),
    );
    expect(await statusOf(port, {}, { isTls: true })).toBe(101);
    answer = refuse("forbidden");
    expect(await statusOf(port, {}, { isTls: true })).toBe(403);
  });

  it("an upgrade that calls itself HTTP/2.0 is not taken for one", async () => {
    const { port, handedOver } = await gatedServer(anyone, {}, await secureOfferingServer());
    expect(await statusOf(port, { version: "HTTP/2.0" }, { isTls: true })).toBe(400);
    expect(handedOver).toEqual([]);
  });
});

/** A frame (RFC 9113 §4.1); header fields are literals that are not indexed (RFC 7541 §6.2.2). */
const frame = (type: number, flags: number, stream: number, payload: Buffer): Buffer =>
  Buffer.concat([
    Buffer.from([0, payload.length >> 8, payload.length & 0xff, type, flags, 0, 0, 0, stream]),
    payload,
  ]);
const literal = (text: string): Buffer =>
  Buffer.concat([Buffer.from([text.length]), Buffer.from(text, "latin1")]);
const fieldsOf = (lines: readonly (readonly [string, string])[]): Buffer =>
  Buffer.concat(
    lines.map(([name, value]) => Buffer.concat([Buffer.from([0]), literal(name), literal(value)])),
  );

const good = [
  [":method", "CONNECT"],
  [":protocol", "websocket"],
  [":scheme", "http"],
  [":path", "/chat"],
  [":authority", "localhost"],
  ["sec-websocket-version", "13"],
] as const;

/** A client that has exchanged settings. */
async function rawSession(port: number): Promise<Awaited<ReturnType<typeof dial>>> {
  const client = await dial(port);
  const settings = frame(4, 0, 0, Buffer.alloc(0));
  client.send(Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), settings]));
  await expect.poll(() => client.received().length).toBeGreaterThan(9);
  client.send(frame(4, 1, 0, Buffer.alloc(0)));
  return client;
}

/** The types of the frames that came on a stream. */
function frameTypesOn(text: string, stream: number): readonly number[] {
  const bytes = Buffer.from(text, "latin1");
  const types: number[] = [];
  for (let at = 0; at + 9 <= bytes.length; at += 9 + bytes.readUIntBE(at, 3)) {
    if (bytes.readUInt32BE(at + 5) === stream) types.push(bytes[at + 3] as number);
  }
  return types;
}

const [headersFrame, resetFrame] = [1, 3];

describe("header blocks that Node's client would not send", () => {
  const hostile: readonly (readonly [string, readonly (readonly [string, string])[]])[] = [
    ["a pseudo-header twice", [...good, [":path", "/admin"]]],
    ["a pseudo-header behind a header", [...good.slice(0, 4), ["a", "b"], ...good.slice(4)]],
    ["an unknown pseudo-header", [[":x", "y"], ...good]],
    ["no path", good.filter(([name]) => name !== ":path")],
    ["an empty path", good.map(([name, value]) => [name, name === ":path" ? "" : value] as const)],
    ["no scheme", good.filter(([name]) => name !== ":scheme")],
    [
      "an authority with userinfo",
      good.map(([name, value]) => [name, name === ":authority" ? "a@localhost" : value] as const),
    ],
    ["no authority", good.filter(([name]) => name !== ":authority")],
    [
      "a protocol with GET",
      good.map(([name, value]) => [name, value === "CONNECT" ? "GET" : value] as const),
    ],
    ["Connection", [...good, ["connection", "Upgrade"]]],
    ["Upgrade", [...good, ["upgrade", "websocket"]]],
    ["Transfer-Encoding", [...good, ["transfer-encoding", "chunked"]]],
    ["two Hosts", [...good, ["host", "localhost"], ["host", "localhost"]]],
    ["a name in capitals", [...good, ["Cookie", "a=b"]]],
    [
      "a line break in the path",
      good.map(([name, value]) => [name, name === ":path" ? "/a\r\nb: c" : value] as const),
    ],
  ];

  it.each(hostile)(
    "%s: no check is asked, nothing handed over, and the session lives",
    async (_, lines) => {
      const thrown = captureThrown();
      const { policy, asked } = remembering();
      const { port, handedOver } = await gatedServer(policy, {}, offeringServer());
      const client = await rawSession(port);
      client.send(
        Buffer.concat([frame(1, 4, 1, fieldsOf(lines)), frame(6, 0, 0, Buffer.from("pingpong"))]),
      );
      const text = await client.until("pingpong");
      await expect
        .poll(() => frameTypesOn(client.received(), 1))
        .toEqual(
          expect.arrayContaining([
            expect.toSatisfy((type: number) => type === headersFrame || type === resetFrame),
          ]),
        );
      expect(text).not.toContain("evil");
      expect([asked, handedOver, thrown]).toEqual([[], [], []]);
    },
  );

  it("a value with a line break or NUL does not come through", async () => {
    const { policy, asked } = remembering();
    const { port, next } = await gatedServer(policy, {}, offeringServer());
    const handed = next();
    const client = await rawSession(port);
    const lines = [...good, ["x-a", "b\r\nevil: 1"], ["x-b", "c\0d"], ["x-c", "e"]] as const;
    client.send(frame(1, 4, 1, fieldsOf(lines)));
    const { request } = await handed;
    expect(request.headers).not.toHaveProperty("x-a");
    expect(request.headers).not.toHaveProperty("x-b");
    expect(request.headers["x-c"]).toBe("e");
    expect([...(asked[0]?.headers ?? [])].flat().join()).not.toMatch(/evil|\0/);
  });

  it("one that is reset in the same breath ends nothing", async () => {
    const thrown = captureThrown();
    const { port } = await gatedServer(anyone, {}, offeringServer());
    const client = await rawSession(port);
    const reset = frame(3, 0, 1, Buffer.from([0, 0, 0, 8]));
    client.send(
      Buffer.concat([
        frame(1, 4, 1, fieldsOf(good)),
        reset,
        frame(6, 0, 0, Buffer.from("pingpong")),
      ]),
    );
    await client.until("pingpong");
    client.send(frame(1, 4, 3, fieldsOf(good)));
    await expect.poll(() => frameTypesOn(client.received(), 3)).toContain(resetFrame);
    expect(thrown).toEqual([]);
  });
});
