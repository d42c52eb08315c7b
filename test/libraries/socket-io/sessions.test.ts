import {
  allow,
  allowWith,
  bearerToken,
  bindSessions,
  type Check,
  connectionOf,
  cookieToken,
  type DecisionEvent,
  type ForeignAttempt,
  guard,
  type Identity,
  insecureAnyOrigin,
  jwt,
  origin,
  queryToken,
  rateLimit,
  requestOf,
  subprotocolToken,
} from "@firmshake/node";
import { describe, expect, it } from "vitest";
import { audience, claims, issuer, seconds, secret, tokenOf } from "../../core/tokens/signing.ts";
import { answerIn, dial, handshakeText } from "../../support/raw-client.ts";
import { client, connectError, connected, poll, pollText, sidIn, socketIo } from "./socket-io.ts";

const from = [bearerToken(), cookieToken("session"), queryToken("token")];
const chat = guard(
  origin("same-origin", { allowMissing: true }),
  rateLimit({ limit: 20, windowMs: 60_000 }),
  jwt({ issuer, audience, keys: secret, from }),
);
const policy = { "/socket.io/*": chat };

describe("a session of a real client", () => {
  const ways: readonly (readonly [string, (token: string) => object])[] = [
    ["in Authorization", (token) => ({ extraHeaders: { Authorization: `Bearer ${token}` } })],
    ["in a cookie", (token) => ({ extraHeaders: { Cookie: `session=${token}` } })],
    ["in the query", (token) => ({ query: { token, room: "a b" } })],
  ];

  it.each(ways)("with the token %s, from polling to a WebSocket", async (_, optionsOf) => {
    const token = await tokenOf();
    const { port, next } = await socketIo(policy);
    const one = client(port, optionsOf(token));
    const [socket] = await Promise.all([next(), connected(one)]);
    expect(socket.conn.transport.name).toBe("polling");
    expect(connectionOf(socket.request, chat).identity.subject).toBe("ann");
    expect(connectionOf(socket.request).path).toBe("/socket.io/");
    await expect.poll(() => socket.conn.transport.name).toBe("websocket");
    expect(connectionOf(socket.request, chat).identity.subject).toBe("ann");
    // The query is Socket.IO's without the token.
    expect(JSON.stringify([socket.handshake.query, socket.handshake.url])).not.toContain(token);
    if (_ === "in the query") expect(socket.handshake.query.room).toBe("a b");
  });

  it("with the token in Authorization for polling and as a subprotocol for the WebSocket, as browsers can", async () => {
    const token = await tokenOf();
    const either = guard(
      insecureAnyOrigin(),
      jwt({ issuer, audience, keys: secret, from: [bearerToken(), subprotocolToken()] }),
    );
    const { port, next } = await socketIo(either);
    const transportOptions = { polling: { extraHeaders: { Authorization: `Bearer ${token}` } } };
    const one = client(port, { transportOptions, protocols: ["bearer", token] });
    const [socket] = await Promise.all([next(), connected(one)]);
    await expect.poll(() => socket.conn.transport.name).toBe("websocket");
    expect(connectionOf(socket.request).identity?.subject).toBe("ann");
  });

  it("is refused its next poll once the token has expired", async () => {
    const short = await tokenOf(claims({ exp: seconds() + 2 }));
    const { port } = await socketIo(policy);
    const headers = { Authorization: `Bearer ${short}` };
    const sid = sidIn(await poll(port, { headers }));
    const query = `EIO=4&transport=polling&sid=${sid}`;
    const send = (body: string) => poll(port, { query, headers, method: "POST", body });
    expect((await send("40")).body).toBe("ok");
    await expect
      .poll(async () => (await send("3")).status, { interval: 100, timeout: 10_000 })
      .toBe(401);
    expect((await poll(port, { query, headers })).status).toBe(401);
  });

  it("is one handshake for the rate limit, however much it polls, and two with its WebSocket", async () => {
    const limited = guard(insecureAnyOrigin(), rateLimit({ limit: 3, windowMs: 60_000 }));
    const { port, io } = await socketIo(limited);
    io.on("connection", (socket) => socket.on("echo", (_, answer) => answer()));
    const polling = client(port, { transports: ["polling"] });
    await connected(polling);
    for (let count = 0; count < 20; count++) await polling.emitWithAck("echo", count);
    const upgrading = client(port);
    await connected(upgrading);
    await expect.poll(() => upgrading.io.engine.transport.name).toBe("websocket");
    expect((await connectError(client(port, { transports: ["polling"] }))).description).toBe(429);
    await polling.emitWithAck("echo", "still here");
  });

  it("is told of in events that name the transport", async () => {
    const events: DecisionEvent[] = [];
    const onDecision = (event: DecisionEvent): void => void events.push(event);
    const { port } = await socketIo(policy, {}, { onDecision });
    const one = client(port, { query: { token: await tokenOf() } });
    await connected(one);
    await expect.poll(() => one.io.engine.transport.name).toBe("websocket");
    expect(events[0]).toMatchObject({
      outcome: "accepted",
      transport: "polling",
      path: "/socket.io/",
      subject: "ann",
    });
    expect(events.filter(({ transport }) => transport === "websocket").length).toBe(1);
    expect(events[0]?.trail.map(({ check }) => check)).toEqual([
      "loopback host",
      "origin",
      "rateLimit",
      "jwt",
    ]);
  });
});

describe("what engine.io takes for polling is decided on", () => {
  it.each([
    "EIO=3&transport=polling",
    "EIO=3&transport=polling&b64=1",
    "EIO=4&transport=polling&j=0",
    "EIO=4&tr%61nsport=poll%69ng",
    "EIO=4&transport=websocket&transport=polling",
  ])("%s", async (query) => {
    const { port } = await socketIo(policy, { allowEIO3: true });
    expect((await poll(port, { query })).status).toBe(401);
    const allowed = await poll(port, { query: `${query}&token=${await tokenOf()}` });
    expect(allowed.status).toBe(200);
    expect(sidIn(allowed)).not.toBe("");
  });

  it("a bare session of version 3: open, send, receive, close", async () => {
    const { port, next } = await socketIo(policy, { allowEIO3: true });
    const headers = { Authorization: `Bearer ${await tokenOf()}` };
    const coming = next();
    const sid = sidIn(await poll(port, { query: "EIO=3&transport=polling&b64=1", headers }));
    const socket = await coming;
    expect(connectionOf(socket.request).identity?.subject).toBe("ann");
    const heard = new Promise((resolve) => socket.once("hello", resolve));
    const query = `EIO=3&transport=polling&b64=1&sid=${sid}`;
    const body = '18:42["hello","text"]'.replace("18", String('42["hello","text"]'.length));
    expect((await poll(port, { query, headers, method: "POST", body })).body).toBe("ok");
    expect(await heard).toBe("text");
    expect((await poll(port, { query, method: "POST", body })).status).toBe(401);
  });
});

/** Who comes says so; what is tested is what becomes of sessions. */
const named: Check<{ readonly identity: Identity }> = (handshake) => {
  const { "x-name": name = "", "x-issuer": iss } = requestOf(handshake).headers;
  return allowWith({
    identity: { subject: String(name), claims: { iss }, scheme: "test", expiresAt: undefined },
  });
};
const byName = guard(insecureAnyOrigin(), named);

describe("bindSessions: a session stays with who opened it", () => {
  const ann = { "X-Name": "ann" };
  const bob = { "X-Name": "bob" };

  async function annsSession(attempts: ForeignAttempt[] = []) {
    const server = await socketIo(byName, { pingInterval: 300, cors: { origin: true } }, {}, (io) =>
      bindSessions(io, { onForeign: (attempt) => attempts.push(attempt) }),
    );
    const sid = sidIn(await poll(server.port, { headers: ann }));
    return { ...server, query: `EIO=4&transport=polling&sid=${sid}`, sid };
  }

  it("its own polls pass, and preflights", async () => {
    const { port, query } = await annsSession();
    const open = { query, headers: ann };
    expect((await poll(port, { ...open, method: "POST", body: "40" })).body).toBe("ok");
    expect((await poll(port, open)).status).toBe(200);
    const preflight = { Origin: "https://a.example", "Access-Control-Request-Method": "POST" };
    expect((await poll(port, { query, method: "OPTIONS", headers: preflight })).status).toBe(204);
  });

  it("another's polls and messages are refused with 403", async () => {
    const attempts: ForeignAttempt[] = [];
    const { port, query } = await annsSession(attempts);
    for (const headers of [bob, { ...ann, "X-Issuer": "elsewhere" }]) {
      for (const method of ["GET", "POST"]) {
        const answer = await poll(port, {
          query,
          headers,
          method,
          body: method === "GET" ? undefined : "40",
        } as never);
        expect(answer.status).toBe(403);
        expect(JSON.parse(answer.body)).toMatchObject({ code: "forbidden" });
      }
    }
    expect(attempts.map(({ kind, identity }) => [kind, identity?.subject])).toEqual([
      ["request", "bob"],
      ["request", "bob"],
      ["request", "ann"],
      ["request", "ann"],
    ]);
    expect((await poll(port, { query, headers: ann, method: "POST", body: "40" })).body).toBe("ok");
  });

  it("another's move to a WebSocket is refused with 403, its own is not", async () => {
    const { port, sid } = await annsSession();
    const target = `/socket.io/?EIO=4&transport=websocket&sid=${sid}`;
    const foreign = await dial(port);
    foreign.send(handshakeText({ target, headers: bob }));
    expect(answerIn(await foreign.closed).status).toBe(403);
    const own = await dial(port);
    own.send(handshakeText({ target, headers: ann }));
    expect(answerIn(await own.until("\r\n\r\n")).status).toBe(101);
  });

  it("sessions that do not exist are Socket.IO's to refuse", async () => {
    const { port } = await annsSession();
    const query = "EIO=4&transport=polling&sid=made-up";
    expect((await poll(port, { query, headers: bob })).status).toBe(400);
  });

  it("without it, the id alone would do", async () => {
    const { port } = await socketIo(byName);
    const sid = sidIn(await poll(port, { headers: ann }));
    const query = `EIO=4&transport=polling&sid=${sid}`;
    expect((await poll(port, { query, headers: bob, method: "POST", body: "40" })).body).toBe("ok");
  });

  it("a recorder that throws decides about nothing", async () => {
    const { port } = await socketIo(byName, {}, {}, (io) =>
      bindSessions(io, {
        onForeign: () => {
          throw new Error("a bug");
        },
      }),
    );
    const sid = sidIn(await poll(port, { headers: ann }));
    const query = `EIO=4&transport=polling&sid=${sid}`;
    expect((await poll(port, { query, headers: bob })).status).toBe(403);
  });

  it("where the policy finds no identity, everybody is the same", async () => {
    const { port } = await socketIo(
      guard(insecureAnyOrigin(), () => allow),
      {},
      {},
      bindSessions,
    );
    const sid = sidIn(await poll(port));
    const query = `EIO=4&transport=polling&sid=${sid}`;
    expect((await poll(port, { query, method: "POST", body: "40" })).body).toBe("ok");
  });

  it("pipelined requests of one session are decided on in turn", async () => {
    const { port, query } = await annsSession();
    const raw = await dial(port);
    const keep = { ...ann, Connection: "keep-alive" };
    raw.send(
      pollText({ query, headers: keep, method: "POST", body: "40" }) +
        pollText({ query, headers: bob }),
    );
    const text = await raw.closed;
    expect(text).toMatch(/200 OK[\s\S]*ok[\s\S]*403 Forbidden/);
  });
});
