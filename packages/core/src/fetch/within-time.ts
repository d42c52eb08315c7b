import { deadline } from "./deadline.ts";

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
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    signal.throwIfAborted();
    // Not resolve(run(signal)): a promise that is followed cannot be rejected any more.
    Promise.resolve(run(signal)).then(resolve, reject);
  });
}
