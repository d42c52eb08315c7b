import type { MaybePromise } from "../decision/decision.ts";

/** How much of something is allowed in a time. */
export interface RateLimitRule {
  /** How many at once, and how many in each window after that. */
  readonly limit: number;
  readonly windowMs: number;
}

/** What taking one from a key's allowance came to. */
export interface RateLimitResult {
  readonly isAllowed: boolean;
  /** How many more would be allowed at once. */
  readonly remaining: number;
  /** Until one more is allowed, in milliseconds; 0 where one is now. */
  readonly retryAfterMs: number;
  /** Until the whole allowance is back, in milliseconds. */
  readonly resetAfterMs: number;
}

/**
 * Where handshakes are counted.
 *
 * `take` MUST be atomic: of any number of simultaneous calls for one key, no more are allowed than the rule says, whichever processes
 * they come from. It SHOULD NOT count what it refuses. It SHOULD cost one round trip, and MAY answer synchronously. When it throws or
 * rejects, the handshake is refused.
 */
export interface RateLimitStore {
  readonly take: (key: string, rule: RateLimitRule) => MaybePromise<RateLimitResult>;
  /** What `take` would answer now; nothing is taken. {@link throttleFailures} asks before each attempt. */
  readonly peek?: (key: string, rule: RateLimitRule) => MaybePromise<RateLimitResult>;
  /** In words, for `explain()`. */
  readonly summary?: string;
}
