import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import {
  allowWith,
  attach,
  type DecisionEvent,
  firstMessage,
  guard,
  type Identity,
  identity,
  insecureAnyOrigin,
  jwt,
  origin,
  type Revocation,
  RevocationsFull,
  revocations,
  violations,
} from "@firmshake/node";
import { SignJWT } from "jose";
import { describe, expect, it } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { fakeClock } from "../corpus/fake-clock.ts";
import { collectGarbage } from "../support/collect-garbage.ts";
import { answerIn, dial, handshakeText, statusOf } from "../support/raw-client.ts";
import { deferred, gatedWs, openWebSocket } from "../support/server.ts";

const keys = new Uint8Array(32).fill(7);
const issuer = "https://id.example.com";
const now = Math.floor(Date.now() / 1_000);

const tokenOf = (claims: object): Promise<string> =>
  new SignJWT({ iss: issuer, aud: "chat", sub: "ada", exp: now + 600, iat: now - 60, ...claims })
    .setProtectedHeader({ alg: "HS256" })
    .sign(keys);

const chat = guard(insecureAnyOrigin(), jwt({ issuer, audience: "chat", keys }));

async function connect(port: number, claims: object): Promise<WebSocket> {
  const headers = { Authorization: `Bearer ${await tokenOf(claims)}` };
  return openWebSocket(`ws://127.0.0.1:${port}/chat`, [], { headers });
}

async function statusWith(port: number, claims: object): Promise<number> {
  return statusOf(port, { headers: { Authorization: `Bearer ${await tokenOf(claims)}` } });
}

async function closeOf(client: WebSocket): Promise<string> {
  const [code, reason] = (await once(client, "close")) as [number, Buffer];
  return `${code} ${reason}`;
}

describe("what is revoked", () => {
  const ada = { sub: "ada", sid: "s1", jti: "t1" };

  it.each<[string, Revocation, boolean]>([
    ["the subject", { subject: "ada" }, true],
    ["the subject of that issuer", { subject: "ada", issuer }, true],
    ["the subject of another issuer", { subject: "ada", issuer: "https://other.example" }, false],
    ["another subject", { subject: "bob" }, false],
    ["the session", { sessionId: "s1" }, true],
    ["another session", { sessionId: "s2" }, false],
    ["the token", { tokenId: "t1" }, true],
    ["another token", { tokenId: "t2" }, false],
    ["that session of the subject", { subject: "ada", sessionId: "s1" }, true],
    ["that session of another subject", { subject: "bob", sessionId: "s1" }, false],
  ])("%s: %j", async (_, revocation, isHit) => {
    const { port, gate } = await gatedWs({ "/chat": chat });
    const client = await connect(port, ada);
    const closed = closeOf(client);
    expect(gate.connections.revoke(revocation)).toBe(isHit ? 1 : 0);
    if (isHit) expect(await closed).toBe("3000 revoked");
    expect(await statusWith(port, ada)).toBe(isHit ? 401 : 101);
  });

  it.each<[string, object]>([
    ["nobody", {}],
    ["an issuer alone", { issuer }],
    ["somebody who is undefined", { subject: undefined }],
    ["undefined besides", { subject: "ada", sessionId: undefined }],
    ["an empty text", { subject: "" }],
    ["an unknown name", { user: "ada" }],
    ["no time", { subject: "ada", until: "tomorrow" }],
    ["what is no object", "ada" as unknown as object],
  ])("is not %s", async (_, revocation) => {
    const { port, gate } = await gatedWs({ "/chat": chat });
    await connect(port, ada);
    expect(() => gate.connections.revoke(revocation)).toThrow("ERR_FIRMSHAKE_OPTION");
    expect(gate.connections.size).toBe(1);
  });
});

describe("afterwards", () => {
  it("the answer is that of any token which is no good, and the log has the reason", async () => {
    const decisions: DecisionEvent[] = [];
    const { port, gate } = await gatedWs(
      { "/chat": chat },
      { onDecision: (event) => decisions.push(event) },
    );
    gate.connections.revoke({ tokenId: "t1" });
    const answers = [];
    for (const token of [await tokenOf({ jti: "t1" }), await tokenOf({ exp: now - 600 })]) {
      const client = await dial(port);
      client.send(handshakeText({ headers: { Authorization: `Bearer ${token}` } }));
      const { headers, ...answer } = answerIn(await client.closed);
      answers.push({ ...answer, headers: { ...headers, date: "" } });
    }
    expect(answers[0]).toEqual(answers[1]);
    expect(decisions.map(({ code }) => code)).toEqual(["token_invalid", "token_invalid"]);
    expect(decisions[0]?.reason).toBe("revoked");
  });

  it("who signs in again is let in, with a token that was issued later", async () => {
    const { port, gate } = await gatedWs({ "/chat": chat });
    gate.connections.revoke({ subject: "ada", issuedBefore: now * 1_000 });
    expect(await statusWith(port, { iat: now - 1 })).toBe(401);
    expect(await statusWith(port, { iat: now })).toBe(401);
    expect(await statusWith(port, { iat: now + 1 })).toBe(101);
    expect(await statusWith(port, { iat: undefined })).toBe(401);
  });

  it("the revocation ends when it was said to", async () => {
    let time = 1_000_000;
    const revoked = revocations({ now: () => time, forMs: 5_000 });
    const { port } = await gatedWs({ "/chat": chat }, { revocations: revoked });
    revoked.revoke({ sessionId: "s1" });
    revoked.revoke({ sessionId: "s2", forMs: 10_000 });
    revoked.revoke({ sessionId: "s3", until: 1_020_000 });
    const statuses = async () =>
      Promise.all(["s1", "s2", "s3"].map((sid) => statusWith(port, { sid })));
    time += 4_999;
    expect(await statuses()).toEqual([401, 401, 401]);
    time += 1;
    expect(await statuses()).toEqual([101, 401, 401]);
    time += 5_000;
    expect(await statuses()).toEqual([101, 101, 401]);
    time += 10_000;
    expect(await statuses()).toEqual([101, 101, 101]);
  });

  it("a session of the application's own is asked to sign in, and a later one is let in", async () => {
    const times = { first: now * 1_000 - 5, second: now * 1_000 + 5 };
    const site = guard(
      origin(["https://app.example.com"]),
      identity(({ headers }) => ({
        subject: "ada",
        sessionId: String(headers.cookie),
        signedInAt: times[headers.cookie as keyof typeof times],
      })),
    );
    const { port, gate } = await gatedWs({ "/chat": site });
    const status = (cookie: string): Promise<number> =>
      statusOf(port, { headers: { Cookie: cookie, Origin: "https://app.example.com" } });
    gate.connections.revoke({ subject: "ada", issuedBefore: now * 1_000 });
    expect([await status("first"), await status("second")]).toEqual([401, 101]);
    gate.connections.revoke({ sessionId: "second" });
    expect(await status("second")).toBe(401);
  });
});

describe("handshakes under way", () => {
  it("are caught: who was verified before is not let in after", async () => {
    const verified = deferred<void>();
    const ada: Identity = { subject: "ada", scheme: "bearer", claims: {}, expiresAt: undefined };
    const slow = guard(insecureAnyOrigin(), async () => {
      await verified.promise;
      return allowWith({ identity: ada });
    });
    const { port, gate, wss } = await gatedWs({ "/chat": slow });
    const client = await dial(port);
    client.send(handshakeText());
    await expect.poll(() => gate.pending).toBe(1);
    expect(gate.connections.revoke({ subject: "ada" })).toBe(0);
    verified.resolve();
    expect(answerIn(await client.closed).status).toBe(401);
    expect(wss.clients.size).toBe(0);
  });

  it("and so are first messages", async () => {
    const verified = deferred<{ subject: string }>();
    const { port, gate, wss } = await gatedWs(guard(insecureAnyOrigin()));
    const authenticate = firstMessage({ verify: () => verified.promise });
    wss.on("connection", (socket, request) => void authenticate(socket, request));
    const client = await openWebSocket(`ws://127.0.0.1:${port}/chat`);
    const closed = closeOf(client);
    client.send("token");
    gate.connections.revoke({ subject: "ada" });
    verified.resolve({ subject: "ada" });
    expect(await closed).toBe("3000 Authentication failed.");
  });

  it("whoever a first message has authenticated is found, and closed", async () => {
    const { port, gate, wss } = await gatedWs(guard(insecureAnyOrigin()));
    const authenticate = firstMessage({ verify: (subject) => ({ subject, expiresAt: 0 }) });
    wss.on("connection", (socket, request) => void authenticate(socket, request));
    const client = await openWebSocket(`ws://127.0.0.1:${port}/chat`);
    const closed = closeOf(client);
    client.send("ada");
    // Its time is over already.
    expect(await closed).toBe("3000 token_expired;retry=0");
    await expect.poll(() => gate.connections.size).toBe(0);
  });
});

describe("a list", () => {
  it("is shared by gates of several servers", async () => {
    const revoked = revocations();
    const [one, other] = await Promise.all([
      gatedWs({ "/chat": chat }, { revocations: revoked }),
      gatedWs({ "/chat": chat }, { revocations: revoked }),
    ]);
    const closed = Promise.all(
      [await connect(one.port, {}), await connect(other.port, {})].map(closeOf),
    );
    expect(one.gate.connections.revoke({ subject: "ada" })).toBe(2);
    expect(await closed).toEqual(["3000 revoked", "3000 revoked"]);
    expect(await statusWith(other.port, {})).toBe(401);
  });

  it("belongs to all gates of a server, of which each may revoke", async () => {
    const server = createServer();
    const outer = attach(server, { "/chat": chat });
    const { port, gate } = await gatedWs({ "/chat": chat }, {}, server);
    const closed = closeOf(await connect(port, {}));
    expect([outer.connections.size, gate.connections.size]).toEqual([1, 1]);
    expect(outer.connections.revoke({ subject: "ada" })).toBe(1);
    expect(await closed).toBe("3000 revoked");
    expect(await statusWith(port, {})).toBe(401);
  });

  it("of a gate that came later counts for what was open before", async () => {
    const server = createServer();
    const { port } = await gatedWs({ "/chat": chat }, {}, server);
    const closed = closeOf(await connect(port, {}));
    const revoked = revocations();
    attach(server, { "/chat": chat }, { revocations: revoked });
    expect(revoked.revoke({ subject: "ada" })).toBe(1);
    expect(await closed).toBe("3000 revoked");
  });

  it("and an account of violations keep no server that is gone", async () => {
    const shared = { revocations: revocations(), violations: violations() };
    const serveOnce = async (): Promise<WeakRef<object>> => {
      const server = createServer();
      // What guards connections holds its clock.
      const clock = { ...fakeClock() };
      const gate = attach(server, { "/chat": chat }, { ...shared, clock });
      new WebSocketServer({ server }).on("connection", (socket) => socket.close());
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      const { port } = server.address() as AddressInfo;
      const authorization = `Bearer ${await tokenOf({})}`;
      const client = new WebSocket(`ws://127.0.0.1:${port}/chat`, { headers: { authorization } });
      await once(client, "close");
      gate.detach();
      server.close();
      await once(server, "close");
      return new WeakRef(clock);
    };
    const gone = await serveOnce();
    const isGone = (): boolean => {
      collectGarbage();
      return gone.deref() === undefined;
    };
    await expect.poll(isGone, { timeout: 5_000 }).toBe(true);
    expect(shared.revocations.size).toBe(0);
  });

  it("remembers one entry for what is revoked twice, for the longer time", () => {
    let time = 0;
    const revoked = revocations({ now: () => time });
    revoked.revoke({ subject: "ada", until: 10 });
    revoked.revoke({ subject: "ada", until: 30 });
    revoked.revoke({ subject: "ada", until: 20 });
    expect(revoked.size).toBe(1);
    const ada: Identity = { subject: "ada", scheme: "bearer", claims: {}, expiresAt: undefined };
    time = 29;
    expect(revoked.isRevoked(ada)).toBe(true);
    time = 30;
    expect(revoked.isRevoked(ada)).toBe(false);
  });

  it("is bounded: what is over makes room, and what is not stays, with an error", async () => {
    let time = 0;
    const revoked = revocations({ now: () => time, maxEntries: 2 });
    revoked.revoke({ sessionId: "s1", until: 10 });
    revoked.revoke({ sessionId: "s2", until: 20 });
    const { port } = await gatedWs({ "/chat": chat }, { revocations: revoked });
    const closed = closeOf(await connect(port, { sid: "s3" }));
    expect(() => revoked.revoke({ sessionId: "s3", until: 30 })).toThrow(RevocationsFull);
    expect(await closed).toBe("3000 revoked");
    expect(revoked.size).toBe(2);
    time = 10;
    revoked.revoke({ sessionId: "s3", until: 30 });
    expect(revoked.size).toBe(2);
    expect(await statusWith(port, { sid: "s3" })).toBe(401);
  });

  it("does not grow by what is over", () => {
    let time = 0;
    const revoked = revocations({ now: () => time });
    for (; time < 1_000; time++) revoked.revoke({ sessionId: `s${time}`, until: time + 10 });
    expect(revoked.size).toBeLessThan(20);
  });
});

describe("gate.connections", () => {
  it("finds and closes by what is known of a connection", async () => {
    const { port, gate } = await gatedWs({ "/chat": chat, "/rooms/*": chat });
    const clients = [
      await connect(port, { sub: "ada", sid: "s1", jti: "t1" }),
      await connect(port, { sub: "bob", sid: "s2", jti: "t2", iss: issuer }),
    ];
    const subjects = (filter: Parameters<typeof gate.connections.find>[0]): unknown =>
      [...gate.connections.find(filter)].map((one) => one.identity?.subject).sort();
    for (const connection of gate.connections) {
      if (connection.identity?.subject === "bob") connection.tags.add("moderator");
    }
    expect(subjects({ subject: "ada" })).toEqual(["ada"]);
    expect(subjects({ subject: "ada", issuer })).toEqual(["ada"]);
    expect(subjects({ issuer: "https://other.example" })).toEqual([]);
    expect(subjects({ sessionId: "s2" })).toEqual(["bob"]);
    expect(subjects({ tokenId: "t1" })).toEqual(["ada"]);
    expect(subjects({ tag: "moderator" })).toEqual(["bob"]);
    expect(subjects({ address: "127.0.0.1" })).toEqual(["ada", "bob"]);
    expect(subjects({ address: "loopback" })).toEqual(["ada", "bob"]);
    expect(subjects({ address: "10.0.0.0/8" })).toEqual([]);
    expect(subjects({ path: "/chat" })).toEqual(["ada", "bob"]);
    expect(subjects({ path: "/rooms/*" })).toEqual([]);
    expect(subjects(({ identity: one }) => one?.subject === "ada")).toEqual(["ada"]);
    const closed = closeOf(clients[1] as WebSocket);
    expect(gate.connections.close({ tag: "moderator" }, { code: 4000, reason: "bye" })).toBe(1);
    expect(gate.connections.close({ tag: "moderator" })).toBe(0);
    expect(await closed).toBe("4000 bye");
    expect(subjects(() => true)).toEqual(["ada"]);
  });

  it.each([
    ["nothing", {}],
    ["undefined", { subject: undefined }],
    ["an address that is none", { address: "somewhere" }],
    ["a path that is none", { path: "chat" }],
    ["an unknown name", { user: "ada" }],
  ])("does not take a filter by %s for one that means everybody", async (_, filter) => {
    const { port, gate } = await gatedWs({ "/chat": chat });
    await connect(port, {});
    expect(() => gate.connections.close(filter as never)).toThrow("ERR_FIRMSHAKE");
    expect(() => [...gate.connections.find(filter as never)]).toThrow("ERR_FIRMSHAKE");
    expect([...gate.connections]).toHaveLength(1);
  });
});
