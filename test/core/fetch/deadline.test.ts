import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { deadline } from "../../../packages/core/src/fetch/deadline.ts";
import { withinTime } from "../../../packages/core/src/fetch/within-time.ts";
import { collectGarbage } from "../../support/collect-garbage.ts";

const rounds = 5;

describe("a deadline", () => {
  it("comes where garbage is collected meanwhile", async () => {
    const client = new AbortController();
    const reasons = Array.from({ length: rounds }, () => reasonOf(deadline(50, client.signal)));
    await turn();
    collectGarbage();
    const names = (await Promise.all(reasons)).map((reason) => (reason as Error).name);
    expect(names).toEqual(Array(rounds).fill("TimeoutError"));
  });

  it("comes for what never answers, where garbage is collected meanwhile", async () => {
    const client = new AbortController();
    const answers = Array.from({ length: rounds }, () =>
      withinTime(50, () => new Promise(() => undefined), client.signal).catch(
        (error: Error) => error.name,
      ),
    );
    await turn();
    collectGarbage();
    expect(await Promise.all(answers)).toEqual(Array(rounds).fill("TimeoutError"));
  });

  it("comes early with the outer signal, and says why", async () => {
    const client = new AbortController();
    const signal = deadline(60_000, client.signal);
    expect(signal.aborted).toBe(false);
    client.abort("left");
    expect(signal).toMatchObject({ aborted: true, reason: "left" });
  });

  it("has come where the outer signal is aborted already", () => {
    expect(deadline(60_000, AbortSignal.abort("left"))).toMatchObject({
      aborted: true,
      reason: "left",
    });
  });
});

function reasonOf(signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve) =>
    signal.addEventListener("abort", () => resolve(signal.reason), { once: true }),
  );
}
