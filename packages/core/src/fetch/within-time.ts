import { deadline } from "./deadline.ts";
import { unlessAborted } from "./unless-aborted.ts";

/**
 * What the function brings in time; its signal aborts when the time is over, or with the signal that is given. Also ends then where what
 * the function waits for does not look at its signal.
 */
export function withinTime<Value>(
  timeoutMs: number,
  run: (signal: AbortSignal) => PromiseLike<Value> | Value,
  outer?: AbortSignal,
): Promise<Value> {
  const signal = deadline(timeoutMs, outer);
  return unlessAborted(signal, () => run(signal));
}
