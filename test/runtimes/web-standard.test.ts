import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { type Issuer, startIssuer } from "../recipes/issuer.ts";
import { blockWith, changed } from "../recipes/recipe.ts";
import { handshakeWith, origin, talk } from "../recipes/talk.ts";
import { answerIn, dial, refusalOf, statusOf } from "../support/raw-client.ts";
import { bun, deno, node, type Runtime, type Started, start } from "./runtime.ts";

const page = "docs/guide/web-standard.md";

interface Recipe {
  readonly runtime: Runtime;
  /** A word that only its block has. */
  readonly word: string;
  readonly port: string;
}

const recipes: readonly (readonly [string, Recipe])[] = [
  ["Bun.serve", { runtime: bun, word: "Bun.serve", port: "server.port" }],
  ["Deno.serve", { runtime: deno, word: "Deno.serve", port: "server.addr.port" }],
  ...[node, bun, deno].map(
    (runtime) =>
      [
        `crossws on ${runtime.name}`,
        {
          runtime,
          word: "crossws/server",
          port: "await server.ready().then(() => new URL(server.url).port)",
        },
      ] as const,
  ),
];

describe.each(recipes)("the recipe for %s", (_, { runtime, word, port }) => {
  describe.skipIf(runtime.isMissing)("runs as it is printed, and", () => {
    async function serve(): Promise<Started & { readonly issuer: Issuer }> {
      const issuer = await startIssuer();
      const code = changed(blockWith(page, word), {
        "https://id.example.com/jwks.json": issuer.jwksUri,
        "port: 8080": 'port: 0, hostname: "127.0.0.1"',
      });
      return { ...(await start(runtime, code, port)), issuer };
    }

    it("lets in who has a token, and knows who it is", async () => {
      const { port, issuer } = await serve();
      const authorization = `Bearer ${await issuer.tokenOf("ann")}`;
      const { socket, next } = await talk(`ws://127.0.0.1:${port}/chat`, {
        headers: { authorization },
      });
      expect(await next()).toBe("Welcome, ann.");
      socket.send("hello");
      expect(await next()).toBe("ann: hello");
    });

    it.each<[string, (token: string) => readonly string[], string]>([
      ["bearer", (token) => ["bearer", token], "bearer"],
      [
        "Kubernetes",
        (token) => [
          `base64url.bearer.authorization.k8s.io.${Buffer.from(token).toString("base64url")}`,
          "chat.v1",
        ],
        "chat.v1",
      ],
    ])("takes a token in the %s form, and does not answer with it", async (_, offer, answered) => {
      const { port, issuer } = await serve();
      const client = await dial(port);
      const offered = offer(await issuer.tokenOf("ann")).join(", ");
      client.send(handshakeWith(undefined, { "Sec-WebSocket-Protocol": offered }));
      const { status, headers } = answerIn(await client.until("\r\n\r\n"));
      expect(status).toBe(101);
      expect(headers["sec-websocket-protocol"]).toBe(answered);
    });

    it("answers no subprotocol to who offers none", async () => {
      const { port, issuer } = await serve();
      const client = await dial(port);
      client.send(handshakeWith(await issuer.tokenOf("ann")));
      const { status, headers } = answerIn(await client.until("\r\n\r\n"));
      expect(status).toBe(101);
      expect(headers).not.toHaveProperty("sec-websocket-protocol");
    });

    it("refuses by a status and a problem document", async () => {
      const { port } = await serve();
      const headers = { Origin: origin, Connection: "Upgrade, close" };
      const answer = await refusalOf(port, { headers });
      expect(answer.status).toBe(401);
      expect(answer.headers["content-type"]).toBe("application/problem+json");
      expect(answer.headers["www-authenticate"]).toBe('Bearer realm="websocket"');
      expect(answer.body).toContain('"code":"token_missing"');
    });

    it("refuses other origins and other paths", async () => {
      const { port } = await serve();
      const statuses: number[] = [];
      for (const sketch of [
        { headers: { Origin: "https://evil.example" } },
        { headers: { Origin: [origin, origin] } },
        { target: "/other", headers: { Origin: origin } },
        { target: "/chat/below", headers: { Origin: origin } },
      ]) {
        statuses.push(await statusOf(port, sketch));
      }
      expect(statuses).toEqual([403, 403, 404, 404]);
    });

    it("counts by the peer's address", async () => {
      const { port } = await serve();
      const statuses = new Set<number>();
      for (let count = 0; count < 31; count++) {
        statuses.add(await statusOf(port, { headers: { Origin: origin } }));
      }
      expect([...statuses]).toEqual([401, 429]);
    });

    // On Node it does not: see below.
    if (runtime === node) return;
    it("survives a client that resets while its token is looked at", async () => {
      const { port, issuer, child } = await serve();
      issuer.hold();
      const client = await dial(port);
      client.send(handshakeWith(await issuer.tokenOf("ann")));
      await expect.poll(issuer.waiting).toBe(1);
      client.reset();
      expect(await statusOf(port, { target: "/other" })).toBe(404);
      expect(child.exitCode).toBeNull();
    });
  });
});

describe.skipIf(node.isMissing)("crossws on Node, without a gate", () => {
  it("ends with a client that resets while its token is looked at, as the page says", async () => {
    const issuer = await startIssuer();
    const code = changed(blockWith(page, "crossws/server"), {
      "https://id.example.com/jwks.json": issuer.jwksUri,
      "port: 8080": 'port: 0, hostname: "127.0.0.1"',
    });
    const { port, child } = await start(
      node,
      code,
      "await server.ready().then(() => new URL(server.url).port)",
    );
    issuer.hold();
    const client = await dial(port);
    client.send(handshakeWith(await issuer.tokenOf("ann")));
    await expect.poll(issuer.waiting).toBe(1);
    const ended = once(child, "exit");
    client.reset();
    expect(await ended).toEqual([1, null]);
  });
});
