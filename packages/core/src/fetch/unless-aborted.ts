/** What the function brings, or the reason of the signal where that aborts before. What it brings later is dropped. */
export function unlessAborted<Value>(
  signal: AbortSignal,
  run: () => PromiseLike<Value> | Value,
): Promise<Value> {
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    signal.throwIfAborted();
    // Not resolve(run()): a promise that is followed cannot be rejected any more.
    Promise.resolve(run()).then(resolve, reject);
  });
}
