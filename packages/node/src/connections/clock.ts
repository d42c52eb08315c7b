/** Time, as a gate goes by it. */
export interface Clock {
  /** The time of day, in milliseconds since 1970; it may be set. */
  readonly now: () => number;
  /** Milliseconds since whenever; they never go back. */
  readonly monotonic: () => number;
  /** Calls once, so many milliseconds later. What it answers takes that back. */
  readonly after: (delayMs: number, call: () => void) => () => void;
}

// Taken at load: tests of applications replace the globals by faked ones.
const { setTimeout, clearTimeout } = globalThis;

/** Timers of it keep no process running. */
export const processClock: Clock = Object.freeze({
  now: Date.now,
  monotonic: performance.now.bind(performance),
  after: (delayMs: number, call: () => void) => {
    const timer = setTimeout(call, delayMs).unref();
    return () => clearTimeout(timer);
  },
});

export function isClock(value: unknown): value is Clock {
  const { now, monotonic, after } = Object(value) as Partial<Clock>;
  return [now, monotonic, after].every((one) => typeof one === "function");
}
