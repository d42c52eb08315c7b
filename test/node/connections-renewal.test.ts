import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import {
  type AnyCheck,
  allow,
  type Connection,
  connectionOf,
  guard,
  insecureAnyOrigin,
  jwt,
  lifetime,
  type RenewalRouteOptions,
  type Renewed,
  refuse,
  renewal,
  renewalRoute,
  requireScope,
  tokenVerifier,
} from "@firmshake/node";
import { SignJWT } from "jose";
import { describe, expect, it } from "vitest";
import type { WebSocket } from "ws";
import { fakeClock } from "../corpus/fake-clock.ts";
import { thrownBy } from "../support/handshakes.ts";
import { deferred, gatedWs, listen, openWebSocket } from "../support/server.ts";

const keys = new Uint8Array(32).fill(7);
const tokens = { issuer: "https://id.example.com", audience: "chat", keys } as const;
const now = Math.floor(Date.now() / 1_000);

const tokenOf = (claims: object, key: Uint8Array = keys): Promise<string> =>
  new SignJWT({
    iss: tokens.issuer,
    aud: "chat",
    sub: "ada",
    exp: now + 60,
    scope: "chat",
    ...claims,
  })
    .setProtectedHeader({ alg: "HS256" })
    .sign(key);

const verify = tokenVerifier(tokens);

/** One who has connected with a token of a minute. */
async function connected(
  options: { readonly checks?: readonly AnyCheck[]; readonly more?: readonly AnyCheck[] } = {},
) {
  const clock = fakeClock();
  const chat = guard(insecureAnyOrigin(), jwt(tokens), ...(options.more ?? []));
  const { checks } = options;
  const renew = renewal({ verify, ...(checks === undefined ? {} : { checks }) });
  const { port, gate, wss } = await gatedWs(
    { "/chat": chat },
    { clock, lifetime: { pingIntervalMs: 0 } },
  );
  const request = deferred<object>();
  wss.on("connection", (_socket, one) => request.resolve(one));
  const headers = { Authorization: `Bearer ${await tokenOf({})}` };
  const client = await openWebSocket(`ws://127.0.0.1:${port}/chat?room=7`, [], { headers });
  const target = await request.promise;
  return {
    clock,
    gate,
    client,
    closed: closeOf(client),
    connection: connectionOf(target),
    request: target,
    renew: (token: string): Promise<Renewed> => renew(target, token),
    renewByConnection: (token: string): Promise<Renewed> => renew(connectionOf(target), token),
    raw: renew,
  };
}

async function closeOf(client: WebSocket): Promise<string> {
  const [code, reason] = (await once(client, "close")) as [number, Buffer];
  return `${code} ${reason}`;
}

const codeOf = (renewed: Renewed): string => (renewed.ok ? "renewed" : renewed.refusal.code);

async function isOpen(client: WebSocket): Promise<boolean> {
  client.send("?");
  const [data] = (await once(client, "message")) as [Buffer];
  return String(data) === "?";
}

describe("a new token", () => {
  it("moves the deadline, and takes the place of the identity", async () => {
    const { clock, client, closed, connection, renew } = await connected();
    const renewed = await renew(await tokenOf({ exp: now + 300, scope: "chat admin" }));
    expect(renewed).toEqual({ ok: true, expiresAt: (now + 300) * 1_000 });
    expect(connection.identity?.claims).toMatchObject({ scope: "chat admin" });
    expect(connection.facts).toMatchObject({ identity: connection.identity });
    clock.advance(240_000);
    expect(await isOpen(client)).toBe(true);
    clock.advance(61_000);
    expect(await closed).toBe("3000 token_expired;retry=0");
  });

  it("moves it closer, too", async () => {
    const { clock, closed, renew } = await connected();
    await renew(await tokenOf({ exp: now + 30 }));
    clock.advance(31_000);
    expect(await closed).toBe("3000 token_expired;retry=0");
  });

  it("does not move the end of the maximum age", async () => {
    const { clock, closed, renew } = await connected({
      more: [lifetime({ maxAgeMs: 90_000, maxAgeJitter: 0 })],
    });
    for (let turn = 0; turn < 3; turn++) await renew(await tokenOf({ exp: now + 300 }));
    clock.advance(90_001);
    expect(await closed).toBe("1001 max_age_reached");
  });

  it.each<[string, () => Promise<string>, string]>([
    ["of another subject", () => tokenOf({ sub: "bob" }), "token_invalid"],
    ["that is forged", () => tokenOf({}, new Uint8Array(32)), "token_invalid"],
    ["that has expired", () => tokenOf({ exp: now - 60 }), "token_invalid"],
    ["that is none", async () => "nonsense", "token_invalid"],
    ["that is empty", async () => "", "token_missing"],
    ["that is no text", async () => 7 as never, "token_missing"],
  ])("%s is refused, and the connection goes on as before", async (_, make, code) => {
    const { clock, client, closed, connection, renew } = await connected();
    const before = connection.identity;
    expect(codeOf(await renew(await make()))).toBe(code);
    expect(connection.identity).toBe(before);
    expect(await isOpen(client)).toBe(true);
    clock.advance(60_001);
    expect(await closed).toBe("3000 token_expired;retry=0");
  });

  it("of another issuer is refused", async () => {
    const { connection } = await connected();
    const renew = renewal({
      verify: () => ({ subject: "ada", claims: { iss: "https://other.example" } }),
    });
    expect(codeOf(await renew(connection, "any"))).toBe("token_invalid");
  });

  it("has to pass the authorisation again, which sees the handshake as it was", async () => {
    const seen: string[] = [];
    const inRoom: AnyCheck = ({ query, headers, identity }) => {
      seen.push(`${query} ${headers.only("host")?.split(":")[0]} ${identity?.claims.scope}`);
      return query === "room=7" ? ({ ok: true, facts: {} } as never) : refuse("forbidden");
    };
    const { renew } = await connected({ checks: [requireScope("chat")] });
    expect(codeOf(await renew(await tokenOf({ scope: "news" })))).toBe("insufficient_scope");
    expect(codeOf(await renew(await tokenOf({})))).toBe("renewed");
    const other = await connected({ checks: [inRoom] });
    // An answer that only looks like one refuses here as everywhere.
    expect(codeOf(await other.renew(await tokenOf({})))).toBe("check_failed");
    expect(seen).toEqual(["room=7 127.0.0.1 chat"]);
    expect(codeOf(await other.renewByConnection(await tokenOf({})))).toBe("forbidden");
    expect(seen[1]).toBe(" undefined chat");
  });

  it("is refused where it was revoked, before or meanwhile", async () => {
    const { renew, gate } = await connected();
    gate.connections.revoke({ tokenId: "t1" });
    expect(codeOf(await renew(await tokenOf({ jti: "t1" })))).toBe("token_invalid");
    const decision = deferred<void>();
    const slow = await connected({
      checks: [
        async () => {
          await decision.promise;
          return allow;
        },
      ],
    });
    const renewing = slow.renew(await tokenOf({ jti: "t2" }));
    slow.gate.connections.revoke({ tokenId: "t2" });
    decision.resolve();
    expect(codeOf(await renewing)).toBe("token_invalid");
    expect(slow.connection.closed).toBeUndefined();
  });

  it("comes too late where the connection is closed", async () => {
    const { renew, client, gate } = await connected();
    client.terminate();
    await expect.poll(() => gate.connections.size).toBe(0);
    expect(codeOf(await renew(await tokenOf({ exp: now + 300 })))).toBe("client_gone");
  });

  it("that cannot be verified now may come again", async () => {
    const { connection, client } = await connected();
    const cause = new Error("out of reach");
    const renew = renewal({ verify: () => Promise.reject(cause) });
    const renewed = await renew(connection, "any");
    expect(renewed).toMatchObject({
      ok: false,
      refusal: { code: "keys_unavailable", retryable: true, cause },
    });
    const hanging = renewal({ verify: () => new Promise(() => undefined), timeoutMs: 20 });
    expect(codeOf(await hanging(connection, "any"))).toBe("keys_unavailable");
    expect(await isOpen(client)).toBe(true);
  });

  it("that a check of the authorisation never decides on is not waited for longer than told", async () => {
    const { request } = await connected();
    const never: AnyCheck = () => new Promise(() => undefined);
    const hanging = renewal({ verify, checks: [never], timeoutMs: 20 });
    expect(await hanging(request, await tokenOf({}))).toMatchObject({
      ok: false,
      refusal: { code: "decision_timeout" },
    });
  });

  it("for what no gate has let in is a mistake", () => {
    expect(thrownBy(() => void renewal({ verify })({}, "any"))).toContain("NOT_GUARDED");
  });
});

describe("the route", () => {
  async function desk(options: RenewalRouteOptions = {}) {
    const opened = await connected();
    const server = createServer(renewalRoute(opened.raw, options) as RequestListener);
    const port = await listen(server);
    const own = `http://127.0.0.1:${port}`;
    const ask = async (
      token: string | undefined,
      headers: Record<string, string> = {},
      method = "POST",
    ): Promise<Response> =>
      fetch(`${own}/renew`, {
        method,
        headers: {
          "Firmshake-Connection": opened.connection.id,
          ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
          ...headers,
        },
      });
    return { ...opened, own, ask };
  }

  it("prolongs the connection that is named", async () => {
    const { ask, own, connection } = await desk();
    const token = await tokenOf({ exp: now + 300 });
    for (const headers of [{}, { Origin: own }]) {
      const response = await ask(token, headers);
      expect(response.status).toBe(200);
      expect(response.headers.get("cache-control")).toBe("no-store");
      const { expiresInMs } = (await response.json()) as { expiresInMs: number };
      expect(Math.round(expiresInMs / 10_000)).toBeGreaterThanOrEqual(28);
    }
    expect((connection as Connection).identity?.expiresAt).toBe((now + 300) * 1_000);
  });

  it.each<[string, number, (desk: { token: string }) => Promise<unknown[]>]>([
    ["without a token", 401, async () => [undefined]],
    ["with a token of another", 401, async () => [await tokenOf({ sub: "bob" })]],
    ["with an unknown id", 403, async ({ token }) => [token, { "Firmshake-Connection": "x" }]],
    [
      "from a page of another site",
      403,
      async ({ token }) => [token, { Origin: "https://evil.example" }],
    ],
    ["by GET", 405, async ({ token }) => [token, {}, "GET"]],
  ])("refuses %s", async (_, status, make) => {
    const { ask, connection } = await desk();
    const before = connection.identity;
    const args = (await make({ token: await tokenOf({ exp: now + 300 }) })) as Parameters<
      typeof ask
    >;
    expect((await ask(...args)).status).toBe(status);
    expect(connection.identity).toBe(before);
  });

  it("answers the preflights of pages that may, and no others", async () => {
    const { ask } = await desk({ origins: ["https://app.example.com"] });
    const asks = (Origin: string): Promise<Response> =>
      ask(undefined, { Origin, "Access-Control-Request-Method": "POST" }, "OPTIONS");
    const response = await asks("https://app.example.com");
    expect(response.status).toBe(204);
    expect(response.headers.get("access-control-allow-headers")).toContain("firmshake-connection");
    expect((await asks("https://evil.example")).status).toBe(403);
  });

  it("is limited", async () => {
    const { ask } = await desk({ rate: { limit: 2, windowMs: 60_000 } });
    const statuses = [];
    for (let turn = 0; turn < 3; turn++) statuses.push((await ask("nonsense")).status);
    expect(statuses).toEqual([401, 401, 429]);
  });

  it("forgets ids with their connections", async () => {
    for (const isAskedBefore of [true, false]) {
      const { ask, client, gate, connection } = await desk();
      if (isAskedBefore) expect(connection.id).toHaveLength(22);
      client.terminate();
      await expect.poll(() => gate.connections.size).toBe(0);
      expect((await ask(await tokenOf({}))).status).toBe(403);
    }
  });
});
