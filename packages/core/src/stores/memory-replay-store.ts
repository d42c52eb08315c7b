import { aFunction, aPositiveInteger, readOptions } from "../config/options.ts";
import type { ReplayStore } from "./replay-store.ts";

/** What {@link memoryReplayStore} takes. */
export interface MemoryReplayStoreOptions {
  /** How many ids are remembered at most. Default 100,000. */
  readonly maxIds?: number;
  /** A clock in milliseconds that never goes back. Default `performance.now`. */
  readonly now?: () => number;
}

/**
 * Remembers used proofs in this process's memory, within bounds. When it is full it takes no more until the oldest may be forgotten: to
 * forget one earlier would let its proof be used again.
 *
 * @throws {@link ConfigError} for options that are not as described.
 *
 * @example
 * ```ts
 * import { guard, jwt, memoryReplayStore } from "@firmshake/core";
 *
 * const service = guard(
 *   jwt({
 *     issuer: "https://id.example.com",
 *     audience: "chat",
 *     jwksUri: "https://id.example.com/.well-known/jwks.json",
 *     dpop: { origins: ["https://chat.example.com"], store: memoryReplayStore({ maxIds: 1_000_000 }) },
 *   }),
 * );
 * ```
 */
export function memoryReplayStore(options: MemoryReplayStoreOptions = {}): ReplayStore {
  const { maxIds = 100_000, now = () => performance.now() } = readOptions<MemoryReplayStoreOptions>(
    "memoryReplayStore",
    options,
    { maxIds: aPositiveInteger, now: aFunction },
  );
  // Each id with the time at which it may be forgotten, in the order in which they came.
  const until = new Map<string, number>();

  function forgetFrom(time: number): void {
    for (const [id, end] of until) {
      if (end > time) return;
      until.delete(id);
    }
  }

  return {
    claim: (id, ttlMs) => {
      const time = now();
      forgetFrom(time);
      if ((until.get(id) ?? Number.NEGATIVE_INFINITY) > time) return false;
      // One of a shorter time behind a longer one is still there: it begins anew at the end.
      until.delete(id);
      if (until.size >= maxIds) throw new Error("The replay store is full.");
      until.set(id, time + ttlMs);
      return true;
    },
    summary: `in memory, at most ${maxIds} ids`,
  };
}
