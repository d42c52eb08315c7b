import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import {
  type AnyCheck,
  allow,
  allowWith,
  guard,
  insecureAnyOrigin,
  type MaxConnectionsOptions,
  maxConnections,
  refuse,
} from "@firmshake/node";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { WebSocket } from "ws";
import { fakeClock } from "../corpus/fake-clock.ts";
import { thrownBy } from "../support/handshakes.ts";
import { answerIn, dial, handshakeText, type RawClient, statusOf } from "../support/raw-client.ts";
import { deferred, gatedServer, gatedWs, openWebSocket } from "../support/server.ts";

const open = insecureAnyOrigin();
const byUser: AnyCheck = ({ headers }) =>
  allowWith({
    identity: {
      subject: headers.only("x-user") ?? "nobody",
      scheme: "test",
      claims: {},
      expiresAt: undefined,
    },
  });

async function gatedBy(options: MaxConnectionsOptions) {
  const { port, gate } = await gatedWs(guard(open, byUser, maxConnections(options)), {
    trustProxy: ["127.0.0.1"],
  });
  const headersOf = (user: string, address = "192.0.2.1") => ({
    "X-User": user,
    "X-Forwarded-For": address,
  });
  return {
    gate,
    open: (user: string, address?: string): Promise<WebSocket> =>
      openWebSocket(`ws://127.0.0.1:${port}/`, [], { headers: headersOf(user, address) }),
    statusOf: (user: string, address?: string): Promise<number> =>
      statusOf(port, { headers: headersOf(user, address) }),
  };
}

async function closeOf(client: WebSocket): Promise<string> {
  const [code, reason] = (await once(client, "close")) as [number, Buffer];
  return `${code} ${reason}`;
}

describe("as many are let in as there are places", () => {
  it.each<[string, MaxConnectionsOptions, number, string, number]>([
    ["in all", { total: 2 }, 503, "1013", 503],
    ["of one address", { perAddress: 2 }, 429, "1013", 101],
    ["of one identity", { perIdentity: 2 }, 429, "1013", 101],
    [
      "of one tenant",
      { perKey: 2, key: ({ headers }) => headers.only("x-user") },
      429,
      "1013",
      101,
    ],
  ])("%s", async (_, options, status, _close, others) => {
    const { open: connect, statusOf: statusAs, gate } = await gatedBy(options);
    const first = await connect("ada");
    await connect("ada");
    expect(await statusAs("ada")).toBe(status);
    expect(await statusAs("bob", "192.0.2.2")).toBe(others);
    await expect.poll(() => gate.connections.size).toBe(2);
    first.terminate();
    await expect.poll(() => gate.connections.size).toBe(1);
    expect(await statusAs("ada")).toBe(101);
  });

  it("says when to come again, and why not now", async () => {
    const { port } = await gatedWs(guard(open, maxConnections({ perAddress: 1 })));
    await openWebSocket(`ws://127.0.0.1:${port}/`);
    const client = await dial(port);
    client.send(handshakeText());
    const { status, headers, body } = answerIn(await client.closed);
    expect([status, headers["retry-after"]]).toEqual([429, "5"]);
    expect(JSON.parse(body)).toMatchObject({ code: "connections_exceeded" });
  });

  it("counts IPv6 clients by their prefix", async () => {
    const { open: connect, statusOf: statusAs } = await gatedBy({ perAddress: 1 });
    await connect("ada", "2001:db8::1");
    expect(await statusAs("ada", "2001:db8:0:00ff::2")).toBe(429);
    expect(await statusAs("ada", "2001:db8:0:0100::2")).toBe(101);
  });

  it("refuses what cannot be counted", async () => {
    const { statusOf: statusAs } = await gatedBy({ perKey: 1, key: () => undefined });
    expect(await statusAs("ada")).toBe(400);
    const long = await gatedBy({ perKey: 1, key: () => "x".repeat(257) });
    expect(await long.statusOf("ada")).toBe(400);
  });

  it("is one place, where several guards on the way share the check", async () => {
    const places = maxConnections({ total: 1 });
    const { port } = await gatedWs(guard(open, places, places));
    expect(await statusOf(port)).toBe(101);
  });

  it("takes the place when it decides: no burst gets past it", async () => {
    const decided = deferred<void>();
    const slow: AnyCheck = async () => {
      await decided.promise;
      return allow;
    };
    const { port, gate } = await gatedWs(guard(open, maxConnections({ total: 3 }), slow));
    const clients = await Promise.all(Array.from({ length: 10 }, () => dial(port)));
    for (const client of clients) client.send(handshakeText());
    await expect.poll(() => gate.pending).toBe(3);
    decided.resolve();
    const answers = await Promise.all(
      clients.map(async (client) => (await client.until("\r\n\r\n")).slice(9, 12)),
    );
    expect(answers.sort()).toEqual([...Array(3).fill("101"), ...Array(7).fill("503")]);
  });
});

describe("evict-oldest", () => {
  it("closes the one that has been open longest, when the new one is accepted", async () => {
    const { open: connect, gate } = await gatedBy({ perIdentity: 2, policy: "evict-oldest" });
    const [first, second] = [await connect("ada"), await connect("ada")];
    const bob = await connect("bob");
    const closed = closeOf(first);
    await connect("ada");
    expect(await closed).toBe("1008 evicted");
    await expect.poll(() => gate.connections.size).toBe(3);
    expect([second, bob].map(({ readyState }) => readyState)).toEqual([1, 1]);
  });

  it("closes nobody for who is refused after all", async () => {
    const checks = [
      open,
      maxConnections({ perAddress: 1, policy: "evict-oldest" }),
      (({ headers }) => (headers.only("x-bad") ? refuse("forbidden") : allow)) as AnyCheck,
    ];
    const { port, gate } = await gatedWs(guard({ checks, order: "written" }));
    const client = await openWebSocket(`ws://127.0.0.1:${port}/`);
    expect(await statusOf(port, { headers: { "X-Bad": "1" } })).toBe(403);
    expect(client.readyState).toBe(1);
    expect(gate.connections.size).toBe(1);
  });
});

describe("places never leak", () => {
  const actions = ["accept", "refuse", "throw", "slow", "reset", "half", "early"] as const;

  it("whatever clients do, in whatever order", async () => {
    const places = maxConnections({ total: 100_000, perAddress: 100_000 });
    const only = maxConnections({ total: 1 });
    const gates: (() => void)[] = [];
    const decide: AnyCheck = async ({ headers, signal }) => {
      const action = headers.only("x-action");
      if (action === "refuse") return refuse("forbidden");
      if (action === "throw") throw new Error("planted");
      if (action === "slow" || action === "reset" || action === "half") {
        await new Promise<void>((resolve) => {
          gates.push(resolve);
          signal.addEventListener("abort", () => resolve());
        });
      }
      return allow;
    };
    const checks = [open, places, only, decide];
    const { port, gate } = await gatedWs(guard({ checks, order: "written" }), {
      maxEarlyBytes: 4,
    });

    const run = async (action: (typeof actions)[number]): Promise<void> => {
      const client: RawClient = await dial(port, { isUntracked: true });
      client.send(
        handshakeText({ headers: { "X-Action": action } }) +
          (action === "early" ? "too much of it" : ""),
      );
      if (action === "slow" || action === "reset" || action === "half") {
        await expect.poll(() => gates.length, { interval: 1 }).toBe(1);
        if (action === "reset") client.reset();
        if (action === "half") client.socket.end();
        if (action === "slow") gates[0]?.();
      }
      if (action === "slow" || action === "accept") await client.until("101");
      if (action !== "reset") client.socket.end();
      client.socket.resume();
      await client.closed;
      gates.length = 0;
      await expect.poll(() => gate.connections.size, { interval: 1 }).toBe(0);
      await expect.poll(() => gate.pending, { interval: 1 }).toBe(0);
    };

    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom(...actions), { maxLength: 12 }), async (all) => {
        for (const action of all) await run(action);
        // The one place is there again.
        await run("accept");
      }),
      { numRuns: 25 },
    );
  });

  it("polling requests take theirs as long as they are answered, and nobody waits for them", async () => {
    const clock = fakeClock();
    const responses: ServerResponse[] = [];
    const server = createServer((_, response) => void responses.push(response));
    const { gate, port } = await gatedServer(
      guard(open, maxConnections({ total: 1 })),
      { clock },
      server,
    );
    const poll = (): Promise<number> =>
      fetch(`http://127.0.0.1:${port}/?transport=polling`).then(({ status }) => status);
    for (let turn = 1; turn < 3; turn++) {
      const answer = poll();
      await expect.poll(() => responses.length).toBe(turn);
      clock.advance(120_000);
      expect(await poll()).toBe(503);
      responses.at(-1)?.end("polled");
      expect(await answer).toBe(200);
    }
    const last = poll();
    await expect.poll(() => responses.length).toBe(3);
    expect(gate.connections.size).toBe(0);
    expect(await gate.drain()).toEqual({ open: 0, closed: 0, terminated: 0 });
    responses.at(-1)?.end("polled");
    expect(await last).toBe(200);
  });
});

it.each<[string, object, string]>([
  ["no limit", {}, "ERR_FIRMSHAKE_OPTION_MISSING"],
  ["a limit of 0", { total: 0 }, "ERR_FIRMSHAKE_OPTION_INVALID"],
  ["a key without its limit", { key: () => "a", total: 1 }, "ERR_FIRMSHAKE_OPTIONS_CONTRADICT"],
  ["the limit without a key", { perKey: 1 }, "ERR_FIRMSHAKE_OPTIONS_CONTRADICT"],
  ["a prefix for nothing", { total: 1, ipv6PrefixBits: 64 }, "ERR_FIRMSHAKE_OPTIONS_CONTRADICT"],
  ["an unknown policy", { total: 1, policy: "evict" }, "ERR_FIRMSHAKE_OPTION_INVALID"],
])("does not take %s", (_, options, code) => {
  expect(thrownBy(() => maxConnections(options))).toContain(code);
});

it("shows in explain()", () => {
  const policy = guard(open, maxConnections({ total: 9, perAddress: 3 }));
  expect(policy.explain()).toContain("maxConnections: 9 in all, 3 per address; reject-new");
});
