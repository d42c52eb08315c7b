import { once } from "node:events";
import { createServer } from "node:http";
import {
  allow,
  attach,
  type Check,
  guard,
  type Handshake,
  insecureAnyOrigin,
  refuse,
} from "@firmshake/node";
import { describe, expect, it } from "vitest";
import { clientFrame } from "../support/http2.ts";
import { answerIn, dial, handshakeText, refusalOf } from "../support/raw-client.ts";
import { connectionsOf, deferred, gatedServer, listen } from "../support/server.ts";

type Answer = ReturnType<Check>;

/** A check that waits for the test; `entered` tells when it runs. */
function slowCheck(): {
  check: Check;
  entered: Promise<Handshake>;
  decide: (answer: Awaited<Answer>) => void;
} {
  const entered = deferred<Handshake>();
  const decision = deferred<Awaited<Answer>>();
  const check: Check = (handshake) => {
    entered.resolve(handshake);
    return decision.promise;
  };
  return { check, entered: entered.promise, decide: decision.resolve };
}

const open = (check: Check) => guard(insecureAnyOrigin(), check);
const aborted = (signal: AbortSignal): Promise<unknown> =>
  signal.aborted ? Promise.resolve() : once(signal, "abort");

describe("a client that leaves during a slow check", () => {
  it("may reset: nothing is thrown, the check is told, and the socket is handed to nobody", async () => {
    const slow = slowCheck();
    const { port, gate, handedOver, server } = await gatedServer(open(slow.check));
    const client = await dial(port);
    client.send(handshakeText());
    const { signal } = await slow.entered;
    expect(gate.pending).toBe(1);
    client.reset();
    await aborted(signal);
    expect((signal.reason as DOMException).name).toBe("AbortError");
    expect(gate.pending).toBe(0);
    slow.decide(allow);
    await new Promise(setImmediate);
    expect(handedOver).toEqual([]);
    expect(await connectionsOf(server)).toBe(0);
  });

  it("may close its side: it is dropped without an answer", async () => {
    const slow = slowCheck();
    const { port, gate, handedOver, server } = await gatedServer(open(slow.check));
    const client = await dial(port, { keepsOpen: true });
    client.send(handshakeText());
    const { signal } = await slow.entered;
    client.socket.end();
    await aborted(signal);
    expect(await client.closed).toBe("");
    slow.decide(allow);
    await new Promise(setImmediate);
    expect(handedOver).toEqual([]);
    expect(gate.pending).toBe(0);
    expect(await connectionsOf(server)).toBe(0);
  });

  it("may leave before a synchronous decision reaches it", async () => {
    const { port, handedOver } = await gatedServer(({ socket, handshake }) => {
      socket.destroy();
      const verdict = guard(insecureAnyOrigin()).decide(handshake);
      if ("then" in verdict || !verdict.ok) throw new Error("must be synchronous");
      return { outcome: "permitted", permits: [verdict.permit], reported: undefined, trail: [] };
    });
    const client = await dial(port);
    client.send(handshakeText());
    expect(await client.closed).toBe("");
    expect(handedOver).toEqual([]);
  });
});

describe("the deadline", () => {
  it("refuses with 503 what is undecided, and tells the check", async () => {
    const slow = slowCheck();
    const { port, gate, handedOver } = await gatedServer(open(slow.check), {
      decisionTimeoutMs: 30,
    });
    const answer = refusalOf(port);
    const { signal } = await slow.entered;
    expect(await answer).toMatchObject({
      status: 503,
      headers: { "retry-after": "1", connection: "close" },
      body: expect.stringContaining('"code":"decision_timeout"'),
    });
    expect((signal.reason as DOMException).name).toBe("TimeoutError");
    expect(gate.pending).toBe(0);
    slow.decide(allow);
    await new Promise(setImmediate);
    expect(handedOver).toEqual([]);
  });

  it("does not touch what was decided in time", async () => {
    const { port, next } = await gatedServer(
      open(async () => allow),
      { decisionTimeoutMs: 30 },
    );
    const client = await dial(port);
    const handedOver = next();
    client.send(handshakeText());
    const { socket } = await handedOver;
    await new Promise((resolve) => setTimeout(resolve, 60));
    socket.end("later");
    expect(await client.ended).toContain("later");
  });
});

describe("early bytes", () => {
  const mebibyte = clientFrame(Buffer.alloc(1_048_576, "0123456789abcdef"), 2);

  it("arrive whole and in order behind a slow check, 1 MiB of them", async () => {
    const slow = slowCheck();
    const { port, next } = await gatedServer(open(slow.check), {
      maxEarlyBytes: 4_194_304,
      limits: { maxMessageBytes: 2_097_152 },
    });
    const client = await dial(port);
    const handed = next();
    client.send(Buffer.concat([Buffer.from(handshakeText()), mebibyte]));
    await slow.entered;
    slow.decide(allow);
    const { socket, head } = await handed;
    socket.unshift(head);
    let arrived = Buffer.alloc(0);
    for await (const chunk of socket) {
      arrived = Buffer.concat([arrived, chunk as Buffer]);
      if (arrived.length >= mebibyte.length) break;
    }
    expect(arrived.equals(mebibyte)).toBe(true);
  });

  it("are handed over up to the limit exactly", async () => {
    const { port, next } = await gatedServer(
      open(() => allow),
      { maxEarlyBytes: 100 },
    );
    const client = await dial(port);
    const handed = next();
    const frame = clientFrame("x".repeat(94));
    client.send(Buffer.concat([Buffer.from(handshakeText()), frame]));
    expect((await handed).head).toEqual(frame);
  });

  it.each([
    { name: "one byte above the limit", maxEarlyBytes: 100, sent: 101, check: () => allow },
    { name: "any, where none are allowed", maxEarlyBytes: 0, sent: 1, check: () => allow },
    {
      name: "1 MiB under a check that takes its time",
      maxEarlyBytes: 100,
      sent: 1_048_576,
      check: async () => allow,
    },
  ])("are refused: $name", async ({ maxEarlyBytes, sent, check }) => {
    const { port, handedOver } = await gatedServer(open(check), { maxEarlyBytes });
    const client = await dial(port);
    client.send(handshakeText() + "x".repeat(sent));
    const answer = answerIn(await client.closed);
    expect(answer).toMatchObject({ status: 400, body: expect.stringContaining("early_data") });
    expect(handedOver).toEqual([]);
  });
});

describe("the bound on waiting handshakes", () => {
  it.each([
    { name: "in all", options: { maxPending: 2 } },
    { name: "for one address", options: { maxPendingPerAddress: 2 } },
  ])("holds $name, before any check runs", async ({ options }) => {
    let runs = 0;
    const decision = deferred<typeof allow>();
    const second = deferred<void>();
    const { port, gate, handedOver } = await gatedServer(
      open(() => {
        if (++runs === 2) second.resolve();
        return decision.promise;
      }),
      options,
    );
    const waiting = [await dial(port), await dial(port)];
    for (const client of waiting) client.send(handshakeText());
    await second.promise;
    expect(gate.pending).toBe(2);
    const answer = await refusalOf(port);
    expect(answer).toMatchObject({
      status: 503,
      headers: { "retry-after": "1" },
      body: expect.stringContaining("overloaded"),
    });
    expect(runs).toBe(2);
    decision.resolve(allow);
    for (const client of waiting) expect(await client.until("\r\n\r\n")).toContain("101");
    expect(handedOver.length).toBe(2);
    expect(gate.pending).toBe(0);
  });

  it("counts clients behind trusted proxies apart", async () => {
    const decision = deferred<typeof allow>();
    const { port, gate } = await gatedServer(
      open(() => decision.promise),
      {
        maxPendingPerAddress: 1,
        trustProxy: ["loopback"],
      },
    );
    const clients = ["203.0.113.1", "203.0.113.2"].map(async (address) => {
      const client = await dial(port);
      client.send(handshakeText({ headers: { "X-Forwarded-For": address } }));
      return client;
    });
    const [first, second] = await Promise.all(clients);
    const third = await refusalOf(port, { headers: { "X-Forwarded-For": "203.0.113.1" } });
    expect(third.status).toBe(503);
    expect(gate.pending).toBe(2);
    decision.resolve(allow);
    expect(await first?.until("101")).toBeDefined();
    expect(await second?.until("101")).toBeDefined();
  });
});

describe("gate.close", () => {
  it("refuses who waits and who comes, and leaves the accepted alone", async () => {
    const slow = slowCheck();
    let isFirst = true;
    const { port, gate, next } = await gatedServer(
      open((handshake) => {
        if (!isFirst) return slow.check(handshake);
        isFirst = false;
        return allow;
      }),
    );
    const accepted = await dial(port);
    const handed = next();
    accepted.send(handshakeText());
    const { socket } = await handed;
    const waiting = refusalOf(port);
    const { signal } = await slow.entered;
    gate.close();
    expect(await waiting).toMatchObject({
      status: 503,
      headers: { "retry-after": "5" },
      body: expect.stringContaining("shutting_down"),
    });
    expect(signal.aborted).toBe(true);
    expect(gate.pending).toBe(0);
    expect((await refusalOf(port)).body).toContain("shutting_down");
    gate.close();
    socket.end("still here");
    expect(await accepted.ended).toContain("still here");
  });

  it("answers requests that are no handshake as before", async () => {
    const server = createServer((_request, response) => response.end("page"));
    const gate = attach(server, guard());
    gate.close();
    const port = await listen(server);
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe("page");
  });
});

it("destroys a socket whose listeners were removed during the check", async () => {
  const slow = slowCheck();
  const { port, server, handedOver } = await gatedServer(open(slow.check));
  const client = await dial(port);
  client.send(handshakeText());
  await slow.entered;
  server.removeAllListeners("upgrade");
  slow.decide(allow);
  expect(await client.closed).toBe("");
  expect(handedOver).toEqual([]);
  expect(await connectionsOf(server)).toBe(0);
});

it("refuses what a slow check refuses, once", async () => {
  const { port, handedOver } = await gatedServer(open(async () => refuse("forbidden")));
  const answer = await refusalOf(port);
  expect(answer.status).toBe(403);
  expect(answer.body).not.toContain("HTTP/1.1");
  expect(handedOver).toEqual([]);
});
