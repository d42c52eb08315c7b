import { once } from "node:events";
import type { Server } from "node:http";
import {
  type AnyCheck,
  allowWith,
  attach,
  type Clock,
  type CloseEvent,
  closeKinds,
  connectionOf,
  type GateOptions,
  guard,
  type Identity,
  insecureAnyOrigin,
  type LifetimeOptions,
  lifetime,
} from "@firmshake/node";
import { describe, expect, it, onTestFinished } from "vitest";
import type { WebSocket } from "ws";
import { fakeClock } from "../corpus/fake-clock.ts";
import { gatedWs, openWebSocket } from "../support/server.ts";

const day = 86_400_000;

const known = (expiresAt: number | undefined): AnyCheck => {
  const identity: Identity = { subject: "ada", scheme: "bearer", claims: {}, expiresAt };
  return () => allowWith({ identity });
};

/** A gate that goes by a faked clock, with `ws` behind it. */
async function gatedAt(clock: Clock, checks: readonly AnyCheck[], options: GateOptions = {}) {
  const events: CloseEvent[] = [];
  let pongs = 0;
  const { port, gate, wss } = await gatedWs(guard(insecureAnyOrigin(), ...checks), {
    clock,
    onClose: (event) => events.push(event),
    ...options,
  });
  wss.on("connection", (socket) => socket.on("pong", () => pongs++));
  const open = (settings: object = {}): Promise<WebSocket> =>
    openWebSocket(`ws://127.0.0.1:${port}/chat`, [], settings);
  return { open, events, gate, wss, ponged: () => pongs };
}

/** The code and the reason that a client was closed with. */
async function closeOf(client: WebSocket): Promise<string> {
  const [code, reason] = (await once(client, "close")) as [number, Buffer];
  return `${code} ${reason}`;
}

/** That nothing was closed is seen by a message that goes there and back. */
async function isOpen(client: WebSocket): Promise<boolean> {
  client.send("?");
  const [data] = (await once(client, "message")) as [Buffer];
  return String(data) === "?";
}

const quiet: LifetimeOptions = { pingIntervalMs: 0 };

describe("expiry", () => {
  it("closes with the token, by a code that asks for a new one", async () => {
    const clock = fakeClock();
    const { open, events, gate } = await gatedAt(clock, [known(clock.now() + 10_000)]);
    const client = await open();
    clock.advance(9_999);
    expect(await isOpen(client)).toBe(true);
    const closed = closeOf(client);
    clock.advance(2);
    expect(await closed).toBe("3000 token_expired;retry=0");
    expect(events).toMatchObject([
      { code: "token_expired", closeCode: 3000, path: "/chat", subject: "ada", openMs: 10_000 },
    ]);
    expect(events[0]?.connection.closed).toEqual({
      code: "token_expired",
      closeCode: 3000,
      closeReason: "token_expired;retry=0",
    });
    await expect.poll(() => gate.connections.size).toBe(0);
    expect(clock.timers()).toBe(0);
  });

  it.each<[string, LifetimeOptions, number, string | undefined]>([
    ["later by the grace", { expiryGraceMs: 5_000 }, 14_999, undefined],
    ["at the end of the grace", { expiryGraceMs: 5_000 }, 15_001, "3000 token_expired;retry=0"],
    [
      "for good, where the guard says so",
      { expiryClose: "terminal" },
      10_001,
      "3000 token_expired",
    ],
    ["not at all, where that is written down", { insecureIgnoreExpiry: true }, day, undefined],
  ])("closes %s", async (_, options, afterMs, expected) => {
    const clock = fakeClock();
    const { open } = await gatedAt(clock, [
      known(clock.now() + 10_000),
      lifetime({ ...quiet, ...options }),
    ]);
    const client = await open();
    const closed = closeOf(client);
    clock.advance(afterMs);
    if (expected === undefined) expect(await isOpen(client)).toBe(true);
    else expect(await closed).toBe(expected);
  });

  it("is not early for tokens that live for years, and in time at the end", async () => {
    const clock = fakeClock();
    const { open } = await gatedAt(clock, [known(clock.now() + 400 * day), lifetime(quiet)]);
    const client = await open();
    for (let month = 0; month < 13; month++) clock.advance(30 * day);
    expect(await isOpen(client)).toBe(true);
    const closed = closeOf(client);
    clock.advance(10 * day + 1);
    expect(await closed).toBe("3000 token_expired;retry=0");
  });

  it("goes by the time of day where that is set: forward, within half a minute", async () => {
    const clock = fakeClock();
    const { open } = await gatedAt(clock, [known(clock.now() + 3_600_000), lifetime(quiet)]);
    const client = await open();
    const closed = closeOf(client);
    clock.setTimeOfDay(clock.now() + 3_600_000);
    clock.advance(30_001);
    expect(await closed).toBe("3000 token_expired;retry=0");
  });

  it("goes by the time of day where that is set: back", async () => {
    const clock = fakeClock();
    const { open } = await gatedAt(clock, [known(clock.now() + 60_000), lifetime(quiet)]);
    const client = await open();
    clock.setTimeOfDay(clock.now() - 60_000);
    clock.advance(119_000);
    expect(await isOpen(client)).toBe(true);
    const closed = closeOf(client);
    clock.advance(1_001);
    expect(await closed).toBe("3000 token_expired;retry=0");
  });

  it.each([
    [
      "throws",
      () => {
        throw new Error("planted");
      },
    ],
    ["rejects", () => Promise.reject(new Error("planted"))],
  ])("closes also where onClose %s", async (_, onClose) => {
    const clock = fakeClock();
    const { open, gate } = await gatedAt(clock, [known(clock.now() + 1_000)], { onClose });
    const closed = Promise.all([closeOf(await open()), closeOf(await open())]);
    clock.advance(1_001);
    expect(new Set(await closed)).toEqual(new Set(["3000 token_expired;retry=0"]));
    await expect.poll(() => gate.connections.size).toBe(0);
  });

  it("takes a time that is none for the past", async () => {
    const clock = fakeClock();
    const { open } = await gatedAt(clock, [known(Number.NaN), lifetime(quiet)]);
    const client = await open();
    const closed = closeOf(client);
    clock.advance(2);
    expect(await closed).toBe("3000 token_expired;retry=0");
  });
});

describe("age and silence", () => {
  it("ends what is older than it may be, a little before, by chance", async () => {
    const clock = fakeClock();
    const options = { ...quiet, maxAgeMs: 60_000, maxAgeJitter: 0.5 };
    const { open, events, gate } = await gatedAt(clock, [lifetime(options)]);
    const clients = await Promise.all(Array.from({ length: 20 }, () => open()));
    const closed = Promise.all(clients.map(closeOf));
    clock.advance(29_000);
    expect(events).toEqual([]);
    for (let second = 0; second < 32; second++) clock.advance(1_000);
    expect(new Set(await closed)).toEqual(new Set(["1001 max_age_reached"]));
    expect(new Set(events.map(({ openMs }) => Math.round(openMs / 1_000))).size).toBeGreaterThan(3);
    await expect.poll(() => gate.connections.size).toBe(0);
  });

  it("reaps a client that does not answer pings, and keeps one that does and says nothing", async () => {
    const clock = fakeClock();
    const { open, events, gate, ponged } = await gatedAt(clock, []);
    const lively = await open();
    const dead = await open({ autoPong: false });
    const pinged = Promise.all([lively, dead].map((client) => once(client, "ping")));
    clock.advance(30_000);
    await pinged;
    await expect.poll(ponged).toBe(1);
    clock.advance(19_999);
    expect(events).toEqual([]);
    clock.advance(1);
    expect(events.map(({ code }) => code)).toEqual(["ping_timeout"]);
    await expect.poll(() => gate.connections.size).toBe(1);
    expect(await isOpen(lively)).toBe(true);
  });

  it("sends no ping to a client that says something", async () => {
    const clock = fakeClock();
    const { open } = await gatedAt(clock, []);
    const client = await open();
    let pings = 0;
    client.on("ping", () => pings++);
    for (let turn = 0; turn < 5; turn++) {
      clock.advance(29_000);
      expect(await isOpen(client)).toBe(true);
    }
    expect(pings).toBe(0);
  });

  it("does not reap what the application has paused", async () => {
    const clock = fakeClock();
    const { open, events, wss } = await gatedAt(clock, []);
    await open();
    for (const socket of wss.clients) socket.pause();
    for (let turn = 0; turn < 10; turn++) clock.advance(25_000);
    expect(events).toEqual([]);
  });

  it("does not reap because the process itself was kept from listening", async () => {
    const clock = fakeClock();
    let isStalled = false;
    const slow = { ...clock, monotonic: () => clock.monotonic() + (isStalled ? 60_000 : 0) };
    const { open, events } = await gatedAt(slow, []);
    await open({ autoPong: false });
    clock.advance(30_000);
    isStalled = true;
    clock.advance(20_000);
    expect(events).toEqual([]);
    clock.advance(20_000);
    expect(events.map(({ code }) => code)).toEqual(["ping_timeout"]);
  });

  it("ends what sends no message, whatever else it sends, and keeps what does", async () => {
    const events: CloseEvent[] = [];
    const { port } = await gatedWs(guard(insecureAnyOrigin(), lifetime({ idleMs: 1_000 })), {
      onClose: (event) => events.push(event),
    });
    const [talking, pinging] = (await Promise.all(
      [0, 1].map(() => openWebSocket(`ws://127.0.0.1:${port}/chat`)),
    )) as [WebSocket, WebSocket];
    const talks = setInterval(() => talking.send("?"), 50);
    const pings = setInterval(() => pinging.ping(), 50);
    onTestFinished(() => [talks, pings].forEach(clearInterval));
    const closed = closeOf(pinging);
    expect(await closed).toBe("3008 idle_timeout");
    clearInterval(pings);
    expect(await isOpen(talking)).toBe(true);
    clearInterval(talks);
    expect(await closeOf(talking)).toBe("3008 idle_timeout");
    expect(events.map(({ openMs }) => openMs >= 990)).toEqual([true, true]);
  });

  it("of several guards the strictest counts, and 0 of one is no limit of another", async () => {
    const clock = fakeClock();
    const { open } = await gatedAt(
      clock,
      [lifetime({ maxAgeMs: 0 }), lifetime({ maxAgeMs: 60_000, maxAgeJitter: 0 }), lifetime(quiet)],
      { lifetime: { maxAgeMs: 1_000 } },
    );
    const client = await open();
    clock.advance(59_999);
    expect(await isOpen(client)).toBe(true);
    const closed = closeOf(client);
    clock.advance(2);
    expect(await closed).toBe("1001 max_age_reached");
  });

  it("of two gates, too, whichever is asked first", async () => {
    for (const [outer, inner] of [
      [10_000, 60_000],
      [60_000, 10_000],
    ] as const) {
      const clock = fakeClock();
      const aged = (maxAgeMs: number): AnyCheck =>
        lifetime({ ...quiet, maxAgeMs, maxAgeJitter: 0 });
      const { open, wss } = await gatedAt(clock, [aged(inner)]);
      const server = wss.options.server as Server;
      attach(server, guard(insecureAnyOrigin(), aged(outer)), { clock });
      const closed = closeOf(await open());
      clock.advance(10_000);
      expect(await closed).toBe("1001 max_age_reached");
    }
  });

  it("what the gate was told holds where no guard says anything", async () => {
    const clock = fakeClock();
    const { open } = await gatedAt(clock, [], { lifetime: { maxAgeMs: 1_000, maxAgeJitter: 0 } });
    const closed = closeOf(await open());
    clock.advance(1_001);
    expect(await closed).toBe("1001 max_age_reached");
  });

  it("a guard's word replaces the gate's", async () => {
    const clock = fakeClock();
    const { open } = await gatedAt(clock, [lifetime({ ...quiet, maxAgeMs: 0 })], {
      lifetime: { maxAgeMs: 1_000, maxAgeJitter: 0 },
    });
    const client = await open();
    clock.advance(day);
    expect(await isOpen(client)).toBe(true);
  });
});

describe("revalidation", () => {
  const asking = (by: NonNullable<LifetimeOptions["revalidate"]>["by"], more: object = {}) =>
    lifetime({ ...quiet, revalidate: { everyMs: 10_000, jitter: 0, by, ...more } });

  it("asks at each turn, and closes who is not allowed any more", async () => {
    const clock = fakeClock();
    const asked: string[] = [];
    let isAllowed: unknown = true;
    const { open } = await gatedAt(clock, [
      known(undefined),
      asking(async ({ identity }) => {
        asked.push(String(identity?.subject));
        return isAllowed as boolean;
      }),
    ]);
    const client = await open();
    const closed = closeOf(client);
    clock.advance(10_001);
    await expect.poll(() => asked.length).toBe(1);
    expect(await isOpen(client)).toBe(true);
    isAllowed = "yes";
    clock.advance(10_001);
    expect(await closed).toBe("3003 access_withdrawn");
    expect(asked).toEqual(["ada", "ada"]);
  });

  it.each([
    ["closes", undefined, "1013 revalidation_failed;retry=5"],
    ["keeps, where that is written down,", "keep", undefined],
  ] as const)("%s a connection that cannot be asked about", async (_, onFailure, expected) => {
    const clock = fakeClock();
    let asked = 0;
    const { open } = await gatedAt(clock, [
      asking(
        () => {
          asked++;
          return asked === 1 ? Promise.reject(new Error("out of reach")) : true;
        },
        onFailure === undefined ? {} : { onFailure },
      ),
    ]);
    const client = await open();
    const closed = closeOf(client);
    clock.advance(10_001);
    if (expected !== undefined) expect(await closed).toBe(expected);
    else {
      expect(await isOpen(client)).toBe(true);
      expect(asked).toBe(1);
    }
  });

  it("takes an answer that does not come for a failure, and ends the question", async () => {
    const clock = fakeClock();
    const signals: AbortSignal[] = [];
    const { open } = await gatedAt(clock, [
      asking((_, signal) => {
        signals.push(signal);
        return new Promise(() => undefined);
      }),
    ]);
    const closed = closeOf(await open());
    clock.advance(10_001);
    await expect.poll(() => signals.length).toBe(1);
    clock.advance(5_001);
    expect(await closed).toBe("1013 revalidation_failed;retry=5");
    expect(signals[0]?.reason).toMatchObject({ name: "TimeoutError" });
  });

  it("ends the question where the client leaves, and asks so many at a time and no more", async () => {
    const clock = fakeClock();
    const signals: AbortSignal[] = [];
    const { open, gate } = await gatedAt(clock, [
      asking(
        (_, signal) => {
          signals.push(signal);
          return new Promise((resolve) => {
            signal.addEventListener("abort", () => resolve(true));
          });
        },
        { maxConcurrent: 2 },
      ),
    ]);
    const clients = await Promise.all([open(), open(), open(), open()]);
    onTestFinished(() => clients.forEach((client) => void client.terminate()));
    clock.advance(10_001);
    await expect.poll(() => signals.length).toBe(2);
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, false]);
    for (const client of clients) client.terminate();
    await expect.poll(() => gate.connections.size).toBe(0);
    expect(signals.every(({ aborted }) => aborted)).toBe(true);
    // Those that waited had left by then, or were asked about and had.
    expect(signals.length).toBeLessThanOrEqual(4);
  });
});

describe("the connection that applications see", () => {
  it("has tags, an id, and can be closed once", async () => {
    const { port, wss, gate } = await gatedWs(guard(insecureAnyOrigin()));
    const found = new Promise<ReturnType<typeof connectionOf>>((resolve) => {
      wss.on("connection", (_socket, request) => resolve(connectionOf(request)));
    });
    const client = await openWebSocket(`ws://127.0.0.1:${port}/chat`);
    const connection = await found;
    const closed = closeOf(client);
    connection.tags.add("room:7");
    expect(connection.id).toMatch(/^[\w-]{22}$/);
    expect(connection.id).toBe(connection.id);
    expect(connection.clientAddress).toBe("127.0.0.1");
    expect([...gate.connections]).toEqual([connection]);
    expect(connection.closed).toBeUndefined();
    expect(connection.close(4001, "bye")).toBe(true);
    expect(connection.close()).toBe(false);
    expect(await closed).toBe("4001 bye");
    expect(connection.closed).toEqual({ code: undefined, closeCode: 4001, closeReason: "bye" });
  });

  it("refuses codes that may not be sent", async () => {
    const { port, gate } = await gatedWs(guard(insecureAnyOrigin()));
    await openWebSocket(`ws://127.0.0.1:${port}/chat`);
    const [connection] = gate.connections;
    for (const code of [0, 999, 1005, 1006, 1015, 2000, 5000, 3000.5]) {
      expect(() => connection?.close(code), String(code)).toThrow("ERR_FIRMSHAKE_OPTION_INVALID");
    }
    expect(() => connection?.close(4000, "ä".repeat(62))).toThrow("123 bytes");
    expect(connection?.closed).toBeUndefined();
  });
});

it("every close code says of itself what its band says, or has the reason say it", () => {
  const retryableCodes = [1001, 1012, 1013, 1014, 3008];
  const others = Object.entries(closeKinds).filter(
    ([, { closeCode, retryable }]) => retryable !== retryableCodes.includes(closeCode),
  );
  expect(others.map(([code]) => code)).toEqual(["token_expired"]);
});
