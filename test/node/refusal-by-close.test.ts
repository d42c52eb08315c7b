import { once } from "node:events";
import { createServer } from "node:http";
import {
  type allow,
  attach,
  bearerToken,
  ConfigError,
  type DecisionEvent,
  guard,
  insecureAnyOrigin,
  jwt,
  origin,
  type RefusalCode,
  rateLimit,
  refusalKinds,
  refuse,
  subprotocol,
  subprotocolToken,
} from "@firmshake/node";
import { describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { answerOver, offeringServer, openSession } from "../support/http2.ts";
import {
  answerIn,
  dial,
  handshakeText,
  type RawHandshake,
  refusalOf,
  textFrame,
} from "../support/raw-client.ts";
import { connectionsOf, deferred, gatedServer, listen } from "../support/server.ts";
import { captureThrown } from "../support/thrown.ts";

const site = "https://app.example.com";
const fromSite = { headers: { Origin: site } };
const close = { refuse: "close" } as const;
const refusing = (code: RefusalCode, headers: readonly (readonly [string, string])[] = []) =>
  guard(insecureAnyOrigin(), () => refuse(code, "Members only.", { headers }));

/** What a refusal said: the status, and where a WebSocket was opened its close code and reason. */
async function saidTo(port: number, sketch: RawHandshake = {}): Promise<object> {
  const { status, body } = await refusalOf(port, sketch);
  return status === 101 ? { status, ...frameIn(body) } : { status };
}

function frameIn(latin1: string): { closeCode: number; reason: string } {
  const bytes = Buffer.from(latin1, "latin1");
  // FIN and the opcode of a close, no mask, and nothing behind it.
  expect([bytes[0], bytes[1]]).toEqual([0x88, bytes.length - 2]);
  return { closeCode: bytes.readUInt16BE(2), reason: bytes.toString("latin1", 4) };
}

describe.each([
  { name: "at once", check: () => refuse("forbidden", "Members only.") },
  { name: "later", check: async () => refuse("forbidden", "Members only.") },
])("a refusal that comes $name", ({ check }) => {
  const policy = guard(insecureAnyOrigin(), check);

  it("is these bytes and no others", async () => {
    const { port, handedOver, server } = await gatedServer(policy, close);
    const client = await dial(port);
    client.send(handshakeText());
    expect(await client.closed).toBe(
      [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        "",
        "\x88\x0b\x0b\xbbforbidden",
      ].join("\r\n"),
    );
    expect(handedOver).toEqual([]);
    await expect.poll(() => connectionsOf(server)).toBe(0);
  });

  it.each([
    { name: "that has sent frames already", sent: Buffer.concat([textFrame("a"), textFrame("b")]) },
    { name: "that has sent 1 MiB already", sent: Buffer.alloc(1_048_576) },
    { name: "that has sent a second request", sent: Buffer.from(handshakeText()) },
  ])("reaches a client $name, whole and once", async ({ sent }) => {
    const { port, handedOver } = await gatedServer(policy, { ...close, maxEarlyBytes: 4_194_304 });
    const client = await dial(port);
    client.send(Buffer.concat([Buffer.from(handshakeText()), sent]));
    expect(frameIn(answerIn(await client.closed).body)).toEqual({
      closeCode: 3003,
      reason: "forbidden",
    });
    expect(handedOver).toEqual([]);
  });

  it("closes the socket also under a client that keeps its own side open", async () => {
    const { port, server } = await gatedServer(policy, close);
    const client = await dial(port, { keepsOpen: true });
    client.send(handshakeText());
    expect(answerIn(await client.ended).status).toBe(101);
    await expect.poll(() => connectionsOf(server), { timeout: 3_000 }).toBe(0);
  });

  it("closes the socket also under a client that never reads and goes on sending", async () => {
    const { port, server } = await gatedServer(policy, close);
    const client = await dial(port, { isDeaf: true });
    client.send(handshakeText());
    const frames = Buffer.alloc(10_000, textFrame("more"));
    const sending = setInterval(() => client.socket.writable && client.send(frames), 20);
    await expect.poll(() => connectionsOf(server), { timeout: 3_000 }).toBe(0);
    clearInterval(sending);
  });
});

it("cuts refused clients off at once when a thousand of them linger", {
  timeout: 30_000,
}, async () => {
  const { port, server } = await gatedServer(refusing("forbidden"), close);
  const clients = await Promise.all(
    Array.from({ length: 1_000 }, () => dial(port, { keepsOpen: true })),
  );
  for (const client of clients) client.send(handshakeText());
  await Promise.all(clients.map(({ ended }) => ended));
  const late = await dial(port, { keepsOpen: true });
  late.send(handshakeText());
  expect(answerIn(await late.ended).status).toBe(101);
  await expect.poll(() => connectionsOf(server), { timeout: 5_000 }).toBe(0);
});

it("survives clients that reset while they are refused", async () => {
  const thrown = captureThrown();
  const decided = deferred<void>();
  const policy = guard(insecureAnyOrigin(), async () => {
    await decided.promise;
    return refuse("forbidden");
  });
  const { port, server, gate, handedOver } = await gatedServer(policy, close);
  const clients = await Promise.all(Array.from({ length: 30 }, () => dial(port)));
  for (const client of clients) client.send(handshakeText());
  await expect.poll(() => gate.pending).toBe(30);
  decided.resolve();
  for (const client of clients) client.reset();
  await expect.poll(() => connectionsOf(server)).toBe(0);
  expect({ thrown, handedOver }).toEqual({ thrown: [], handedOver: [] });
});

/** Nobody is there to be told that. */
const codes = (Object.keys(refusalKinds) as RefusalCode[]).filter((code) => code !== "client_gone");

it.each(codes)("ws sees the close code and reason of %s", async (code) => {
  const { port } = await gatedServer(refusing(code), close);
  const client = new WebSocket(`ws://127.0.0.1:${port}/chat`);
  const opened = once(client, "open");
  const [closeCode, reason] = (await once(client, "close")) as [number, Buffer];
  await opened;
  expect([closeCode, String(reason)]).toEqual([refusalKinds[code].closeCode, code]);
});

describe("the reason", () => {
  it.each([
    { retryAfter: "7", reason: "overloaded;retry=7" },
    { retryAfter: "0", reason: "overloaded;retry=0" },
    { retryAfter: "Fri, 31 Dec 1999 23:59:59 GMT", reason: "overloaded" },
    { retryAfter: "7;x=y", reason: "overloaded" },
    { retryAfter: "1".repeat(200), reason: "overloaded" },
  ])("says $reason for Retry-After: $retryAfter", async ({ retryAfter, reason }) => {
    const { port } = await gatedServer(
      refusing("overloaded", [["retry-after", retryAfter]]),
      close,
    );
    expect(await saidTo(port)).toEqual({ status: 101, closeCode: 1013, reason });
  });

  it("says when to come again to whom a limit has refused", async () => {
    const policy = guard(insecureAnyOrigin(), rateLimit({ limit: 1, windowMs: 60_000 }), () =>
      refuse("forbidden"),
    );
    const { port } = await gatedServer(policy, close);
    await saidTo(port);
    expect(await saidTo(port)).toEqual({
      status: 101,
      closeCode: 1013,
      reason: expect.stringMatching(/^rate_limited;retry=[0-9]+$/),
    });
  });

  it("is never longer than a close frame may be", () => {
    const longest = Math.max(...codes.map((code) => `${code};retry=999999999`.length));
    expect(longest).toBeLessThanOrEqual(123);
  });
});

describe("the subprotocol that completes the handshake", () => {
  const token = "eyJhbGciOiJIUzI1NiJ9.e30.c2ln";
  const base64 = Buffer.from(token).toString("base64url");
  const tokens = { issuer: "https://id.example.com", audience: "chat", keys: new Uint8Array(32) };
  const asSubprotocol = jwt({ ...tokens, from: [subprotocolToken()] });
  const asHeader = jwt({ ...tokens, from: [bearerToken()] });

  it.each([
    { name: "the first that is offered", offer: "chat.v2, chat.v1", answer: "chat.v2" },
    { name: "none where none is offered", offer: undefined, answer: undefined },
    { name: "bearer", offer: `bearer, ${token}`, answer: "bearer" },
    { name: "what stands before a token", offer: `chat, bearer, ${token}`, answer: "chat" },
    {
      name: "what stands behind one",
      offer: `base64url.bearer.authorization.k8s.io.${base64}, chat`,
      answer: "chat",
    },
    { name: "phoenix", offer: `base64url.bearer.phx.${base64}, phoenix`, answer: "phoenix" },
    {
      name: "what stands behind one of Jupyter",
      offer: `v1.token.websocket.jupyter.org.x, jupyter`,
      answer: "jupyter",
    },
    { name: "no long one", offer: `${"a".repeat(65)}, chat`, answer: "chat" },
  ])("is $name", async ({ offer, answer }) => {
    for (const check of [asSubprotocol, asHeader, () => refuse("forbidden")]) {
      const { port } = await gatedServer(guard(insecureAnyOrigin(), check), close);
      const headers = { "Sec-WebSocket-Protocol": offer };
      const answered = await refusalOf(port, { headers });
      expect(answered.status).toBe(101);
      expect(answered.headers["sec-websocket-protocol"]).toBe(answer);
    }
  });

  it("is what the policy agreed on", async () => {
    const policy = guard(insecureAnyOrigin(), subprotocol(["chat.v1"]), () => refuse("forbidden"));
    const { port } = await gatedServer(policy, close);
    const headers = { "Sec-WebSocket-Protocol": "soap, chat.v1" };
    expect((await refusalOf(port, { headers })).headers["sec-websocket-protocol"]).toBe("chat.v1");
  });

  it.each([
    { name: "tokens alone", offer: `base64url.bearer.authorization.k8s.io.${base64}` },
    { name: "long names alone", offer: "a".repeat(65) },
  ])("is missing where there are $name, and then it is HTTP that answers", async ({ offer }) => {
    const { port } = await gatedServer(refusing("unauthorized"), close);
    const answered = await refusalOf(port, { headers: { "Sec-WebSocket-Protocol": offer } });
    expect(answered.status).toBe(401);
    expect(JSON.stringify(answered)).not.toContain(offer);
  });
});

describe("auto", () => {
  const policy = guard(origin([site], { allowMissing: true }), () =>
    refuse("rate_limited", undefined, { headers: [["Retry-After", "9"]] }),
  );
  const auto = { refuse: "auto" } as const;

  it("closes to a page of an origin that the policy lets in", async () => {
    const { port } = await gatedServer(policy, auto);
    expect(await saidTo(port, fromSite)).toEqual({
      status: 101,
      closeCode: 1013,
      reason: "rate_limited;retry=9",
    });
  });

  it.each([
    { name: "no browser", sketch: {}, status: 429 },
    { name: "a foreign page", sketch: { headers: { Origin: "https://evil.test" } }, status: 403 },
    { name: "a sandbox", sketch: { headers: { Origin: "null" } }, status: 403 },
    {
      name: "a page of another name for this host",
      sketch: { headers: { Origin: site, Host: "evil.test" } },
      status: 421,
    },
  ])("answers $name by HTTP", async ({ sketch, status }) => {
    const { port } = await gatedServer(policy, auto);
    expect(await saidTo(port, sketch)).toEqual({ status });
  });

  it("tells a page nothing that is found out before its origin is looked at", async () => {
    const { port, gate } = await gatedServer({ "/chat": policy }, auto);
    expect(await saidTo(port, { ...fromSite, target: "/elsewhere" })).toEqual({ status: 404 });
    gate.close();
    expect(await saidTo(port, fromSite)).toEqual({ status: 503 });
  });

  it("tells a page that one guard lets in nothing of the next, which does not", async () => {
    const both = guard(origin([site, "https://other.example.com"]), origin([site]));
    const { port } = await gatedServer(both, auto);
    expect(await saidTo(port, { headers: { Origin: "https://other.example.com" } })).toEqual({
      status: 403,
    });
  });
});

describe("close", () => {
  it("says also what is found out before any check runs", async () => {
    const { port, gate } = await gatedServer({ "/chat": guard(insecureAnyOrigin()) }, close);
    expect(await saidTo(port, { target: "/elsewhere" })).toMatchObject({ reason: "not_found" });
    gate.close();
    expect(await saidTo(port)).toEqual({
      status: 101,
      closeCode: 1001,
      reason: "shutting_down;retry=5",
    });
  });

  it("says that the time to decide is over", async () => {
    const policy = guard(insecureAnyOrigin(), () => new Promise<typeof allow>(() => undefined));
    const { port } = await gatedServer(policy, { ...close, decisionTimeoutMs: 20 });
    expect(await saidTo(port)).toEqual({
      status: 101,
      closeCode: 3008,
      reason: "decision_timeout;retry=1",
    });
  });

  it("answers what is no opening handshake by HTTP, whatever else it is refused for", async () => {
    const { port, gate } = await gatedServer(guard(insecureAnyOrigin()), close);
    const sketch = { headers: { "Sec-WebSocket-Key": "short" } };
    expect(await saidTo(port, sketch)).toEqual({ status: 400 });
    gate.close();
    expect(await saidTo(port, sketch)).toEqual({ status: 503 });
  });

  it("answers polling by HTTP", async () => {
    const server = createServer();
    attach(server, refusing("forbidden"), close);
    const port = await listen(server);
    const answer = await fetch(`http://127.0.0.1:${port}/socket.io/?EIO=4&transport=polling`);
    expect(answer.status).toBe(403);
  });

  it("answers by HTTP where no listener is there for upgrades, and HTTP goes on", async () => {
    const server = createServer();
    attach(server, refusing("forbidden"), close);
    expect(await saidTo(await listen(server))).toEqual({ status: 403 });
  });

  it("leaves what is let in alone", async () => {
    const { port } = await gatedServer(guard(insecureAnyOrigin()), close);
    const client = await dial(port);
    client.send(handshakeText());
    expect(await client.until("\r\n\r\n")).toBe("HTTP/1.1 101 Handed over\r\n\r\n");
  });

  it("writes nothing behind what somebody else has begun to answer", async () => {
    const server = createServer();
    attach(
      server,
      ({ socket }) => {
        socket.write("HTTP/1.1 418 Short\r\n\r\n");
        return { outcome: "refused", refusal: refuse("forbidden"), trail: [] };
      },
      close,
    );
    server.on("upgrade", () => undefined);
    const client = await dial(await listen(server));
    client.send(handshakeText());
    expect(await client.closed).toBe("HTTP/1.1 418 Short\r\n\r\n");
  });

  it("opens a stream of HTTP/2 in the same way, and ends it", async () => {
    const { port } = await gatedServer(
      refusing("overloaded", [["Retry-After", "3"]]),
      close,
      offeringServer(),
    );
    const session = await openSession(port);
    const answer = await answerOver(session, { "sec-websocket-protocol": "chat" });
    expect(answer).toMatchObject({ status: 200, hasEnded: true });
    expect(answer.headers["sec-websocket-protocol"]).toBe("chat");
    expect(answer.body).toContain("overloaded;retry=3");
    expect(await answerOver(session, { "sec-websocket-version": "8" })).toMatchObject({
      status: 426,
    });
  });
});

it.each([
  { option: "http", closeCode: undefined },
  { option: "close", closeCode: 3003 },
] as const)("$option is told to whoever records decisions", async ({ option, closeCode }) => {
  const events: DecisionEvent[] = [];
  const onDecision = (event: DecisionEvent): void => void events.push(event);
  const { port } = await gatedServer(refusing("forbidden"), { refuse: option, onDecision });
  await refusalOf(port);
  expect(events).toMatchObject([{ outcome: "refused", code: "forbidden", status: 403, closeCode }]);
});

it("takes no other word", () => {
  expect(() => attach(createServer(), guard(), { refuse: "closed" as never })).toThrow(ConfigError);
});
