import type { RateLimitResult, RateLimitStore } from "./rate-limit-store.ts";

/** What a limiter of the package rate-limiter-flexible offers, as far as it is used. */
export interface FlexibleLimiter {
  readonly points: number;
  readonly duration: number;
  consume(key: string, points?: number): Promise<FlexibleLimiterResult>;
  /** Asked before attempts by `throttleFailures`. */
  get?(key: string): Promise<FlexibleLimiterResult | null>;
}

/** What such a limiter answers, and what it rejects with when nothing is left. */
export interface FlexibleLimiterResult {
  readonly msBeforeNext: number;
  readonly remainingPoints: number;
}

/**
 * Counts with a limiter of rate-limiter-flexible, by that limiter's own `points` and `duration`, which must agree with the check's.
 *
 * @example
 * ```ts
 * import { guard, rateLimit, rateLimiterFlexibleStore } from "@firmshake/core";
 * import { RateLimiterMemory } from "rate-limiter-flexible";
 *
 * const limiter = new RateLimiterMemory({ points: 30, duration: 60 });
 * const chat = guard(rateLimit({ limit: 30, windowMs: 60_000, store: rateLimiterFlexibleStore(limiter) }));
 * ```
 */
export function rateLimiterFlexibleStore(limiter: FlexibleLimiter): RateLimitStore {
  return {
    summary: "by rate-limiter-flexible",
    take: async (key) => {
      try {
        return resultOf(await limiter.consume(key), true);
      } catch (rejected) {
        if (isLimiterResult(rejected)) return resultOf(rejected, false);
        throw rejected;
      }
    },
    ...(limiter.get === undefined ? {} : { peek: peekBy(limiter as Required<FlexibleLimiter>) }),
  };
}

const peekBy =
  (limiter: Required<FlexibleLimiter>): NonNullable<RateLimitStore["peek"]> =>
  async (key, { limit }) => {
    const known = await limiter.get(key);
    return known === null
      ? { isAllowed: true, remaining: limit, retryAfterMs: 0, resetAfterMs: 0 }
      : resultOf(known, known.remainingPoints > 0);
  };

const resultOf = (
  { msBeforeNext, remainingPoints }: FlexibleLimiterResult,
  isAllowed: boolean,
): RateLimitResult => ({
  isAllowed,
  remaining: remainingPoints,
  retryAfterMs: isAllowed && remainingPoints > 0 ? 0 : msBeforeNext,
  resetAfterMs: msBeforeNext,
});

/** An exhausted key rejects with a result; a broken store rejects with an error. */
function isLimiterResult(value: unknown): value is FlexibleLimiterResult {
  const { msBeforeNext } = (value ?? {}) as Partial<FlexibleLimiterResult>;
  return !(value instanceof Error) && typeof msBeforeNext === "number";
}
