import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { request } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newAttempt, openingOf } from "../../packages/playground/src/attacks/attack.ts";
import { type FrameworkName, frameworks } from "../../packages/playground/src/frameworks/all.ts";
import { shakeHands } from "../../packages/playground/src/handshake-client.ts";
import { type Playground, startPlayground } from "../../packages/playground/src/playground.ts";
import type { SignedIn } from "../../packages/playground/src/protocol.ts";

const frameworkNames = Object.keys(frameworks) as FrameworkName[];
const port = { port: 0, mayMove: true };
let playground: Playground;

afterAll(() => playground.close());

/** By Node's own client, which can name any host. */
async function statusOf(
  path: string,
  method: string,
  headers: Record<string, string>,
): Promise<number> {
  const { port } = playground.lab.gated;
  const asked = request({ port, host: "127.0.0.1", path, method, headers }).end();
  const [{ statusCode = 0 }] = (await once(asked, "response")) as [IncomingMessage];
  asked.destroy();
  return statusCode;
}

describe.each(frameworkNames)("the chat's own origin, on %s", (framework) => {
  beforeAll(async () => {
    await playground?.close();
    playground = await startPlayground({ port, framework });
  });

  it.each([
    ["/events", "GET"],
    ["/token", "POST"],
    ["/sign-in", "POST"],
    ["/sign-out", "POST"],
    ["/attempts/missing-token", "POST"],
    ["/orders/token/connect", "POST"],
    ["/invitations", "POST"],
    ["/rules/pings", "POST"],
    ["/connections/any/revoke", "POST"],
    ["/connections/any/token", "POST"],
    ["/renew", "POST"],
    ["/drain", "POST"],
    ["/restart", "POST"],
  ])("keeps %s from pages of other origins", async (path, method) => {
    const { page, panel } = playground.lab;
    expect(await statusOf(path, method, { origin: panel })).toBe(403);
    expect(await statusOf(path, method, { origin: "null" })).toBe(403);
    expect(await statusOf(path, method, { "sec-fetch-site": "same-site" })).toBe(403);
    expect(await statusOf(path, method, { origin: page })).not.toBe(403);
  });

  it("answers to its own name alone, and leads localhost to it", async () => {
    const { port } = playground.lab.gated;
    expect(await statusOf("/", "GET", { host: `rebound.example:${port}` })).toBe(421);
    expect(await statusOf("/", "GET", { host: `localhost:${port}` })).toBe(302);
  });

  it("allows no inline code and no foreign resource", async () => {
    const { page, panel } = playground.lab;
    for (const origin of [page, panel]) {
      const policy = (await fetch(origin)).headers.get("content-security-policy");
      expect(policy).toContain("default-src 'none'");
      expect(policy).not.toContain("unsafe");
    }
  });

  it("runs no attack of another place", async () => {
    const { page, panel } = playground.lab;
    expect((await fetch(`${page}/attempts/flood`, { method: "POST" })).status).toBe(404);
    expect((await fetch(`${panel}/attempts/missing-token`, { method: "POST" })).status).toBe(404);
    expect((await fetch(`${panel}/attempts/toString`, { method: "POST" })).status).toBe(404);
  });

  it.each(["", " ", "<b>", "x".repeat(25), 7, null])("signs nobody in as %j", async (name) => {
    const { page } = playground.lab;
    const answer = await fetch(`${page}/sign-in`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ name }),
    });
    expect(answer.status).toBe(400);
  });

  it("signs in, gives a new token for the session, and signs out", async () => {
    const { page, issuer } = playground.lab;
    const signedIn = await fetch(`${page}/sign-in`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ name: "Ada" }),
    });
    const [cookie = ""] = signedIn.headers.getSetCookie();
    expect(cookie).toContain("HttpOnly; SameSite=Strict");
    const headers = { Cookie: String(cookie.split(";")[0]) };
    const answer = await fetch(`${page}/token`, { method: "POST", headers });
    const { name, token } = (await answer.json()) as SignedIn;
    expect([name, await issuer.nameIn(token)]).toEqual(["Ada", "Ada"]);
    const left = await fetch(`${page}/sign-out`, { method: "POST", headers });
    expect(left.status).toBe(204);
    expect(left.headers.getSetCookie().join()).toContain("Max-Age=0");
    expect((await fetch(`${page}/token`, { method: "POST" })).status).toBe(204);
  });

  it.each([
    "/elsewhere",
    "/..%2fsrc/main.ts",
    "/docs/guide/..%2f..%2fpackage.json",
    "/scripts/..%2f..%2fpackage.json",
    "/chat",
  ])("has no page at %s", async (path) => {
    expect(await statusOf(path, "GET", { host: playground.lab.gated.host })).toBeGreaterThan(399);
  });

  it("serves its files as what they are", async () => {
    const { page } = playground.lab;
    const typeOf = async (path: string) => {
      const answer = await fetch(`${page}${path}`);
      await answer.body?.cancel();
      return [answer.status, answer.headers.get("content-type")?.split(";")[0]];
    };
    expect(await typeOf("/")).toEqual([200, "text/html"]);
    expect(await typeOf("/page.css")).toEqual([200, "text/css"]);
    expect(await typeOf("/scripts/page.js")).toEqual([200, "text/javascript"]);
    expect(await typeOf("/scripts/libraries/socket-io.js")).toEqual([200, "text/javascript"]);
    expect(await typeOf("/scripts/socket.io-client.js")).toEqual([200, "text/javascript"]);
    expect(await typeOf("/scripts/firmshake-client/index.js")).toEqual([200, "text/javascript"]);
    expect(await typeOf("/errors")).toEqual([200, "text/html"]);
    expect(await typeOf("/docs/guide/tickets.md")).toEqual([200, "text/plain"]);
    expect(await typeOf("/packages/client/README.md")).toEqual([200, "text/plain"]);
    expect(await typeOf("/.well-known/jwks.json")).toEqual([200, "application/jwk-set+json"]);
  });
});

describe.each(frameworkNames)("Socket.IO on %s", (framework) => {
  it("asks polling for a token as it asks WebSockets", async () => {
    await playground.close();
    playground = await startPlayground({ port, framework, library: "socket.io" });
    const { gated, bare, log } = playground.lab;
    const target = `/chat?EIO=4&transport=polling&attempt=${newAttempt("test")}`;
    const refused = await fetch(`http://${gated.host}${target}`);
    expect([refused.status, await refused.json()]).toMatchObject([401, { code: "token_missing" }]);
    expect(log.recent()).toMatchObject([{ outcome: "refused", transport: "polling" }]);
    const accepted = await fetch(`http://${bare.host}${target}`);
    expect([accepted.status, await accepted.text()]).toMatchObject([
      200,
      expect.stringContaining("sid"),
    ]);
  });
});

describe("the stream", () => {
  beforeAll(async () => {
    await playground.close();
    playground = await startPlayground({ port });
  });

  const checksOfSession = [
    "host",
    "origin",
    "subprotocol",
    "rateLimit",
    "maxConnections",
    "jwt",
    "account",
  ];

  it("tells each decision with the trail of its checks, and which were not reached", async () => {
    const { issuer, gated, log, page } = playground.lab;
    const shake = async (path: string, lines: readonly (readonly [string, string])[]) => {
      const attempt = newAttempt("test");
      await shakeHands(gated, openingOf({ target: path, origin: page, lines }, gated, attempt));
      const [decision] = await log.ofAttempt(attempt);
      return decision;
    };
    const token = await issuer.sign("Ada");
    const accepted = await shake("/chat", [["Authorization", `Bearer ${token}`]]);
    expect(accepted?.steps).toEqual(
      ["opening", "address", ...checksOfSession].map((check) => ({ check, outcome: "allow" })),
    );
    expect(accepted).toMatchObject({
      outcome: "accepted",
      status: 101,
      subject: "Ada",
      path: "/chat",
    });

    const byCookie = await shake("/session", [["Cookie", `firmshake_session=${token}`]]);
    expect(byCookie?.steps.map(({ check }) => check)).toEqual(["opening", ...checksOfSession]);
    expect(byCookie?.steps.every(({ outcome }) => outcome === "allow")).toBe(true);

    const refused = await shake("/chat", []);
    expect(refused).toMatchObject({ outcome: "refused", status: 401, code: "token_missing" });
    expect(refused?.steps.slice(-3)).toEqual([
      { check: "maxConnections", outcome: "allow" },
      { check: "jwt", outcome: "refuse" },
      { check: "account", outcome: "unreached" },
    ]);
    expect(refused?.closeCode).toBe(3000);
    const lost = await shake("/elsewhere", []);
    expect(lost).toMatchObject({ status: 404, code: "not_found" });
    expect(lost).not.toHaveProperty("closeCode");
    expect(lost?.steps.map(({ check, outcome }) => `${check} ${outcome}`)).toEqual([
      "opening allow",
      "path refuse",
    ]);
  });

  it("never tells a token or a query", async () => {
    expect(JSON.stringify(playground.lab.log.recent())).not.toMatch(/eyJ|access_token/);
  });

  it("is sent as events to the page, what was missed first", async () => {
    const { page } = playground.lab;
    const answer = await fetch(`${page}/events`, { headers: { Origin: page } });
    expect(answer.headers.get("content-type")).toContain("text/event-stream");
    const reader = answer.body?.getReader();
    const { value } = (await reader?.read()) ?? {};
    await reader?.cancel();
    expect(new TextDecoder().decode(value)).toMatch(/^id: \d+\ndata: \{.*\}\n\n/);
  });
});
