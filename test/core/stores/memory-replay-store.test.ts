import { memoryReplayStore } from "@firmshake/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { thrownBy } from "../../support/handshakes.ts";

describe("memoryReplayStore", () => {
  it("answers true once for each id, until its time is over", () => {
    let time = 0;
    const store = memoryReplayStore({ now: () => time });
    expect(store.claim("a", 10)).toBe(true);
    expect(store.claim("a", 10)).toBe(false);
    expect(store.claim("b", 10)).toBe(true);
    time = 9;
    expect(store.claim("a", 10)).toBe(false);
    time = 10;
    expect(store.claim("a", 10)).toBe(true);
  });

  it("does not take a claim that was refused for a new one", () => {
    let time = 0;
    const store = memoryReplayStore({ now: () => time });
    store.claim("a", 10);
    time = 5;
    store.claim("a", 10);
    time = 11;
    expect(store.claim("a", 10)).toBe(true);
  });

  it("throws when it is full, and forgets nothing", () => {
    let time = 0;
    const store = memoryReplayStore({ maxIds: 2, now: () => time });
    store.claim("a", 10);
    store.claim("b", 10);
    expect(thrownBy(() => store.claim("c", 10))).toBe("Error: The replay store is full.");
    expect([store.claim("a", 10), store.claim("b", 10)]).toEqual([false, false]);
    time = 10;
    expect(store.claim("c", 10)).toBe(true);
  });

  it("agrees with one that forgets nothing before its time, whatever the times are", () => {
    const step = fc.record({
      id: fc.constantFrom("a", "b", "c", "d", "e", "f"),
      ttlMs: fc.integer({ min: 1, max: 20 }),
      elapsed: fc.integer({ min: 0, max: 6 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        let time = 0;
        const store = memoryReplayStore({ maxIds: 6, now: () => time });
        const ends = new Map<string, number>();
        for (const { id, ttlMs, elapsed } of steps) {
          time += elapsed;
          const isFresh = (ends.get(id) ?? 0) <= time;
          if (isFresh) ends.set(id, time + ttlMs);
          expect(store.claim(id, ttlMs)).toBe(isFresh);
        }
      }),
    );
  });

  it("refuses options that are not as described", () => {
    expect(thrownBy(() => memoryReplayStore({ maxIds: 0 }))).toContain(
      'memoryReplayStore: "maxIds" must be a whole number above 0',
    );
  });
});
