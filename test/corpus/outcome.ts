/** What one handshake came to. */
export interface Outcome {
  readonly answer: "allow" | "deny";
  /** Why it was denied: a refusal's code, a configuration error's, or what the server library answered by itself. */
  readonly code: string | undefined;
  /** As the checks saw it; `unseen` where no check ran. */
  readonly clientIp: string | undefined | typeof unseen;
  readonly note?: string;
}

/** Nobody looked at the client's address. */
export const unseen: unique symbol = Symbol("unseen");

/** An answer later than that is none. */
const answerWithinMs = 2_000;

export class LateAnswer extends Error {
  override readonly name: string = "LateAnswer";
}

/** What the call brings; rejects with {@link LateAnswer} where that takes too long, be it by waiting or by work. */
export function inTime<Value>(call: () => PromiseLike<Value> | Value): Promise<Value> {
  const startedAt = performance.now();
  return new Promise((resolve, reject) => {
    const late = (): void =>
      reject(new LateAnswer(`no answer within ${answerWithinMs / 1000} seconds`));
    const timer = setTimeout(late, answerWithinMs);
    // Work holds the timer up.
    const settle = (value: Value): void =>
      performance.now() - startedAt > answerWithinMs ? late() : resolve(value);
    Promise.resolve()
      .then(call)
      .then(settle, reject)
      .finally(() => clearTimeout(timer));
  });
}
