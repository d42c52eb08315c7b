import { createServer, type Server } from "node:http";
import nodeAdapter, { type NodeOptions } from "crossws/adapters/node";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { dial, refusalOf, statusOf } from "../support/raw-client.ts";
import { connectionsOf } from "../support/server.ts";
import { captureThrown } from "../support/thrown.ts";
import { blockWith, type Running, runRecipe } from "./recipe.ts";
import { handshakeWith, origin, talk, upgradesBehind } from "./talk.ts";

const page = "docs/guide/web-standard.md";

interface Served extends Running<{ readonly server: Server }> {
  readonly port: number;
}

async function start(
  word: string,
  changes: Readonly<Record<string, string>> = {},
): Promise<Served> {
  const running = await runRecipe<{ readonly server: Server }>(blockWith(page, word), {
    names: ["server"],
    changes,
  });
  const { server } = running.its;
  onTestFinished(() => void server.close());
  await vi.waitUntil(() => server.listening);
  return { ...running, port: running.insteadOf(8080) };
}

/** The hook of `crossws/server`, on the adapter under it: that one needs no package of its own. */
function startHook(): Promise<Served> {
  const serve = (options: { port: number; websocket: NodeOptions["hooks"] }): Server => {
    const { handleUpgrade } = nodeAdapter({ hooks: options.websocket ?? {} });
    return createServer()
      .on("upgrade", (incoming, socket, head) => {
        socket.on("error", () => undefined);
        const headers = new Headers(incoming.headers as Record<string, string>);
        const request = new Request(`http://localhost${incoming.url}`, { headers });
        const { remoteAddress: ip } = incoming.socket;
        void handleUpgrade(incoming, socket, head, Object.assign(request, { ip, context: {} }));
      })
      .listen(options.port);
  };
  vi.stubGlobal("crosswsServer", { serve });
  onTestFinished(() => void vi.unstubAllGlobals());
  return start("crossws/server", {
    'import { serve } from "crossws/server";': "const { serve } = globalThis.crosswsServer;",
  });
}

const behindGate = (): Promise<Served> => start("crossws/adapters/node");

describe.each([
  ["crossws behind the gate", behindGate],
  ["crossws whose hook asks", startHook],
])("%s", (_, serve) => {
  it("knows who is connected", async () => {
    const { port, issuer } = await serve();
    const authorization = `Bearer ${await issuer.tokenOf("ann")}`;
    const { socket, next } = await talk(`ws://127.0.0.1:${port}/chat`, {
      headers: { authorization },
    });
    expect(await next()).toBe("Welcome, ann.");
    socket.send("hello");
    expect(await next()).toBe("ann: hello");
  });

  it("takes a token among the subprotocols, and answers with another", async () => {
    const { port, issuer } = await serve();
    const token = await issuer.tokenOf("ann");
    const { socket } = await talk(`ws://127.0.0.1:${port}/chat`, { token });
    expect(socket.protocol).toBe("bearer");
  });

  it("refuses by a status and a problem document", async () => {
    const { port } = await serve();
    const answer = await refusalOf(port, { headers: { Origin: origin } });
    expect(answer.status).toBe(401);
    expect(answer.headers["content-type"]).toBe("application/problem+json");
    expect(answer.body).toContain('"code":"token_missing"');
    expect(await statusOf(port, { headers: { Origin: "https://evil.example" } })).toBe(403);
    expect(await statusOf(port, { target: "/other", headers: { Origin: origin } })).toBe(404);
  });

  it("survives a client that resets while its token is looked at", async () => {
    const thrown = captureThrown();
    const { port, issuer, its } = await serve();
    issuer.hold();
    const client = await dial(port);
    client.send(handshakeWith(await issuer.tokenOf("ann")));
    await expect.poll(issuer.waiting).toBe(1);
    client.reset();
    await expect.poll(() => connectionsOf(its.server)).toBe(0);
    expect(await statusOf(port, { target: "/other" })).toBe(404);
    expect(thrown).toEqual([]);
  });
});

describe("what is refused", () => {
  it("does not come out of the gate", async () => {
    const { port, its } = await behindGate();
    const seen = upgradesBehind(its.server);
    expect(await statusOf(port, { headers: { Origin: origin } })).toBe(401);
    expect(await statusOf(port, { target: "/other", headers: { Origin: origin } })).toBe(404);
    expect(seen).toEqual([]);
  });
});
