import type { Server } from "node:http";
import type { Hono } from "hono";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { answerIn, dial, refusalOf, statusOf } from "../support/raw-client.ts";
import { connectionsOf, deferred } from "../support/server.ts";
import { captureThrown } from "../support/thrown.ts";
import { blockWith, type Running, runRecipe } from "./recipe.ts";
import { handshakeWith, origin, talk, upgradesBehind } from "./talk.ts";

const page = "docs/guide/hono.md";
const withTokens = ["SIGTERM"];
const withCookies = ["parseSigned"];

interface Recipe {
  readonly app: Hono;
  readonly server: Server;
}

interface Served extends Running<Recipe> {
  readonly port: number;
}

async function start(
  words: readonly string[],
  changes: Readonly<Record<string, string>> = {},
): Promise<Served> {
  const before = process.listeners("SIGTERM");
  const running = await runRecipe<Recipe>(blockWith(page, ...words), {
    names: ["app", "server"],
    changes,
  });
  const { server } = running.its;
  onTestFinished(() => {
    for (const listener of process.listeners("SIGTERM"))
      if (!before.includes(listener)) process.off("SIGTERM", listener);
    server.close();
  });
  await vi.waitUntil(() => server.listening);
  return { ...running, port: running.insteadOf(8080) };
}

describe("a route of @hono/node-ws", () => {
  it("knows who is connected", async () => {
    const { port, issuer, its } = await start(withTokens);
    const seen = upgradesBehind(its.server);
    const { socket, next } = await talk(`ws://127.0.0.1:${port}/chat`, {
      token: await issuer.tokenOf("ann"),
    });
    expect(socket.protocol).toBe("bearer");
    expect(seen).toEqual(["/chat"]);
    expect(await next()).toBe("Welcome, ann.");
    socket.send("hello");
    expect(await next()).toBe("ann: hello");
  });

  it("is not reached by what is refused", async () => {
    const { port, its } = await start(withTokens);
    const seen = upgradesBehind(its.server);
    const answer = await refusalOf(port, { headers: { Origin: origin } });
    expect(answer.status).toBe(401);
    expect(answer.headers["content-type"]).toBe("application/problem+json");
    expect(JSON.parse(answer.body)).toMatchObject({ status: 401, code: "token_missing" });
    expect(await statusOf(port, { headers: { Origin: "https://evil.example" } })).toBe(403);
    expect(seen).toEqual([]);
  });

  it("leaves ordinary requests alone, and refuses upgrades to other paths", async () => {
    const { port, its } = await start(withTokens);
    const seen = upgradesBehind(its.server);
    expect((await fetch(`http://127.0.0.1:${port}/other`)).status).toBe(404);
    expect(await statusOf(port, { target: "/other", headers: { Origin: origin } })).toBe(404);
    expect(await statusOf(port, { target: "//chat", headers: { Origin: origin } })).toBe(400);
    expect(seen).toEqual([]);
  });

  it("survives a client that resets while its token is looked at", async () => {
    const thrown = captureThrown();
    const { port, issuer, its } = await start(withTokens);
    issuer.hold();
    const client = await dial(port);
    client.send(handshakeWith(await issuer.tokenOf("ann")));
    await expect.poll(issuer.waiting).toBe(1);
    client.reset();
    await expect.poll(() => connectionsOf(its.server)).toBe(0);
    expect(await statusOf(port, { target: "/other" })).toBe(404);
    expect(thrown).toEqual([]);
  });

  it("a client that resets while the application's own middleware waits does not end the process", async () => {
    const held = deferred<void>();
    const entered = deferred<void>();
    vi.stubGlobal("waitInMiddleware", () => {
      entered.resolve();
      return held.promise;
    });
    onTestFinished(() => void vi.unstubAllGlobals());
    const thrown = captureThrown();
    const { port, issuer, its } = await start(withTokens, {
      "app.get(\n":
        "app.use(async (_c, next) => { await (globalThis as any).waitInMiddleware(); await next(); });\napp.get(\n",
    });
    const client = await dial(port);
    client.send(handshakeWith(await issuer.tokenOf("ann")));
    await entered.promise;
    client.reset();
    await expect.poll(() => connectionsOf(its.server)).toBe(0);
    held.resolve();
    await new Promise(setImmediate);
    expect(thrown).toEqual([]);
  });

  it("is refused by the application's own middleware, too, with a status alone", async () => {
    const { port, issuer } = await start(withTokens, {
      "app.get(\n": 'app.use((c) => c.text("no", 418));\napp.get(\n',
    });
    const client = await dial(port);
    client.send(handshakeWith(await issuer.tokenOf("ann")));
    const { status, body } = answerIn(await client.closed);
    expect({ status, body }).toEqual({ status: 418, body: "" });
  });

  it("closes at SIGTERM, its clients too", async () => {
    const { port, issuer, its } = await start(withTokens);
    const { socket } = await talk(`ws://127.0.0.1:${port}/chat`, {
      token: await issuer.tokenOf("ann"),
    });
    const code = new Promise((resolve) => socket.once("close", resolve));
    const ended = new Promise((resolve) => its.server.once("close", resolve));
    process.emit("SIGTERM", "SIGTERM");
    expect(await code).toBe(1001);
    await ended;
  });

  it("refuses handshakes that wait at SIGTERM", async () => {
    const { port, issuer } = await start(withTokens);
    issuer.hold();
    const client = await dial(port);
    client.send(handshakeWith(await issuer.tokenOf("ann")));
    await expect.poll(issuer.waiting).toBe(1);
    process.emit("SIGTERM", "SIGTERM");
    expect(answerIn(await client.closed).status).toBe(503);
  });
});

describe("a signed cookie of Hono's", () => {
  it("lets in who has signed in", async () => {
    const { port } = await start(withCookies);
    const response = await fetch(`http://127.0.0.1:${port}/sign-in`, {
      method: "POST",
      body: JSON.stringify({ name: "ann" }),
    });
    const cookie = response.headers.getSetCookie()[0]?.split(";")[0] ?? "";
    const { next } = await talk(`ws://127.0.0.1:${port}/chat`, { headers: { cookie } });
    expect(await next()).toBe("Welcome, ann.");
    const foreign = { Origin: "https://evil.example", Cookie: cookie };
    expect(await statusOf(port, { headers: foreign })).toBe(403);
  });

  it.each([
    ["no cookie", undefined],
    ["an unsigned one", "user=ann"],
    ["a forged one", `user=ann.${"A".repeat(43)}%3D`],
    ["an empty one", "user="],
  ])("refuses %s", async (_, cookie) => {
    const { port } = await start(withCookies);
    expect(await statusOf(port, { headers: { Origin: origin, Cookie: cookie } })).toBe(401);
  });
});
