import { once } from "node:events";
import { createServer } from "node:http";
import { allow, any, attach, type Check, guard, insecureAnyOrigin, refuse } from "@firmshake/node";
import { describe, expect, it } from "vitest";
import { answerIn, dial, handshakeText, refusalOf, statusOf } from "../support/raw-client.ts";
import { connectionsOf, gatedServer, listen } from "../support/server.ts";

const refusing = [
  {
    name: "at once",
    policy: guard(insecureAnyOrigin(), () => refuse("forbidden", "Members only.")),
  },
  {
    name: "later",
    policy: guard(insecureAnyOrigin(), async () => refuse("forbidden", "Members only.")),
  },
];

describe("a refusal by several ways", () => {
  const asking =
    (challenge: string): Check =>
    () =>
      refuse("token_missing", undefined, { headers: [["WWW-Authenticate", challenge]] });
  const ways = guard(insecureAnyOrigin(), any(asking("Basic realm=a"), asking("Bearer realm=b")));
  const challenges = ["WWW-Authenticate: Bearer realm=b", "WWW-Authenticate: Basic realm=a"];

  it.each([
    { name: "an upgrade", sketch: {} },
    {
      name: "a polling request",
      sketch: {
        target: "/io/?transport=polling",
        headers: { Upgrade: undefined, Connection: undefined },
      },
    },
  ])("has a line for each challenge, on $name", async ({ sketch }) => {
    const server = createServer((_, response) => response.end());
    const { port } = await gatedServer(ways, {}, server);
    const client = await dial(port);
    client.send(handshakeText(sketch));
    const lines = (await client.until("\r\n\r\n")).split("\r\n");
    expect(lines.filter((line) => line.startsWith("WWW-Authenticate"))).toEqual(challenges);
  });
});

describe.each(refusing)("a refusal that comes $name", ({ policy }) => {
  it("is these bytes and no others", async () => {
    const { port, handedOver, server } = await gatedServer(policy);
    const client = await dial(port);
    client.send(handshakeText());
    const text = await client.closed;
    const body =
      '{"type":"urn:firmshake:refusal:forbidden","title":"This connection is not allowed.","status":403,"code":"forbidden","detail":"Members only."}';
    const date = answerIn(text).headers.date ?? "";
    expect(Math.abs(Date.parse(date) - Date.now())).toBeLessThan(5_000);
    expect(text).toBe(
      [
        "HTTP/1.1 403 Forbidden",
        "Content-Type: application/problem+json",
        "Cache-Control: no-store",
        `Content-Length: ${body.length}`,
        `Date: ${date}`,
        "Connection: close",
        "",
        body,
      ].join("\r\n"),
    );
    expect(handedOver).toEqual([]);
    await expect.poll(() => connectionsOf(server)).toBe(0);
  });

  it.each([
    { name: "that has sent frames already", sent: "x".repeat(10_000), options: {} },
    { name: "that has sent 1 MiB already", sent: "x".repeat(1_048_576), options: {} },
    { name: "that has sent a second request", sent: handshakeText(), options: {} },
  ])("reaches a client $name, whole and once", async ({ sent, options }) => {
    const { port, handedOver } = await gatedServer(policy, { maxEarlyBytes: 4_194_304 });
    const client = await dial(port, options);
    client.send(handshakeText() + sent);
    const answer = answerIn(await client.closed);
    expect(answer.status).toBe(403);
    expect(answer.body.length).toBe(Number(answer.headers["content-length"]));
    expect(handedOver).toEqual([]);
  });

  it("closes the socket also under a client that keeps its own side open", async () => {
    const { port, server } = await gatedServer(policy);
    const client = await dial(port, { keepsOpen: true });
    client.send(handshakeText());
    expect(answerIn(await client.ended).status).toBe(403);
    expect(client.socket.writable).toBe(true);
    await expect.poll(() => connectionsOf(server), { timeout: 3_000 }).toBe(0);
  });

  it("closes the socket also under a client that never reads and goes on sending", async () => {
    const { port, server } = await gatedServer(policy);
    const client = await dial(port, { isDeaf: true });
    client.send(handshakeText());
    const sending = setInterval(
      () => client.socket.writable && client.send("x".repeat(10_000)),
      20,
    );
    await expect.poll(() => connectionsOf(server), { timeout: 3_000 }).toBe(0);
    clearInterval(sending);
  });
});

it("cuts refused clients off at once when a thousand of them linger", {
  timeout: 30_000,
}, async () => {
  const { port, server } = await gatedServer(guard(insecureAnyOrigin(), () => refuse("forbidden")));
  const clients = await Promise.all(
    Array.from({ length: 1_000 }, () => dial(port, { keepsOpen: true })),
  );
  for (const client of clients) client.send(handshakeText());
  await Promise.all(clients.map(({ ended }) => ended));
  const late = await dial(port, { keepsOpen: true });
  late.send(handshakeText());
  expect(answerIn(await late.ended).status).toBe(403);
  await expect.poll(() => connectionsOf(server), { timeout: 5_000 }).toBe(0);
});

it("says Upgrade in Connection where the answer has that header (RFC 9110 §7.8)", async () => {
  const { port } = await gatedServer(guard());
  const answer = await refusalOf(port, { headers: { "Sec-WebSocket-Version": "8" } });
  expect(answer).toMatchObject({
    status: 426,
    headers: { connection: "close, Upgrade", upgrade: "websocket", "sec-websocket-version": "13" },
  });
});

it("counts the bytes of a detail that is not ASCII", async () => {
  const { port } = await gatedServer(
    guard(insecureAnyOrigin(), () => refuse("forbidden", "Nur für Mitglieder · 会员")),
  );
  const answer = await refusalOf(port);
  expect(answer.body.length).toBe(Number(answer.headers["content-length"]));
  expect(JSON.parse(Buffer.from(answer.body, "latin1").toString())).toMatchObject({
    detail: "Nur für Mitglieder · 会员",
  });
});

it("sends the headers of the refusal, Latin-1 as Latin-1", async () => {
  const { port } = await gatedServer(
    guard(insecureAnyOrigin(), () =>
      refuse("forbidden", undefined, {
        headers: [
          ["X-Reason", "für"],
          ["X-Two", "2"],
        ],
      }),
    ),
  );
  expect((await refusalOf(port)).headers).toMatchObject({ "x-reason": "für", "x-two": "2" });
});

it("refuses paths without a guard", async () => {
  const { port } = await gatedServer({ "/chat": guard(insecureAnyOrigin()) });
  for (const target of ["/", "/chat/", "/chatter", "/CHAT", "/news?x=/chat"]) {
    expect(await statusOf(port, { target }), target).toBe(404);
  }
  expect(await statusOf(port, { target: "/chat?room=1" })).toBe(101);
});

describe("what is not an opening handshake is refused before any check runs", () => {
  const key = "dGhlIHNhbXBsZSBub25jZQ==";
  it.each([
    { name: "a POST", sketch: { method: "POST" }, status: 405 },
    { name: "a HEAD", sketch: { method: "HEAD" }, status: 405 },
    { name: "HTTP/1.0", sketch: { version: "HTTP/1.0" }, status: 400 },
    { name: "no Host", sketch: { headers: { Host: undefined } }, status: 400 },
    { name: "an empty Host", sketch: { headers: { Host: "" } }, status: 400 },
    { name: "two Hosts", sketch: { headers: { Host: ["localhost", "localhost"] } }, status: 400 },
    { name: "h2c and websocket", sketch: { headers: { Upgrade: "h2c, websocket" } }, status: 400 },
    {
      name: "two Upgrade lines",
      sketch: { headers: { Upgrade: ["h2c", "websocket"] } },
      status: 400,
    },
    {
      name: "websocket in two lines",
      sketch: { headers: { Upgrade: ["websocket", "websocket"] } },
      status: 400,
    },
    { name: "an absolute target", sketch: { target: "http://evil/chat" }, status: 400 },
    { name: "a target with two slashes", sketch: { target: "//evil/chat" }, status: 400 },
    { name: "a target with a backslash", sketch: { target: "/\\evil/chat" }, status: 400 },
    { name: "a target with a fragment", sketch: { target: "/chat#x" }, status: 400 },
    {
      name: "a target that spells a letter as an escape",
      sketch: { target: "/%63hat" },
      status: 400,
    },
    { name: "a target with dot segments", sketch: { target: "/x/%2e%2E/chat" }, status: 400 },
    { name: "a body with a length", sketch: { headers: { "Content-Length": "4" } }, status: 400 },
    {
      name: "a chunked body",
      sketch: { headers: { "Transfer-Encoding": "chunked" } },
      status: 400,
    },
    { name: "version 8", sketch: { headers: { "Sec-WebSocket-Version": "8" } }, status: 426 },
    {
      name: "no version",
      sketch: { headers: { "Sec-WebSocket-Version": undefined } },
      status: 426,
    },
    {
      name: "two versions",
      sketch: { headers: { "Sec-WebSocket-Version": ["13", "13"] } },
      status: 400,
    },
    { name: "no key", sketch: { headers: { "Sec-WebSocket-Key": undefined } }, status: 400 },
    { name: "two keys", sketch: { headers: { "Sec-WebSocket-Key": [key, key] } }, status: 400 },
    {
      name: "two Origins",
      sketch: { headers: { Origin: ["http://localhost", "http://evil.test"] } },
      status: 400,
    },
    {
      name: "two Authorizations",
      sketch: { headers: { Authorization: ["Bearer a", "Bearer b"] } },
      status: 400,
    },
    {
      name: "the same subprotocol twice",
      sketch: { headers: { "Sec-WebSocket-Protocol": "a, a" } },
      status: 400,
    },
  ])("$name", async ({ sketch, status }) => {
    let runs = 0;
    const { port, handedOver } = await gatedServer(
      guard(insecureAnyOrigin(), () => {
        runs++;
        return allow;
      }),
    );
    expect(await statusOf(port, sketch)).toBe(status);
    expect(runs).toBe(0);
    expect(handedOver).toEqual([]);
  });
});

describe("header lines that Node drops without a word", () => {
  const lines = (count: number): Record<string, string> =>
    Object.fromEntries(Array.from({ length: count }, (_, at) => [`a${at}`, ""]));
  const policy = guard(insecureAnyOrigin());

  it.each([
    { name: "1,100 lines behind the handshake's own", before: 0, after: 1_100 },
    { name: "1,100 lines before the handshake's own", before: 1_100, after: 0 },
  ])("$name are refused with 431", async ({ before, after }) => {
    const { port, handedOver } = await gatedServer(policy);
    const client = await dial(port);
    const [line, ...rest] = handshakeText().split("\r\n");
    const fill = (count: number): string => "a:\r\n".repeat(count);
    client.send(
      `${line}\r\n${fill(before)}${rest.slice(0, -2).join("\r\n")}\r\n${fill(after)}\r\n`,
    );
    expect(answerIn(await client.closed).status).toBe(431);
    expect(handedOver).toEqual([]);
  });

  it("server.maxHeadersCount is known, also when it is set later", async () => {
    const { port, server } = await gatedServer(policy);
    // Five lines are the handshake's own.
    expect(await statusOf(port, { headers: lines(45) })).toBe(101);
    server.maxHeadersCount = 50;
    expect(await statusOf(port, { headers: lines(44) })).toBe(101);
    expect(await statusOf(port, { headers: lines(45) })).toBe(431);
    expect(await statusOf(port, { headers: lines(60) })).toBe(431);
  });
});

it("cuts denied peers at the connection, before a byte is read", async () => {
  const server = createServer((_request, response) => response.end("page"));
  let requests = 0;
  server.on("request", () => requests++);
  attach(server, guard(), { denyPeers: ["127.0.0.0/8"] });
  const port = await listen(server);
  const client = await dial(port);
  client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  expect(await client.closed).toBe("");
  expect(requests).toBe(0);
  await expect.poll(() => connectionsOf(server)).toBe(0);
});

it("lets in peers that are not denied, and everybody once detached", async () => {
  const server = createServer((_request, response) => response.end("page"));
  const [others, all] = [["10.0.0.0/8"], ["loopback"]].map((denyPeers) =>
    attach(server, guard(), { denyPeers }),
  );
  all?.detach();
  const port = await listen(server);
  expect(await (await fetch(`http://127.0.0.1:${port}`)).text()).toBe("page");
  others?.detach();
});

it("an answer to a socket that is gone already is no error", async () => {
  const { port, server } = await gatedServer(({ socket }) => {
    socket.destroy();
    return { outcome: "refused", refusal: refuse("forbidden"), trail: [] };
  });
  const client = await dial(port);
  client.send(handshakeText());
  expect(await client.closed).toBe("");
  expect(await connectionsOf(server)).toBe(0);
  await once(server.close(), "close");
});
