import { once } from "node:events";
import {
  type AnyCheck,
  allow,
  allowWith,
  connectionOf,
  type Gate,
  insecureAnyOrigin,
  jwt,
  lifetime,
  limits,
  maxConnections,
  renewal,
  requireScope,
  revocations,
  tokenVerifier,
} from "@firmshake/node";
import { SignJWT } from "jose";
import { describe, expect, it } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { fakeClock } from "../corpus/fake-clock.ts";
import { answerIn, dial, handshakeText, statusOf } from "../support/raw-client.ts";
import { deferred, listen, openWebSocket } from "../support/server.ts";
import { type Application, type Framework, frameworks } from "./frameworks.ts";

const open = insecureAnyOrigin();
const secret = new TextEncoder().encode("a secret of at least thirty-two bytes");
const tokens = { issuer: "https://id.example.com", audience: "chat", keys: secret };
const now = Math.floor(Date.now() / 1_000);

const tokenOf = (claims: object = {}): Promise<string> =>
  new SignJWT({
    iss: tokens.issuer,
    aud: "chat",
    sub: "ada",
    iat: now - 5,
    exp: now + 60,
    scope: "chat",
    ...claims,
  })
    .setProtectedHeader({ alg: "HS256" })
    .sign(secret);

/** An application with `ws` behind it, on a faked clock. */
async function served(
  framework: Framework,
  checks: readonly AnyCheck[],
  options: Application["options"] = {},
) {
  const clock = fakeClock();
  const found = deferred<Gate>();
  const server = await framework.serve({
    guards: { "/chat": { checks: [open, ...checks] } },
    options: { clock, lifetime: { pingIntervalMs: 0 }, ...options },
    onGate: found.resolve,
  });
  const requests: object[] = [];
  const wss = new WebSocketServer({ server });
  wss.on("connection", (socket, request) => {
    socket.on("error", () => undefined);
    requests.push(request);
  });
  const port = await listen(server);
  const connect = async (
    claims?: object,
  ): Promise<{ client: WebSocket; closed: Promise<string> }> => {
    const headers = { Authorization: `Bearer ${await tokenOf(claims)}` };
    const client = await openWebSocket(`ws://127.0.0.1:${port}/chat`, [], { headers });
    return { client, closed: once(client, "close").then(([code, reason]) => `${code} ${reason}`) };
  };
  const status = async (claims?: object): Promise<number> =>
    statusOf(port, { headers: { Authorization: `Bearer ${await tokenOf(claims)}` } });
  return { clock, gate: await found.promise, port, requests, wss, connect, status };
}

describe.each(frameworks)("$name", (framework) => {
  it("ends connections with their tokens, and with their age", async () => {
    const { clock, connect } = await served(framework, [
      jwt(tokens),
      lifetime({ maxAgeMs: 90_000, maxAgeJitter: 0 }),
    ]);
    const short = await connect();
    const long = await connect({ exp: now + 3_600 });
    clock.advance(61_000);
    expect(await short.closed).toBe("3000 token_expired;retry=0");
    clock.advance(30_000);
    expect(await long.closed).toBe("1001 max_age_reached");
  });

  it("holds the connections of a path to what its guard limits", async () => {
    const { connect, gate } = await served(framework, [
      jwt(tokens),
      limits({ maxMessageBytes: 10 }),
    ]);
    const [calm, loud] = [await connect(), await connect()];
    calm.client.send("1234567890");
    loud.client.send("12345678901");
    expect(await loud.closed).toBe("1009 message_too_big");
    expect(calm.client.readyState).toBe(1);
    await expect.poll(() => gate.connections.size).toBe(1);
  });

  it("takes a new token on an open connection", async () => {
    const { clock, connect, requests } = await served(framework, [jwt(tokens)]);
    const { client, closed } = await connect();
    const renew = renewal({ verify: tokenVerifier(tokens), checks: [requireScope("chat")] });
    const [request = {}] = requests;
    expect(await renew(request, await tokenOf({ exp: now + 300, scope: "" }))).toMatchObject({
      ok: false,
    });
    expect(await renew(request, await tokenOf({ exp: now + 300 }))).toMatchObject({ ok: true });
    clock.advance(120_000);
    expect(client.readyState).toBe(1);
    expect(connectionOf(request).closed).toBeUndefined();
    clock.advance(181_000);
    expect(await closed).toBe("3000 token_expired;retry=0");
  });

  it("closes who is revoked, and refuses who was just being let in", async () => {
    const decision = deferred<void>();
    let isSlow = false;
    const slow: AnyCheck = async () => {
      if (isSlow) await decision.promise;
      return allow;
    };
    const revoked = revocations();
    const { gate, connect, status, wss, port } = await served(framework, [jwt(tokens), slow], {
      revocations: revoked,
    });
    const [ada, bob] = [await connect(), await connect({ sub: "bob" })];
    isSlow = true;
    const late = await dial(port);
    late.send(handshakeText({ headers: { Authorization: `Bearer ${await tokenOf()}` } }));
    await expect.poll(() => gate.pending).toBe(1);
    expect(revoked.revoke({ subject: "ada" })).toBe(1);
    decision.resolve();
    expect(answerIn(await late.closed).status).toBe(401);
    expect(await ada.closed).toBe("3000 revoked");
    expect([await status(), await status({ iat: now + 300 })]).toEqual([401, 101]);
    expect(bob.client.readyState).toBe(1);
    await expect.poll(() => wss.clients.size).toBe(1);
  });

  it("lets in as many as there are places, and closes the oldest where that was asked for", async () => {
    const first = await served(framework, [jwt(tokens), maxConnections({ perIdentity: 1 })]);
    const { client } = await first.connect();
    expect(await first.status()).toBe(429);
    client.terminate();
    await expect.poll(() => first.gate.connections.size).toBe(0);
    expect(await first.status()).toBe(101);
    const places = maxConnections({ perIdentity: 1, policy: "evict-oldest" });
    const second = await served(framework, [jwt(tokens), places]);
    const { closed } = await second.connect();
    await second.connect();
    expect(await closed).toBe("1008 evicted");
  });

  it("drains", async () => {
    const { gate, connect, status } = await served(framework, [
      jwt(tokens),
      () => allowWith({ room: "blue" }),
    ]);
    const [one, other] = [await connect(), await connect()];
    expect([...gate.connections].map(({ facts }) => (facts as { room: string }).room)).toEqual([
      "blue",
      "blue",
    ]);
    expect(await gate.drain()).toEqual({ open: 2, closed: 2, terminated: 0 });
    expect([await one.closed, await other.closed]).toEqual([
      "1012 draining;retry=5",
      "1012 draining;retry=5",
    ]);
    expect(await status()).toBe(503);
  });
});
