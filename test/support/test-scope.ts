import { AsyncLocalStorage } from "node:async_hooks";
import { onTestFinished, type TestContext } from "vitest";

/** Which test something belongs to, where several run at a time: Vitest's own functions know of one alone. */
const scope = new AsyncLocalStorage<TestContext>();

/** Does something when the test is over that asks for it, also where that is one of {@link apart}. */
export function whenFinished(act: () => unknown): void {
  const finish = (scope.getStore()?.onTestFinished ?? onTestFinished) as typeof onTestFinished;
  finish(async () => {
    await act();
  });
}

/** The body of a test that runs beside others, in `describe.concurrent`. */
export const apart =
  <Given extends readonly unknown[]>(
    body: (...given: readonly [...Given, TestContext]) => Promise<void>,
  ) =>
  (...given: readonly [...Given, TestContext]): Promise<void> =>
    scope.run(given.at(-1) as TestContext, () => body(...given));
