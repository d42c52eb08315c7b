import { once } from "node:events";
import type { Server } from "node:http";
import { createClient } from "graphql-ws";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { WebSocket } from "ws";
import { dial, textFrame } from "../support/raw-client.ts";
import { connectionsOf } from "../support/server.ts";
import { blockWith, runRecipe } from "./recipe.ts";
import { handshakeWith, origin, talk } from "./talk.ts";

const page = "docs/guide/first-message.md";

// The copy that graphql-ws itself loads: bundlers' `module` condition would lead to a second one, which it refuses.
const oneCopy = {
  'import { buildSchema } from "graphql";':
    'import { createRequire } from "node:module";\nconst { buildSchema } = createRequire(import.meta.url)("graphql");',
};

async function start(words: readonly string[], changes: Readonly<Record<string, string>> = {}) {
  const { its, issuer, insteadOf } = await runRecipe<{ readonly server: Server }>(
    blockWith(page, ...words),
    { names: ["server"], changes },
  );
  const { server } = its;
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await vi.waitUntil(() => server.listening);
  return { server, issuer, port: insteadOf(8080) };
}

describe("the server at the top of the page", () => {
  it("welcomes who sends a token, and closes who sends another text", async () => {
    const { port, issuer } = await start(['wss.on("connection"']);
    const { socket, next } = await talk(`ws://127.0.0.1:${port}/chat`);
    socket.send(await issuer.tokenOf("ann"));
    expect(await next()).toBe("Welcome, ann.");
    socket.send("hello");
    expect(await next()).toBe("ann: hello");
    const { socket: other } = await talk(`ws://127.0.0.1:${port}/chat`);
    other.send("ann");
    expect((await once(other, "close"))[0]).toBe(3000);
  });
});

describe("graphql-ws", () => {
  const connecting = (port: number, token: unknown) => {
    class FromPage extends WebSocket {
      constructor(url: string, protocols: string) {
        super(url, protocols, { origin });
      }
    }
    const client = createClient({
      url: `ws://127.0.0.1:${port}/graphql`,
      webSocketImpl: FromPage,
      connectionParams: { token },
      lazy: true,
      retryAttempts: 0,
    });
    onTestFinished(() => client.terminate());
    return client;
  };

  const opening = (...messages: readonly object[]): Buffer =>
    Buffer.concat(messages.map((message) => textFrame(JSON.stringify(message))));
  const protocol = { "Sec-WebSocket-Protocol": "graphql-transport-ws" };

  it("knows who sent the token in connection_init", async () => {
    const { port, issuer } = await start(["useServer"], oneCopy);
    const client = connecting(port, await issuer.tokenOf("ann"));
    const { value } = await client.iterate({ query: "{ me }" }).next();
    expect(value).toEqual({ data: { me: "ann" } });
  });

  it.each([["ann"], [undefined]])("closes with 4403 for the token %s", async (token) => {
    const { port } = await start(["useServer"], oneCopy);
    const run = connecting(port, token).iterate({ query: "{ me }" }).next();
    await expect(run).rejects.toMatchObject({ code: 4403 });
  });

  it("closes with 4408 who says nothing in time", async () => {
    const { port, server } = await start(["useServer"], { ...oneCopy, "5_000": "50" });
    const client = await dial(port);
    client.send(handshakeWith(undefined, protocol).replace("/chat", "/graphql"));
    expect(await client.until("timeout")).toContain("\x88");
    client.socket.destroy();
    await expect.poll(() => connectionsOf(server)).toBe(0);
  });

  it("closes with 4401 who asks before it is authenticated", async () => {
    const { port } = await start(["useServer"], oneCopy);
    const client = await dial(port);
    client.send(handshakeWith(undefined, protocol).replace("/chat", "/graphql"));
    await client.until("\r\n\r\n");
    client.send(opening({ id: "1", type: "subscribe", payload: { query: "{ me }" } }));
    expect(await client.until("Unauthorized")).toContain("\x11\x31");
  });
});
