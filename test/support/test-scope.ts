import { AsyncLocalStorage } from "node:async_hooks";
import { it, onTestFinished, type TestContext } from "vitest";

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

/** `it` and `it.each`, for tests that run beside each other: each takes longer so, and all of them less. */
export const itBeside: {
  (name: string, body: () => Promise<void>): void;
  readonly each: Each;
} = Object.assign(
  (name: string, body: () => Promise<void>): void => it.concurrent(name, patience, apart(body)),
  { each: (rows: readonly unknown[]) => eachOf(rows) },
);

const patience = { timeout: 60_000 };

interface Each {
  (rows: readonly string[]): (name: string, body: (row: string) => Promise<void>) => void;
  <Row extends readonly [unknown, ...unknown[]]>(
    rows: readonly Row[],
  ): (name: string, body: (...row: [...Row]) => Promise<void>) => void;
}

function eachOf(rows: readonly unknown[]) {
  return (name: string, body: (...row: never[]) => Promise<void>): void => {
    const take = body as (...row: readonly unknown[]) => Promise<void>;
    const tests = rows.map((row) => (Array.isArray(row) ? row : [row]) as readonly unknown[]);
    it.concurrent.for(tests)(
      name,
      patience,
      apart<[readonly unknown[]]>((row) => take(...row)),
    );
  };
}
