import type { Server } from "node:http";
import { type INestApplication, Logger } from "@nestjs/common";
import { io, type Socket } from "socket.io-client";
import { beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { answerIn, dial, refusalOf, statusOf } from "../support/raw-client.ts";
import { connectionsOf } from "../support/server.ts";
import { captureThrown } from "../support/thrown.ts";
import { blockWith, type Running, type RunOptions, runRecipe } from "./recipe.ts";
import { handshakeWith, origin, talk, upgradesBehind } from "./talk.ts";

const page = "docs/guide/nest.md";

beforeAll(() => Logger.overrideLogger(false));

interface Recipe {
  readonly app: INestApplication<Server>;
}

interface Nest extends Running<Recipe> {
  readonly port: number;
}

async function start(words: readonly string[], changes: RunOptions["changes"] = {}): Promise<Nest> {
  const running = await runRecipe<Recipe>(blockWith(page, ...words), {
    names: ["app"],
    changes,
  });
  const { app } = running.its;
  onTestFinished(() => app.close());
  return { ...running, port: running.insteadOf(3000) };
}

const withWs = ["subjects.set"];
const withSocketIo = ["subjectOf"];
const withSession = ["express-session"];
const withModule = ["consumer.apply"];
const withProvider = ["class ChatGate "];
const withOwnPort = ["GatedWsAdapter"];

describe("a gateway of the ws adapter", () => {
  it("knows who is connected, in handleConnection and in each message", async () => {
    const { port, issuer, its } = await start(withWs);
    const seen = upgradesBehind(its.app.getHttpServer());
    const { socket, next } = await talk(`ws://127.0.0.1:${port}/chat`, {
      token: await issuer.tokenOf("ann"),
    });
    expect(socket.protocol).toBe("bearer");
    expect(seen).toEqual(["/chat"]);
    expect(JSON.parse(await next())).toEqual({ event: "welcome", data: "ann" });
    socket.send(JSON.stringify({ event: "say", data: "hello" }));
    expect(JSON.parse(await next())).toEqual({ event: "said", data: "ann: hello" });
  });

  it("is not reached by what is refused", async () => {
    const { port, its } = await start(withWs);
    const seen = upgradesBehind(its.app.getHttpServer());
    const answer = await refusalOf(port, { headers: { Origin: origin } });
    expect(answer.status).toBe(401);
    expect(answer.headers["content-type"]).toBe("application/problem+json");
    expect(JSON.parse(answer.body)).toMatchObject({ status: 401, code: "token_missing" });
    expect(await statusOf(port, { headers: { Origin: "https://evil.example" } })).toBe(403);
    expect(seen).toEqual([]);
  });

  it("refuses other paths", async () => {
    const { port } = await start(withWs);
    expect((await refusalOf(port, { target: "/other", headers: { Origin: origin } })).status).toBe(
      404,
    );
  });

  it("survives a client that resets while its token is looked at", async () => {
    const thrown = captureThrown();
    const { port, issuer, its } = await start(withWs);
    issuer.hold();
    const client = await dial(port);
    client.send(handshakeWith(await issuer.tokenOf("ann")));
    await expect.poll(issuer.waiting).toBe(1);
    client.reset();
    await expect.poll(() => connectionsOf(its.app.getHttpServer())).toBe(0);
    expect(await statusOf(port, { target: "/other" })).toBe(404);
    expect(thrown).toEqual([]);
  });

  it("closes with the application, its clients too", async () => {
    const { port, issuer, its } = await start(withWs);
    const { socket } = await talk(`ws://127.0.0.1:${port}/chat`, {
      token: await issuer.tokenOf("ann"),
    });
    const closed = new Promise((resolve) => socket.once("close", resolve));
    await its.app.close();
    await closed;
    expect(its.app.getHttpServer().listening).toBe(false);
  });
});

describe("a gateway of the Socket.IO adapter", () => {
  it("knows who is connected, in handleConnection and in each message", async () => {
    const { port, issuer } = await start(withSocketIo);
    const client = connectSocketIo(port, await issuer.tokenOf("ann"), origin);
    expect(await new Promise((resolve) => client.once("welcome", resolve))).toBe("ann");
    expect(await client.emitWithAck("say", "hello")).toBe("ann: hello");
  });

  it.each([
    ["without a token", 401, undefined, origin],
    ["of another origin", 403, "token", "https://evil.example"],
  ])("refuses a client %s", async (_, status, token, from) => {
    const { port } = await start(withSocketIo);
    const error = await new Promise((resolve) => {
      connectSocketIo(port, token, from).once("connect_error", resolve);
    });
    expect(error).toHaveProperty("description.message", `Unexpected server response: ${status}`);
  });

  it("is guarded for clients that poll, where it lets them", async () => {
    const { port, issuer } = await start(withSocketIo, { '{ transports: ["websocket"] }': "{}" });
    const response = await fetch(`http://127.0.0.1:${port}/socket.io/?EIO=4&transport=polling`, {
      headers: { origin },
    });
    expect(response.status).toBe(401);
    const authorization = `Bearer ${await issuer.tokenOf("ann")}`;
    const client = io(`http://127.0.0.1:${port}`, {
      transports: ["polling"],
      extraHeaders: { origin, authorization },
      forceNew: true,
    });
    onTestFinished(() => void client.close());
    expect(await new Promise((resolve) => client.once("welcome", resolve))).toBe("ann");
    expect(await client.emitWithAck("say", "hello")).toBe("ann: hello");
  });

  it("refuses other paths, and closes with the application", async () => {
    const { port, its, issuer } = await start(withSocketIo);
    const client = connectSocketIo(port, await issuer.tokenOf("ann"), origin);
    await new Promise((resolve) => client.once("welcome", resolve));
    expect(await statusOf(port, { target: "/chat", headers: { Origin: origin } })).toBe(404);
    const left = new Promise((resolve) => client.once("disconnect", resolve));
    await its.app.close();
    await left;
  });
});

describe("a Nest application whose sessions decide", () => {
  async function signIn(port: number, name: string): Promise<string> {
    const response = await fetch(`http://127.0.0.1:${port}/sign-in`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ name }),
    });
    expect(response.status).toBe(201);
    return response.headers.getSetCookie()[0]?.split(";")[0] ?? "";
  }

  it("lets in who has signed in", async () => {
    const { port } = await start(withSession);
    const cookie = await signIn(port, "ann");
    const { next } = await talk(`ws://127.0.0.1:${port}/chat`, { headers: { cookie } });
    expect(await next()).toBe("Welcome, ann.");
  });

  it("refuses strangers, and other origins with a good cookie", async () => {
    const { port, its } = await start(withSession);
    const seen = upgradesBehind(its.app.getHttpServer());
    const cookie = await signIn(port, "ann");
    expect(await statusOf(port, { headers: { Origin: origin } })).toBe(401);
    const foreign = { Origin: "https://evil.example", Cookie: cookie };
    expect(await statusOf(port, { headers: foreign })).toBe(403);
    expect(seen).toEqual([]);
  });

  it("answers other paths as it answers requests", async () => {
    const { port } = await start(withSession);
    expect(await statusOf(port, { target: "/other", headers: { Origin: origin } })).toBe(404);
    expect(await statusOf(port, { target: "/chat/below", headers: { Origin: origin } })).toBe(404);
  });

  it("refuses everybody where the guard is mounted too late", async () => {
    const { port } = await start(withSession, {
      'express.get("/chat", chat);': 'await app.init(); express.get("/chat", chat);',
    });
    const cookie = await signIn(port, "ann");
    expect(await statusOf(port, { headers: { Origin: origin, Cookie: cookie } })).toBe(404);
  });

  it("may mount the guard behind a module's middleware", async () => {
    vi.stubEnv("API_KEY", "of the tablet");
    onTestFinished(() => void vi.unstubAllEnvs());
    const { port } = await start(withModule);
    const headers = { "x-api-key": "of the tablet" };
    const { next } = await talk(`ws://127.0.0.1:${port}/chat`, { headers });
    expect(await next()).toBe("Welcome.");
    expect(await statusOf(port, { headers: { Origin: origin } })).toBe(401);
    expect(await statusOf(port, { target: "/other", headers: { Origin: origin } })).toBe(404);
  });
});

describe("a provider that owns the gate", () => {
  it("lets in and refuses", async () => {
    const { port, issuer } = await start(withProvider);
    const { next } = await talk(`ws://127.0.0.1:${port}/chat`, {
      token: await issuer.tokenOf("ann"),
    });
    expect(await next()).toBe("Welcome, ann.");
    expect(await statusOf(port, { headers: { Origin: origin } })).toBe(401);
  });

  it("refuses handshakes that wait when the application closes", async () => {
    const { port, issuer, its } = await start(withProvider);
    issuer.hold();
    const client = await dial(port);
    client.send(handshakeWith(await issuer.tokenOf("ann")));
    await expect.poll(issuer.waiting).toBe(1);
    await its.app.close();
    expect(answerIn(await client.closed).status).toBe(503);
  });

  it("does so at SIGTERM", async () => {
    const { port, issuer, its } = await start(withProvider);
    issuer.hold();
    const client = await dial(port);
    client.send(handshakeWith(await issuer.tokenOf("ann")));
    await expect.poll(issuer.waiting).toBe(1);
    // Nest ends the process by the same signal when all is closed.
    const kill = vi.spyOn(process, "kill").mockReturnValue(true);
    process.emit("SIGTERM", "SIGTERM");
    expect(answerIn(await client.closed).status).toBe(503);
    await expect.poll(() => kill.mock.calls).toEqual([[process.pid, "SIGTERM"]]);
    expect(its.app.getHttpServer().listening).toBe(false);
  });
});

describe("a gateway on a port of its own", () => {
  it("is open without the recipe's adapter", async () => {
    const { insteadOf } = await start(withOwnPort, {
      "new GatedWsAdapter(app)": "new WsAdapter(app)",
    });
    expect(await statusOf(insteadOf(8081), { target: "/" })).toBe(101);
  });

  it("is guarded with it", async () => {
    const { insteadOf, issuer } = await start(withOwnPort);
    const port = insteadOf(8081);
    expect(await statusOf(port, { target: "/", headers: { Origin: origin } })).toBe(401);
    expect(await statusOf(port, { target: "/other", headers: { Origin: origin } })).toBe(404);
    const { next } = await talk(`ws://127.0.0.1:${port}/`, { token: await issuer.tokenOf("ann") });
    expect(await next()).toBe("Welcome.");
  });

  it("is guarded on a path as well", async () => {
    const { insteadOf } = await start(withOwnPort, {
      "@WebSocketGateway(8081)": '@WebSocketGateway(8081, { path: "/chat" })',
      '{ "/": chat }': '{ "/chat": chat }',
    });
    const port = insteadOf(8081);
    expect(await statusOf(port, { headers: { Origin: origin } })).toBe(401);
    expect(await statusOf(port, { target: "/", headers: { Origin: origin } })).toBe(404);
  });

  it("is guarded by Socket.IO's adapter of the recipe", async () => {
    const { insteadOf, issuer } = await start(["GatedIoAdapter"]);
    const port = insteadOf(8081);
    const client = connectSocketIo(port, await issuer.tokenOf("ann"), origin);
    await new Promise((resolve) => client.once("welcome", resolve));
    const target = "/socket.io/?EIO=4&transport=websocket";
    expect(await statusOf(port, { target, headers: { Origin: origin } })).toBe(401);
  });
});

function connectSocketIo(port: number, token: string | undefined, origin: string): Socket {
  const client = io(`http://127.0.0.1:${port}`, {
    transports: ["websocket"],
    protocols: token === undefined ? [] : ["bearer", token],
    extraHeaders: { origin },
    reconnection: false,
    forceNew: true,
  });
  onTestFinished(() => void client.close());
  return client;
}
