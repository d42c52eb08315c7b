import { aFunction, aPositiveInteger, readOptions } from "../config/options.ts";
import { takeUnits } from "./gcra.ts";
import type { RateLimitResult, RateLimitRule, RateLimitStore } from "./rate-limit-store.ts";

/** What {@link memoryRateLimitStore} takes. */
export interface MemoryRateLimitStoreOptions {
  /** How many keys are remembered at most. Default 100,000. */
  readonly maxKeys?: number;
  /** How many bytes they may take at most, as estimated. Default 16 MiB. */
  readonly maxBytes?: number;
  /** A clock in milliseconds that never goes back. Default `performance.now`. */
  readonly now?: () => number;
}

/** A map entry, a number and a string's header, measured on V8. */
const entryBytes = 96;

/**
 * Counts in this process's memory, within bounds.
 *
 * When there are too many keys, those go first whose allowance was touched longest ago. A key that was refused stays until its whole
 * allowance is back, so that nobody gets rid of a block by flooding the store with fresh keys; where nothing but such keys is left,
 * fresh keys are refused.
 *
 * @throws {@link ConfigError} for options that are not as described.
 *
 * @example
 * ```ts
 * import { guard, memoryRateLimitStore, rateLimit } from "@firmshake/core";
 *
 * const store = memoryRateLimitStore({ maxKeys: 10_000 });
 * const chat = guard(rateLimit({ limit: 30, windowMs: 60_000, store }));
 * ```
 */
export function memoryRateLimitStore(options: MemoryRateLimitStoreOptions = {}): RateLimitStore {
  const {
    maxKeys = 100_000,
    maxBytes = 16 * 1024 * 1024,
    now = () => performance.now(),
  } = readOptions<MemoryRateLimitStoreOptions>("memoryRateLimitStore", options, {
    maxKeys: aPositiveInteger,
    maxBytes: aPositiveInteger,
    now: aFunction,
  });
  // Each maps a key to the time at which its allowance is whole again, in the order of the last touch.
  const open = new Map<string, number>();
  const blocked = new Map<string, number>();
  let bytes = 0;

  const sizeOf = (key: string): number => entryBytes + key.length * 2;

  function forget(keys: Map<string, number>, key: string): void {
    keys.delete(key);
    bytes -= sizeOf(key);
  }

  /** The first key of a map, if it passes. */
  function forgetFirst(keys: Map<string, number>, mayGo: (fullAt: number) => boolean): boolean {
    for (const [key, fullAt] of keys) {
      if (!mayGo(fullAt)) return false;
      forget(keys, key);
      return true;
    }
    return false;
  }

  function makeRoom(key: string, time: number): boolean {
    const isWhole = (fullAt: number): boolean => fullAt <= time;
    const isFull = (): boolean =>
      open.size + blocked.size >= maxKeys || bytes + sizeOf(key) > maxBytes;
    while (isFull()) {
      if (!forgetFirst(blocked, isWhole) && !forgetFirst(open, () => true)) return false;
    }
    return true;
  }

  function remember(keys: Map<string, number>, key: string, fullAt: number): void {
    keys.set(key, fullAt);
    bytes += sizeOf(key);
  }

  function take(key: string, rule: RateLimitRule): RateLimitResult {
    const time = now();
    const wasBlocked = blocked.get(key);
    const before = wasBlocked ?? open.get(key);
    if (before === undefined && !makeRoom(key, time)) return noRoom(rule);
    const result = takeUnits(before ?? time, time, rule);
    if (before !== undefined) forget(wasBlocked === undefined ? open : blocked, key);
    const staysBlocked = !result.isAllowed || (wasBlocked !== undefined && wasBlocked > time);
    remember(staysBlocked ? blocked : open, key, result.fullAt);
    // Two at a time, so that keys whose allowance is whole again never pile up.
    for (let count = 0; count < 2; count++) forgetFirst(open, (fullAt) => fullAt <= time);
    return result;
  }

  function peek(key: string, rule: RateLimitRule): RateLimitResult {
    const time = now();
    const result = takeUnits(blocked.get(key) ?? open.get(key) ?? time, time, rule);
    // What is refused is not counted by `take` either, and is remembered as refused.
    return result.isAllowed ? result : take(key, rule);
  }

  return { take, peek, summary: `in memory, at most ${maxKeys} keys` };
}

const noRoom = ({ windowMs }: RateLimitRule): RateLimitResult => ({
  isAllowed: false,
  remaining: 0,
  retryAfterMs: windowMs,
  resetAfterMs: windowMs,
});
