import type { RateLimitResult, RateLimitRule } from "./rate-limit-store.ts";

/**
 * The generic cell rate algorithm: one number a key, the time at which its whole allowance is back. Each arrival that conforms moves it by
 * one emission interval for each unit that it takes; one that would move it further than a window ahead does not conform, and moves nothing.
 *
 * @param fullAt - When the key's allowance is back, or the past where nothing was taken.
 */
export function takeUnits(
  fullAt: number,
  now: number,
  { limit, windowMs }: RateLimitRule,
  units = 1,
): RateLimitResult & { readonly fullAt: number } {
  const interval = windowMs / limit;
  const after = Math.max(fullAt, now) + interval * units;
  const excess = after - now - windowMs;
  // Sums of intervals miss the window by a rounding error; a thousandth of an interval is nobody's gain. It is no part of the wait that
  // the client is told, or whoever waits exactly that long could miss by the next rounding.
  if (excess > interval / 1_000) {
    const resetAfterMs = Math.max(fullAt - now, 0);
    return { isAllowed: false, remaining: 0, retryAfterMs: excess, resetAfterMs, fullAt };
  }
  const remaining = Math.max(0, Math.floor((windowMs - (after - now)) / interval + 1 / 1_000));
  const retryAfterMs = remaining > 0 ? 0 : after + interval - now - windowMs;
  return { isAllowed: true, remaining, retryAfterMs, resetAfterMs: after - now, fullAt: after };
}
