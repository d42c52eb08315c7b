import { createServer, IncomingMessage } from "node:http";
import { createServer as createNetServer, Socket } from "node:net";
import { PassThrough } from "node:stream";
import {
  type AnyCheck,
  allow,
  attach,
  type DecisionEvent,
  guard,
  type Handshake,
  insecureAnyOrigin,
  named,
  type Permit,
  type Ruling,
  refuse,
  type Upgrade,
  type UpgradeHandler,
} from "@firmshake/node";
import { describe, expect, it, vi } from "vitest";
import { thrownBy } from "../support/handshakes.ts";
import { answerIn, dial, handshakeText, refusalOf, statusOf } from "../support/raw-client.ts";
import { gatedServer } from "../support/server.ts";
import { captureThrown } from "../support/thrown.ts";

const chat = guard(insecureAnyOrigin());

function permitOf({ handshake }: Upgrade): Permit {
  const verdict = chat.decide(handshake);
  if ("then" in verdict || !verdict.ok) throw new Error("this guard allows at once");
  return verdict.permit;
}

const permitted = (...permits: readonly Permit[]): Ruling => ({
  outcome: "permitted",
  permits,
  reported: undefined,
  trail: [],
});

let earlier: Permit | undefined;

const forgeries: { readonly name: string; readonly rule: UpgradeHandler }[] = [
  {
    name: "a permit that it made up",
    rule: ({ handshake }) => permitted({ handshake, facts: {} }),
  },
  {
    name: "a copy of a permit",
    rule: (upgrade) => permitted({ ...permitOf(upgrade) }),
  },
  {
    name: "an object that inherits from a permit",
    rule: (upgrade) => permitted(Object.create(permitOf(upgrade))),
  },
  {
    name: "a genuine permit twice",
    rule: (upgrade) => {
      const permit = permitOf(upgrade);
      return permitted(permit, permit);
    },
  },
  {
    name: "a genuine permit beside one that it made up",
    rule: (upgrade) => permitted(permitOf(upgrade), { handshake: upgrade.handshake, facts: {} }),
  },
  {
    name: "the permit of another handshake",
    rule: (upgrade) => {
      const permit = earlier ?? permitOf(upgrade);
      earlier = permitOf(upgrade);
      return permitted(permit);
    },
  },
  { name: "no permit", rule: () => permitted() },
  {
    name: "permits that are no list",
    rule: () => ({ ...permitted(), permits: undefined }) as never,
  },
  { name: "nothing", rule: () => undefined as never },
  { name: "true", rule: () => true as never },
  {
    name: "an outcome that there is not",
    rule: () => ({ outcome: "accepted", trail: [] }) as never,
  },
  {
    name: "a refusal that is none",
    rule: () => ({ outcome: "refused", refusal: { status: 200 }, trail: [] }) as never,
  },
  { name: "a refusal without a refusal", rule: () => ({ outcome: "refused", trail: [] }) as never },
  {
    name: "an error",
    rule: () => {
      throw new Error("failed");
    },
  },
];

describe("a handler that answers with what is no ruling", () => {
  describe.each(["at once", "later"])("%s", (when) => {
    it.each(forgeries)("$name: refuses as failed, and never hands over", async ({ name, rule }) => {
      const thrown = captureThrown();
      const policy: UpgradeHandler = when === "at once" ? rule : async (upgrade) => rule(upgrade);
      const { port, handedOver, gate } = await gatedServer(policy);
      earlier = undefined;
      if (name.includes("another handshake")) await statusOf(port);
      handedOver.length = 0;
      expect(await refusalOf(port)).toMatchObject({
        status: 500,
        headers: { connection: "close" },
        body: expect.stringContaining("check_failed"),
      });
      expect(handedOver).toEqual([]);
      expect(gate.pending).toBe(0);
      expect(thrown).toEqual([]);
    });
  });

  it("a thenable that throws, or settles twice, is adopted as a promise is", async () => {
    const thrown = captureThrown();
    const odd = [
      {
        // biome-ignore lint/suspicious/noThenProperty: it is what is tested
        then: () => {
          throw new Error("no promise");
        },
      },
      {
        // biome-ignore lint/suspicious/noThenProperty: it is what is tested
        then: (resolve: (value: unknown) => void) => {
          resolve({ outcome: "refused", refusal: refuse("forbidden"), trail: [] });
          resolve(permitted());
        },
      },
    ];
    const { port } = await gatedServer(() => odd.shift() as never);
    expect(await statusOf(port)).toBe(500);
    expect(await statusOf(port)).toBe(403);
    expect(thrown).toEqual([]);
  });
});

describe("a handler that has written to the socket itself", () => {
  const answer = "HTTP/1.1 418 Teapot\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

  it("is not followed by a second answer when it then refuses", async () => {
    const { port } = await gatedServer(async ({ socket }) => {
      socket.write(answer);
      return { outcome: "refused", refusal: refuse("forbidden"), trail: [] };
    });
    const client = await dial(port);
    client.send(handshakeText());
    expect(await client.closed).toBe(answer);
  });

  it("is not followed by one when the time is over", async () => {
    const { port } = await gatedServer(
      ({ socket }) => {
        socket.write(answer);
        return new Promise(() => undefined);
      },
      { decisionTimeoutMs: 30 },
    );
    const client = await dial(port);
    client.send(handshakeText());
    expect(await client.closed).toBe(answer);
  });

  it("says so, and the socket is closed", async () => {
    const events: DecisionEvent[] = [];
    const { port } = await gatedServer(
      ({ socket }) => {
        socket.write(answer);
        return { outcome: "answered", status: 418, cause: undefined, trail: [] };
      },
      { onDecision: (event) => void events.push(event) },
    );
    const client = await dial(port);
    client.send(handshakeText());
    expect(await client.closed).toBe(answer);
    expect(events).toMatchObject([{ outcome: "answered", status: 418, code: undefined }]);
  });
});

describe("onDecision", () => {
  async function eventOf(
    sketch: Parameters<typeof statusOf>[1],
    check: AnyCheck = () => allow,
    options: object = {},
  ): Promise<DecisionEvent> {
    const events: DecisionEvent[] = [];
    const { port } = await gatedServer(guard(insecureAnyOrigin(), check), {
      onDecision: (event) => void events.push(event),
      ...options,
    });
    await statusOf(port, sketch);
    await expect.poll(() => events.length).toBe(1);
    return events[0] as DecisionEvent;
  }

  it("tells of an accepted handshake", async () => {
    const { elapsedMs, trail, ...event } = await eventOf({ target: "/chat?token=secret" });
    expect(event).toEqual({
      outcome: "accepted",
      transport: "websocket",
      path: "/chat",
      clientAddress: "127.0.0.1",
      subject: undefined,
      code: undefined,
      status: undefined,
      reason: undefined,
      reported: undefined,
      cause: undefined,
    });
    expect(elapsedMs).toBeGreaterThanOrEqual(0);
    expect(trail.at(-1)).toMatchObject({ outcome: "allow", depth: 0 });
  });

  it("tells of a refused one, with what the client is not told", async () => {
    const cause = new Error("connection string");
    const event = await eventOf({}, () =>
      refuse("forbidden", undefined, { reason: "not invited", cause }),
    );
    expect(event).toMatchObject({
      outcome: "refused",
      code: "forbidden",
      status: 403,
      reason: "not invited",
      cause,
    });
    expect(event.trail.at(-1)).toMatchObject({ outcome: "refuse", code: "forbidden" });
  });

  it("tells of one whose client left", async () => {
    const events: DecisionEvent[] = [];
    const { port, gate } = await gatedServer(
      guard(insecureAnyOrigin(), () => new Promise<never>(() => undefined)),
      {
        onDecision: (event) => void events.push(event),
      },
    );
    const client = await dial(port);
    client.send(handshakeText());
    await expect.poll(() => gate.pending).toBe(1);
    client.reset();
    await expect
      .poll(() => events)
      .toMatchObject([{ outcome: "abandoned", status: undefined, code: "client_gone" }]);
  });

  it("names the check that was waited for when the time was over", async () => {
    const slow = named("account", () => new Promise<never>(() => undefined));
    const event = await eventOf({}, slow, { decisionTimeoutMs: 20 });
    expect(event).toMatchObject({ outcome: "refused", code: "decision_timeout", status: 503 });
    expect(event.trail).toEqual([
      { check: "loopback host", outcome: "allow", depth: 0 },
      { check: "insecureAnyOrigin", outcome: "allow", depth: 0 },
      { check: "account", outcome: "refuse", depth: 0, code: "decision_timeout" },
    ]);
  });

  it("says what was wrong with a handshake that no check got to see", async () => {
    const event = await eventOf({ method: "POST" });
    expect(event.trail).toEqual([
      { check: "handshake", outcome: "refuse", depth: 0, code: "method_not_allowed" },
    ]);
  });

  it("comes with the handshake, by which to find what belongs to it elsewhere", async () => {
    const seen: unknown[] = [];
    const check = vi.fn((_: Handshake) => allow);
    const { port } = await gatedServer(guard(insecureAnyOrigin(), check), {
      onDecision: (_event, handshake) => void seen.push(handshake),
    });
    await statusOf(port);
    expect(seen).toEqual([check.mock.calls[0]?.[0]]);
  });

  it("tells what a guard in report mode would have refused", async () => {
    const events: DecisionEvent[] = [];
    const policy = guard({
      mode: "report",
      checks: [insecureAnyOrigin(), () => refuse("forbidden")],
    });
    const { port } = await gatedServer(policy, { onDecision: (event) => void events.push(event) });
    expect(await statusOf(port)).toBe(101);
    expect(events).toMatchObject([{ outcome: "accepted", reported: "forbidden" }]);
  });

  it("tells whose handshake it was", async () => {
    const identity = { subject: "ada", scheme: "test", claims: {}, expiresAt: undefined };
    const event = await eventOf({}, () => ({ ...allow, facts: { identity } }) as never);
    // Not made by allowWith: a failed check adds nothing.
    expect(event).toMatchObject({ subject: undefined, code: "check_failed" });
  });

  /** Node's parser lets no such request through; a server that is fed by hand might. */
  function eventOfTarget(target: string): DecisionEvent | undefined {
    const events: DecisionEvent[] = [];
    const server = createServer();
    server.on("upgrade", () => undefined);
    attach(server, guard(), { onDecision: (event) => void events.push(event) });
    const request = new IncomingMessage(new Socket());
    const rawHeaders = ["Upgrade", "websocket"];
    server.emit(
      "upgrade",
      Object.assign(request, { method: "GET", url: target, rawHeaders }),
      new PassThrough(),
      Buffer.alloc(0),
    );
    return events[0];
  }

  it.each([
    { name: "bytes", target: "/chat\u00e9\u0080", path: "/chat%C3%A9%C2%80" },
    { name: "controls of terminals", target: "/chat\u001b[31m\u009b", path: "/chat%1B[31m%C2%9B" },
    { name: "line breaks", target: "/chat\r\nrefused /admin", path: "/chat%0D%0Arefused%20/admin" },
    {
      name: "a foreign authority",
      target: "http://evil/chat?token=secret",
      path: "http://evil/chat",
    },
  ])("escapes the path: $name", ({ target, path }) => {
    expect(eventOfTarget(target)).toMatchObject({ outcome: "refused", path });
  });

  it.each([
    { name: "plain", target: `/${"x".repeat(5_000)}` },
    { name: "escaped", target: `/${"\u00e9".repeat(5_000)}` },
    { name: "escaped by three letters", target: `/x${"\u0001".repeat(5_000)}` },
  ])("shortens a long path to 200 characters: $name", ({ target }) => {
    const path = eventOfTarget(target)?.path ?? "";
    expect(path.length).toBeLessThanOrEqual(200);
    expect(path.length).toBeGreaterThan(190);
    expect(path).toMatch(/^\/x*(%[0-9A-F]{2})*$/);
  });

  it.each([
    {
      name: "throws",
      onDecision: () => {
        throw new Error("full disk");
      },
    },
    { name: "rejects nothing", onDecision: () => undefined },
  ])("may fail without harm: a recorder that $name", async ({ onDecision }) => {
    const thrown = captureThrown();
    const { port } = await gatedServer(chat, { onDecision });
    expect(await statusOf(port)).toBe(101);
    expect(await statusOf(port, { method: "POST" })).toBe(405);
    expect(thrown).toEqual([]);
  });

  it("may be an async function that rejects", async () => {
    const thrown = captureThrown();
    const { port } = await gatedServer(chat, {
      onDecision: async () => Promise.reject(new Error("full disk")),
    });
    expect(await statusOf(port)).toBe(101);
    await new Promise(setImmediate);
    expect(thrown).toEqual([]);
  });
});

describe("attach refuses at once", () => {
  const server = createServer();
  it.each([
    {
      name: "an app in place of its server",
      call: () => attach((() => undefined) as never, chat),
      says: "That is an app",
    },
    { name: "nothing", call: () => attach(undefined as never, chat), says: "is no server" },
    {
      name: "a plain object",
      call: () => attach({ emit: () => true } as never, chat),
      says: "is no server",
    },
    { name: "no policy", call: () => attach(server, undefined as never), says: "second argument" },
    {
      name: "a text as policy",
      call: () => attach(server, "/chat" as never),
      says: "second argument",
    },
    { name: "no routes", call: () => attach(server, {}), says: "no route" },
    {
      name: "a check as a route",
      call: () => attach(server, { "/chat": insecureAnyOrigin() as never }),
      says: "must be a guard",
    },
    {
      name: "a route without a slash",
      call: () => attach(server, { chat } as never),
      says: "is not a path",
    },
    {
      name: "a path parameter",
      call: () => attach(server, { "/chat/:room": chat }),
      says: "is not a path",
    },
    {
      name: "an unknown option",
      call: () => attach(server, chat, { timeout: 1 } as never),
      says: '"timeout"',
    },
    {
      name: "a deadline of 0",
      call: () => attach(server, chat, { decisionTimeoutMs: 0 }),
      says: "decisionTimeoutMs",
    },
    {
      name: "a deadline that timers cannot keep",
      call: () => attach(server, chat, { decisionTimeoutMs: 2 ** 31 }),
      says: "decisionTimeoutMs",
    },
    {
      name: "proxies that are everyone",
      call: () => attach(server, chat, { trustProxy: ["0.0.0.0/0"] }),
      says: "trustProxy",
    },
    {
      name: "denied peers that are no range",
      call: () => attach(server, chat, { denyPeers: ["127.1"] }),
      says: "127.1",
    },
  ])("$name", ({ call, says }) => {
    expect(thrownBy(call)).toMatch(/^ConfigError: attach|^ConfigError: trustProxy/);
    expect(thrownBy(call)).toContain(says);
    expect(Object.hasOwn(server, "emit")).toBe(false);
  });

  it("any net.Server will do that emits upgrades", () => {
    const gate = attach(createNetServer(), chat);
    expect(gate.pending).toBe(0);
  });
});

it("explains its policy in words", () => {
  const server = createServer();
  expect(attach(server, chat).explain().startsWith(chat.explain())).toBe(true);
  expect(attach(server, { "/a": chat, "/b/*": chat }).explain()).toContain(
    `/a\n${chat.explain()}\n\n/b/*\n${chat.explain()}`,
  );
  const limits = { maxMessageBytes: 1_000, messages: { limit: 5, windowMs: 1_000 } };
  expect(attach(server, chat, { limits }).explain()).toContain(
    "accepted connections: message bytes 1000, fragments 1024, messages 5 in 1 s",
  );
  expect(attach(server, () => permitted()).explain()).toContain("own stack");
  const lifetime = { maxAgeMs: 60_000, expiryGraceMs: 5_000 };
  expect(attach(server, chat, { lifetime }).explain()).toContain(
    "their lifetime: end 5 s after expiry, age 60 s, idle: no limit, ping after 30 s, answered in 20 s",
  );
});

it("whole paths come before prefixes and long prefixes before short ones, however they are written", async () => {
  const saying = (word: string) => guard(insecureAnyOrigin(), () => refuse("forbidden", word));
  const { port } = await gatedServer({
    "/*": saying("all"),
    "/a/*": saying("a"),
    "/a/b/*": saying("ab"),
    "/a/b": saying("whole"),
  });
  for (const [target, word] of [
    ["/x", "all"],
    ["/a/", "a"],
    ["/a/b", "whole"],
    ["/a/b/c", "ab"],
    ["/a/bc", "a"],
  ] as const) {
    expect(JSON.parse((await refusalOf(port, { target })).body).detail, target).toBe(word);
  }
});

it("answers stay whole when a refusal is used again and again", async () => {
  const { port } = await gatedServer(guard());
  for (const _ of [1, 2, 3]) {
    const client = await dial(port);
    client.send(handshakeText({ method: "PUT" }));
    expect(answerIn(await client.closed)).toMatchObject({ status: 405, headers: { allow: "GET" } });
  }
});
