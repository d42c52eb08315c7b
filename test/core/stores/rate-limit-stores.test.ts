import {
  expressRateLimitStore,
  type MemoryRateLimitStoreOptions,
  memoryRateLimitStore,
  type RateLimitResult,
  type RateLimitStore,
  rateLimiterFlexibleStore,
} from "@firmshake/core";
import { MemoryStore } from "express-rate-limit";
import fc from "fast-check";
import { RateLimiterMemory, RateLimiterRes } from "rate-limiter-flexible";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { takeUnits } from "../../../packages/core/src/stores/gcra.ts";
import { thrownBy } from "../../support/handshakes.ts";

const rule = { limit: 2, windowMs: 1_000 };

function memory(options: MemoryRateLimitStoreOptions = {}): {
  readonly clock: { now: number };
  readonly take: (key: string, limit?: number) => RateLimitResult;
} {
  const clock = { now: 0 };
  const store = memoryRateLimitStore({ now: () => clock.now, ...options });
  const take = (key: string, limit = 2): RateLimitResult =>
    store.take(key, { limit, windowMs: 1_000 }) as RateLimitResult;
  return { clock, take };
}

describe("the generic cell rate algorithm", () => {
  it("counts down, and says when one more and when all are back", () => {
    const { clock, take } = memory();
    expect(take("a")).toEqual({
      isAllowed: true,
      remaining: 1,
      retryAfterMs: 0,
      resetAfterMs: 500,
      fullAt: 500,
    });
    expect(take("a")).toMatchObject({
      isAllowed: true,
      remaining: 0,
      retryAfterMs: 500,
      resetAfterMs: 1_000,
    });
    expect(take("a")).toMatchObject({
      isAllowed: false,
      remaining: 0,
      retryAfterMs: 500,
      resetAfterMs: 1_000,
    });
    clock.now = 400;
    expect(take("a")).toMatchObject({ isAllowed: false, retryAfterMs: 100, resetAfterMs: 600 });
  });

  /** Tokens as exact fractions: counted in 1/windowMs of one, so that each millisecond brings `limit` of them. */
  function slowBucket(
    limit: number,
    windowMs: number,
  ): (now: number) => { isAllowed: boolean; whole: number } {
    const [one, most] = [BigInt(windowMs), BigInt(limit) * BigInt(windowMs)];
    let parts = most;
    let at = 0n;
    return (time) => {
      const now = BigInt(time);
      parts += (now - at) * BigInt(limit);
      if (parts > most) parts = most;
      at = now;
      const isAllowed = parts >= one;
      if (isAllowed) parts -= one;
      return { isAllowed, whole: Number(parts / one) };
    };
  }

  const rules = fc.record({
    limit: fc.integer({ min: 1, max: 50 }),
    windowMs: fc.integer({ min: 1, max: 5_000 }),
  });

  // In windows this short no fraction comes within a thousandth of a whole, where rounding is forgiven.
  const exactRules = fc.record({
    limit: fc.integer({ min: 1, max: 50 }),
    windowMs: fc.integer({ min: 1, max: 999 }),
  });

  it("never allows more than a bucket in any time, but for a thousandth of one", () => {
    fc.assert(
      fc.property(
        rules,
        fc.array(fc.nat(300), { maxLength: 80 }),
        fc.nat(86_400_000),
        (given, steps, start) => {
          let now = start;
          let fullAt = 0;
          let allowed = 0;
          for (const step of steps) {
            now += step;
            const result = takeUnits(fullAt, now, given);
            fullAt = result.fullAt;
            if (result.isAllowed) allowed++;
            expect(allowed).toBeLessThanOrEqual(
              given.limit + ((now - start) * given.limit) / given.windowMs + 0.002,
            );
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it("agrees with a token bucket in exact fractions", () => {
    fc.assert(
      fc.property(
        exactRules,
        fc.array(fc.nat(300), { maxLength: 80 }),
        fc.constantFrom(0, 1, 86_400_000),
        (given, steps, start) => {
          const bucket = slowBucket(given.limit, given.windowMs);
          let now = start;
          let fullAt = 0;
          for (const step of steps) {
            now += step;
            const slow = bucket(now);
            const result = takeUnits(fullAt, now, given);
            fullAt = result.fullAt;
            expect(result.isAllowed).toBe(slow.isAllowed);
            expect(result.remaining).toBe(slow.whole);
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it("allows whoever waits as long as it was told, and nobody sooner", () => {
    fc.assert(
      fc.property(
        rules,
        fc.array(fc.nat(200), { maxLength: 60 }),
        fc.nat(1_000_000),
        (given, steps, start) => {
          let now = start / 7;
          let fullAt = 0;
          const interval = given.windowMs / given.limit;
          for (const step of steps) {
            now += step;
            const result = takeUnits(fullAt, now, given);
            fullAt = result.fullAt;
            if (result.retryAfterMs === 0) continue;
            expect(takeUnits(fullAt, now + result.retryAfterMs, given).isAllowed).toBe(true);
            expect(
              takeUnits(fullAt, now + result.retryAfterMs - interval / 100, given).isAllowed,
            ).toBe(false);
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it("is monotone: who is allowed now is allowed later, with no less left", () => {
    fc.assert(
      fc.property(
        rules,
        fc.nat(10_000),
        fc.nat(10_000),
        fc.nat(10_000),
        (given, fullAt, now, wait) => {
          const earlier = takeUnits(fullAt, now, given);
          const later = takeUnits(fullAt, now + wait, given);
          if (earlier.isAllowed) expect(later.isAllowed).toBe(true);
          expect(later.remaining).toBeGreaterThanOrEqual(earlier.remaining);
          expect(earlier.remaining).toBeLessThan(given.limit);
          expect(
            Math.min(earlier.retryAfterMs, earlier.resetAfterMs, later.retryAfterMs),
          ).toBeGreaterThanOrEqual(0);
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it("moves nothing for what it refuses", () => {
    const first = takeUnits(0, 0, { limit: 1, windowMs: 100 });
    const second = takeUnits(first.fullAt, 50, { limit: 1, windowMs: 100 });
    expect([second.isAllowed, second.fullAt]).toEqual([false, first.fullAt]);
  });
});

describe("a store that is asked and not taken from", () => {
  it("in memory answers what taking would, and takes nothing", () => {
    const clock = { now: 0 };
    const { take, peek = take } = memoryRateLimitStore({ now: () => clock.now });
    expect(peek("a", rule)).toMatchObject({ isAllowed: true, remaining: 1 });
    for (const remaining of [1, 0]) {
      expect(peek("a", rule)).toMatchObject({ isAllowed: true, remaining });
      expect(peek("a", rule)).toEqual(take("a", rule));
    }
    expect(peek("a", rule)).toMatchObject({ isAllowed: false, retryAfterMs: 500 });
    clock.now = 500;
    expect(peek("a", rule)).toMatchObject({ isAllowed: true, remaining: 0 });
  });

  it("in memory remembers what it has refused before what it has not", () => {
    const { take, peek = take } = memoryRateLimitStore({ maxKeys: 2, now: () => 0 });
    for (const _ of [1, 2]) take("a", rule);
    peek("a", rule);
    for (const fresh of ["b", "c", "d"]) take(fresh, rule);
    expect(peek("a", rule)).toMatchObject({ isAllowed: false });
  });

  it("by rate-limiter-flexible does the same", async () => {
    const limiter = new RateLimiterMemory({ points: 2, duration: 60 });
    const { take, peek = take } = rateLimiterFlexibleStore(limiter);
    const asked = async () => (await peek("a", rule)).isAllowed;
    expect(await peek("a", rule)).toMatchObject({ isAllowed: true, remaining: 2 });
    await take("a", rule);
    expect([await asked(), await asked()]).toEqual([true, true]);
    await take("a", rule);
    expect(await asked()).toBe(false);
    await expect(peek("a", rule)).resolves.toMatchObject({ retryAfterMs: expect.any(Number) });
  });
});

describe("the store in memory", () => {
  it("counts by the runtime's own clock where none is given", () => {
    const store = memoryRateLimitStore();
    const answers = [1, 2, 3].map(
      () => (store.take("a", { limit: 2, windowMs: 3_600_000 }) as RateLimitResult).isAllowed,
    );
    expect(answers).toEqual([true, true, false]);
    expect(store.summary).toBe("in memory, at most 100000 keys");
  });

  it("forgets first whose allowance was touched longest ago", () => {
    const { take } = memory({ maxKeys: 2 });
    for (const key of ["a", "b", "a", "c"]) take(key, 3);
    // b had to go, a had not.
    expect(take("a", 3).remaining).toBe(0);
    expect(take("b", 3).remaining).toBe(2);
  });

  it("keeps a blocked key through a flood of fresh ones", () => {
    const { take } = memory({ maxKeys: 10 });
    for (let count = 0; count < 3; count++) take("blocked");
    for (let count = 0; count < 1_000; count++) expect(take(`fresh ${count}`).isAllowed).toBe(true);
    expect(take("blocked").isAllowed).toBe(false);
  });

  it("keeps a blocked key until its whole allowance is back, though it was let through again", () => {
    const { take, clock } = memory({ maxKeys: 2 });
    for (let count = 0; count < 3; count++) take("blocked");
    clock.now = 500;
    expect(take("blocked").isAllowed).toBe(true);
    for (const key of ["a", "b", "c"]) take(key);
    expect(take("blocked").isAllowed).toBe(false);
  });

  it("lets go of a blocked key when its allowance is back", () => {
    const { take, clock } = memory({ maxKeys: 1 });
    for (let count = 0; count < 3; count++) take("blocked");
    expect(take("fresh")).toEqual({
      isAllowed: false,
      remaining: 0,
      retryAfterMs: 1_000,
      resetAfterMs: 1_000,
    });
    clock.now = 1_000;
    expect(take("fresh").isAllowed).toBe(true);
    expect(take("fresh").remaining).toBe(0);
  });

  it("counts a key that was blocked long ago as an open one", () => {
    const { take, clock } = memory({ maxKeys: 2 });
    for (let count = 0; count < 3; count++) take("a");
    clock.now = 1_001;
    take("a");
    // Open again, so a flood makes it go.
    for (const key of ["b", "c"]) take(key);
    expect(take("a").remaining).toBe(1);
  });

  it("refuses fresh keys where nothing but blocked ones is left", () => {
    const { take } = memory({ maxKeys: 3 });
    for (const key of ["a", "b", "c"]) for (let count = 0; count < 3; count++) take(key);
    expect(take("fresh").isAllowed).toBe(false);
    expect(take("a").isAllowed).toBe(false);
  });

  it("stays within bounds of bytes as well", () => {
    // Room for two keys of four letters: 2 * (96 + 8).
    const { take } = memory({ maxBytes: 208 });
    for (const key of ["aaaa", "bbbb", "cccc"]) take(key);
    expect([take("cccc").remaining, take("bbbb").remaining, take("aaaa").remaining]).toEqual([
      0, 0, 1,
    ]);
    expect(take("a".repeat(60)).isAllowed).toBe(false);
  });

  it("never holds more keys than it may, whatever comes", () => {
    const step = fc.tuple(fc.nat(30), fc.nat(400));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const sizes: number[] = [];
        const counted = vi.spyOn(Map.prototype, "set");
        try {
          const { take, clock } = memory({ maxKeys: 8 });
          const maps = new Set<Map<unknown, unknown>>();
          for (const [key, wait] of steps) {
            clock.now += wait;
            take(`key ${key}`);
            for (const map of counted.mock.contexts) maps.add(map as Map<unknown, unknown>);
            sizes.push([...maps].reduce((sum, map) => sum + map.size, 0));
            counted.mockClear();
          }
        } finally {
          counted.mockRestore();
        }
        expect(Math.max(0, ...sizes)).toBeLessThanOrEqual(8);
      }),
      { numRuns: 50 },
    );
  });

  it.each<[object, string]>([
    [{ maxKeys: 0 }, '"maxKeys" must be a whole number above 0'],
    [{ maxBytes: 1.5 }, '"maxBytes" must be a whole number above 0'],
    [{ now: 1 }, '"now" must be a function'],
    [{ maxkeys: 1 }, 'Did you mean "maxKeys"?'],
  ])("does not take %j", (options, fix) => {
    expect(thrownBy(() => memoryRateLimitStore(options as MemoryRateLimitStoreOptions))).toContain(
      fix,
    );
  });
});

describe("with fake time", () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: 0 });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const taken = async (
    store: RateLimitStore,
    count: number,
  ): Promise<readonly RateLimitResult[]> => {
    const results: RateLimitResult[] = [];
    for (let done = 0; done < count; done++) results.push(await store.take("a", rule));
    return results;
  };

  it("rate-limiter-flexible counts", async () => {
    const store = rateLimiterFlexibleStore(new RateLimiterMemory({ points: 2, duration: 1 }));
    const results = await taken(store, 3);
    expect(results.map(({ isAllowed, remaining }) => [isAllowed, remaining])).toEqual([
      [true, 1],
      [true, 0],
      [false, 0],
    ]);
    expect(results.map(({ retryAfterMs }) => retryAfterMs)).toEqual([0, 1_000, 1_000]);
    await vi.advanceTimersByTimeAsync(1_001);
    expect(await store.take("a", rule)).toMatchObject({ isAllowed: true, remaining: 1 });
    expect(store.summary).toBe("by rate-limiter-flexible");
  });

  it("express-rate-limit's own store counts, told the window of the check", async () => {
    const own = new MemoryStore();
    const store = expressRateLimitStore(own);
    const results = await taken(store, 3);
    expect(results).toEqual([
      { isAllowed: true, remaining: 1, retryAfterMs: 0, resetAfterMs: 1_000 },
      { isAllowed: true, remaining: 0, retryAfterMs: 1_000, resetAfterMs: 1_000 },
      { isAllowed: false, remaining: 0, retryAfterMs: 1_000, resetAfterMs: 1_000 },
    ]);
    await vi.advanceTimersByTimeAsync(1_001);
    expect(await store.take("a", rule)).toMatchObject({ isAllowed: true });
    own.shutdown();
  });
});

describe("a bridge to another store", () => {
  it("tells it the window once", async () => {
    const init = vi.fn();
    const increment = vi.fn(() => ({ totalHits: 1, resetTime: undefined }));
    const store = expressRateLimitStore({ init, increment });
    expect(await store.take("a", rule)).toEqual({
      isAllowed: true,
      remaining: 1,
      retryAfterMs: 0,
      resetAfterMs: 1_000,
    });
    await store.take("b", rule);
    expect(init.mock.calls).toEqual([[rule]]);
    expect(increment.mock.calls).toEqual([["a"], ["b"]]);
  });

  it("does without init where the store has none, and minds no time that has passed", async () => {
    const store = expressRateLimitStore({
      increment: async () => ({ totalHits: 3, resetTime: new Date(0) }),
    });
    expect(await store.take("a", rule)).toEqual({
      isAllowed: false,
      remaining: 0,
      retryAfterMs: 0,
      resetAfterMs: 0,
    });
  });

  it("hands on what express-rate-limit's store throws", async () => {
    const store = expressRateLimitStore({ increment: () => Promise.reject(new Error("down")) });
    await expect(store.take("a", rule)).rejects.toThrow("down");
  });

  it.each<[string, unknown]>([
    ["an error", new Error("down")],
    [
      "an error that looks like a result",
      Object.assign(new Error("down"), { msBeforeNext: 1, remainingPoints: 0 }),
    ],
    ["nothing", undefined],
    ["something else", { message: "down" }],
  ])("hands on %s that rate-limiter-flexible rejects with", async (_, rejected) => {
    const limiter = { points: 1, duration: 1, consume: () => Promise.reject(rejected) };
    await expect(rateLimiterFlexibleStore(limiter).take("a", rule)).rejects.toBe(rejected);
  });

  it("takes a rejected result for a refusal", async () => {
    const limiter = {
      points: 1,
      duration: 1,
      consume: () => Promise.reject(new RateLimiterRes(0, 250, 2, false)),
    };
    expect(await rateLimiterFlexibleStore(limiter).take("a", rule)).toEqual({
      isAllowed: false,
      remaining: 0,
      retryAfterMs: 250,
      resetAfterMs: 250,
    });
  });
});
