import type { MaybePromise } from "../decision/decision.ts";
import type { RateLimitRule, RateLimitStore } from "./rate-limit-store.ts";

/** What a store of the package express-rate-limit offers, as far as it is used. */
export interface ExpressRateLimitStore {
  init?(options: never): void;
  increment(key: string): MaybePromise<{
    readonly totalHits: number;
    readonly resetTime: Date | undefined;
  }>;
}

/**
 * Counts with a store of express-rate-limit: a fixed window, whose length the store is told when it is first used.
 *
 * @example
 * ```ts
 * import { expressRateLimitStore, guard, rateLimit } from "@firmshake/core";
 * import { MemoryStore } from "express-rate-limit";
 *
 * const store = expressRateLimitStore(new MemoryStore());
 * const chat = guard(rateLimit({ limit: 30, windowMs: 60_000, store }));
 * ```
 */
export function expressRateLimitStore(store: ExpressRateLimitStore): RateLimitStore {
  let isInitialized = false;
  return {
    summary: "by a store of express-rate-limit",
    take: async (key, rule) => {
      if (!isInitialized) initialize(store, rule);
      isInitialized = true;
      const { totalHits, resetTime } = await store.increment(key);
      const resetAfterMs =
        resetTime === undefined ? rule.windowMs : Math.max(0, resetTime.getTime() - Date.now());
      const remaining = Math.max(0, rule.limit - totalHits);
      return {
        isAllowed: totalHits <= rule.limit,
        remaining,
        retryAfterMs: remaining > 0 ? 0 : resetAfterMs,
        resetAfterMs,
      };
    },
  };
}

/** Stores read the window from the options of the middleware that they were made for. */
function initialize(store: ExpressRateLimitStore, { limit, windowMs }: RateLimitRule): void {
  store.init?.({ limit, windowMs } as never);
}
