import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { makeLedger } from "../../packages/node/src/violations/ledger.ts";

describe("points", () => {
  it("are halved with each half-life", () => {
    const ledger = makeLedger(10, 1_000);
    ledger.add("ann", 8, 0);
    expect(ledger.pointsOf("ann", 0)).toBe(8);
    expect(ledger.pointsOf("ann", 1_000)).toBe(4);
    expect(ledger.pointsOf("ann", 3_000)).toBe(1);
  });

  it("add up to what is left of those before", () => {
    const ledger = makeLedger(10, 1_000);
    ledger.add("ann", 8, 0);
    expect(ledger.add("ann", 2, 1_000)).toBe(6);
  });

  it("are each one's own", () => {
    const ledger = makeLedger(10, 1_000);
    ledger.add("ann", 8, 0);
    expect(ledger.pointsOf("bob", 0)).toBe(0);
  });

  it("do not grow by a clock that goes back", () => {
    const ledger = makeLedger(10, 1_000);
    ledger.add("ann", 8, 5_000);
    expect(ledger.pointsOf("ann", 0)).toBe(8);
  });
});

describe("a full ledger", () => {
  it("forgets who was touched longest ago", () => {
    const ledger = makeLedger(2, 1_000_000);
    for (const [time, name] of ["ann", "bob", "cy"].entries()) ledger.add(name, 5, time);
    expect(ledger.pointsOf("ann", 3)).toBe(0);
    expect(ledger.pointsOf("bob", 3)).toBeGreaterThan(4);
    expect(ledger.pointsOf("cy", 3)).toBeGreaterThan(4);
  });

  it("keeps bans, whoever floods it", () => {
    const ledger = makeLedger(3, 1_000_000);
    ledger.ban("mallory", 1_000, 0);
    for (let count = 0; count < 100; count++) ledger.add(`fresh ${count}`, 5, 1);
    expect(ledger.bannedUntil("mallory")).toBe(1_000);
    expect(ledger.size).toBe(3);
  });

  it("writes nothing more down where nothing but bans is left, and does so again when they are over", () => {
    const ledger = makeLedger(2, 1_000);
    ledger.ban("mallory", 1_000, 0);
    ledger.ban("mel", 1_000, 0);
    expect(ledger.add("ann", 5, 1)).toBe(5);
    expect(ledger.pointsOf("ann", 1)).toBe(0);
    ledger.add("ann", 5, 2_000);
    expect(ledger.pointsOf("ann", 2_000)).toBe(5);
  });
});

it("agrees with a slow reckoning, and stays within its bounds, whatever happens", () => {
  const keys = fc.constantFrom("ann", "bob", "cy");
  const step = fc.record({
    after: fc.integer({ min: 0, max: 500 }),
    key: keys,
    points: fc.integer({ min: 1, max: 20 }),
    isBan: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const ledger = makeLedger(100, 300);
      const said: { key: string; points: number; at: number }[] = [];
      const bans = new Map<string, number>();
      let time = 0;
      for (const { after, key, points, isBan } of steps) {
        time += after;
        if (isBan) {
          ledger.ban(key, time + 700, time);
          bans.set(key, time + 700);
        } else {
          ledger.add(key, points, time);
          said.push({ key, points, at: time });
        }
        expect(ledger.size).toBeLessThanOrEqual(3);
        for (const one of ["ann", "bob", "cy"]) {
          const sum = said
            .filter((entry) => entry.key === one)
            .reduce((total, entry) => total + entry.points * 2 ** (-(time - entry.at) / 300), 0);
          // What is less than half a point may have been forgotten, and has halved at least once before that can happen again.
          expect(Math.abs(ledger.pointsOf(one, time) - sum)).toBeLessThanOrEqual(1 + 1e-9);
          expect(ledger.bannedUntil(one) > time).toBe((bans.get(one) ?? 0) > time);
        }
      }
    }),
  );
});
