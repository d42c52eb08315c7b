/**
 * Aborts when the time is over, or with the outer signal.
 *
 * Not AbortSignal.any([outer, AbortSignal.timeout(…)]): a garbage collection of Node may take the time-out that only such a signal knows,
 * and then it never comes (nodejs/node#57736). A time-out that somebody listens to stays.
 */
export function deadline(timeoutMs: number, outer?: AbortSignal): AbortSignal {
  const timeout = AbortSignal.timeout(timeoutMs);
  if (outer === undefined) return timeout;
  const joined = new AbortController();
  const follow = (signal: AbortSignal): void => {
    if (signal.aborted) joined.abort(signal.reason);
    else signal.addEventListener("abort", () => joined.abort(signal.reason), ended);
  };
  const ended = { once: true, signal: joined.signal };
  follow(outer);
  follow(timeout);
  return joined.signal;
}
