import type { Clock } from "@firmshake/node";

/** Time that stands still until the test says how much of it passes. */
export interface FakeClock extends Clock {
  /** Timers on the way run in their order, each at its own time. */
  readonly advance: (milliseconds: number) => void;
  /** Sets the time of day alone, as an administrator does. */
  readonly setTimeOfDay: (now: number) => void;
  /** How many timers are set. */
  readonly timers: () => number;
}

/** @param startsAt - The time of day at the beginning. Default: what it really is. */
export function fakeClock(startsAt: number = Date.now()): FakeClock {
  const waiting = new Set<{ readonly at: number; readonly call: () => void }>();
  let passed = 1_000;
  let origin = startsAt - passed;
  return {
    now: () => origin + passed,
    monotonic: () => passed,
    after: (delayMs, call) => {
      const timer = { at: passed + delayMs, call };
      waiting.add(timer);
      return () => void waiting.delete(timer);
    },
    advance: (milliseconds) => {
      const until = passed + milliseconds;
      for (;;) {
        const [next] = [...waiting].sort((one, other) => one.at - other.at);
        if (next === undefined || next.at > until) break;
        waiting.delete(next);
        passed = Math.max(passed, next.at);
        next.call();
      }
      passed = until;
    },
    setTimeOfDay: (now) => {
      origin = now - passed;
    },
    timers: () => waiting.size,
  };
}
