import {
  type MemoryTicketStoreOptions,
  memoryTicketStore,
  type StoredTicket,
  type TicketStore,
  tickets,
} from "@firmshake/core";
import { createClient } from "redis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { handshakeOf, thrownBy, wordOf } from "../../support/handshakes.ts";
import { type RedisServer, redisServerPath, startRedisServer } from "../../support/redis-server.ts";
import { requirement } from "../../support/requirement.ts";

function memory(options: MemoryTicketStoreOptions = {}): {
  readonly clock: { now: number };
  readonly put: (key: string, over?: Partial<StoredTicket>) => unknown;
  readonly take: (key: string) => unknown;
} {
  const clock = { now: 0 };
  const store = memoryTicketStore({ now: () => clock.now, ...options });
  return {
    clock,
    put: (key, over) =>
      store.put(key, { subject: key, record: `of ${key}`, expiresAt: 100, ...over }),
    take: (key) => store.take(key),
  };
}

describe("tickets in memory", () => {
  it("are given out once", () => {
    const { put, take } = memory();
    expect(put("a")).toBe(true);
    expect([take("a"), take("a"), take("b")]).toEqual(["of a", undefined, undefined]);
  });

  it("are no more than maxTickets; then none is taken in, and those that wait stay", () => {
    const { put, take } = memory({ maxTickets: 2 });
    expect([put("a"), put("b"), put("c")]).toEqual([true, true, false]);
    expect([take("c"), take("a"), put("c"), take("b")]).toEqual([undefined, "of a", true, "of b"]);
  });

  it("take no more than maxBytes", () => {
    const { put, take } = memory({ maxBytes: 1_000 });
    expect(put("a", { record: "x".repeat(500) })).toBe(false);
    expect([put("a"), put("b"), put("c")]).toEqual([true, true, false]);
    take("a");
    expect(put("c")).toBe(true);
  });

  it("make room for the same subject's own by dropping its oldest", () => {
    const { put, take } = memory({ maxTicketsPerSubject: 2 });
    for (const key of ["a", "b", "c"]) expect(put(key, { subject: "ada" })).toBe(true);
    put("d", { subject: "grace" });
    expect(["a", "b", "c", "d"].map(take)).toEqual([undefined, "of b", "of c", "of d"]);
  });

  it("do not let one subject fill the store", () => {
    const { put } = memory({ maxTickets: 5, maxTicketsPerSubject: 3 });
    for (let count = 0; count < 100; count++) put(`a${count}`, { subject: "ada" });
    expect([put("b"), put("c"), put("d")]).toEqual([true, true, false]);
  });

  it("make room when they have ended", () => {
    const { put, take, clock } = memory({ maxTickets: 2 });
    put("a");
    put("b", { expiresAt: 150 });
    clock.now = 99;
    expect(put("c")).toBe(false);
    clock.now = 100;
    expect([put("c"), take("a"), take("b")]).toEqual([true, undefined, "of b"]);
  });

  it.each<[object]>([
    [{ maxTickets: 0 }],
    [{ maxTicketsPerSubject: 0 }],
    [{ maxBytes: 0 }],
    [{ now: 0 }],
  ])("are not kept with %j", (options) => {
    expect(thrownBy(() => memoryTicketStore(options))).toContain("ERR_FIRMSHAKE_OPTION_INVALID");
  });

  it("go by the clock of the machine unless told otherwise", async () => {
    const entry = tickets();
    const before = Date.now();
    const { ticket, expiresAt } = await entry.issue({ subject: "ada", path: "/chat" });
    expect(expiresAt).toBeGreaterThanOrEqual(before + 30_000);
    const headers = { origin: undefined };
    expect(wordOf(await entry(handshakeOf({ target: `/chat?ticket=${ticket}`, headers })))).toBe(
      "allow",
    );
  });
});

type RedisClient = ReturnType<typeof createClient>;
const redisServer = requirement("redis-server", redisServerPath);

describe.skipIf(redisServer.isMissing)("tickets in Redis", () => {
  let redis: RedisServer;
  const clients: RedisClient[] = [];

  beforeAll(async () => {
    redis = await startRedisServer();
    for (let count = 0; count < 2; count++) {
      const client: RedisClient = createClient({ url: redis.url });
      client.on("error", () => undefined);
      clients.push(client);
      await client.connect();
    }
  });
  afterAll(async () => {
    for (const client of clients) client.destroy();
    await redis?.stop();
  });

  const storeOf = (client: RedisClient): TicketStore => ({
    put: async (key, { record, expiresAt }) =>
      (await client.set(`ticket:${key}`, record, {
        expiration: { type: "PXAT", value: expiresAt },
      })) === "OK",
    take: (key) => client.getDel(`ticket:${key}`),
  });

  it("are issued by one process, and won by one of many handshakes at two others", async () => {
    const [first, second] = clients.map((client) => tickets({ store: storeOf(client) }));
    if (first === undefined || second === undefined) throw new Error("two clients");
    const { ticket } = await first.issue({ subject: "ada", path: "/chat" });
    const [client] = clients;
    expect(await client?.keys("*")).not.toContain(`ticket:${ticket}`);
    const shake = async (entry: typeof first): Promise<string> =>
      wordOf(
        await entry(
          handshakeOf({ target: `/chat?ticket=${ticket}`, headers: { origin: undefined } }),
        ),
      );
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, at) => shake(at % 2 === 0 ? first : second)),
    );
    expect(answers.filter((answer) => answer === "allow")).toHaveLength(1);
    expect(await client?.keys("*")).toEqual([]);
  });

  it("end there by themselves", async () => {
    const [client] = clients;
    if (client === undefined) throw new Error("a client");
    await tickets({ store: storeOf(client) }).issue({ subject: "ada", path: "/chat" });
    const [key = ""] = await client.keys("ticket:*");
    expect(await client.pTTL(key)).toBeGreaterThan(0);
    expect(await client.pTTL(key)).toBeLessThanOrEqual(30_000);
  });
});
