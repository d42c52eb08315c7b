import { execFile } from "node:child_process";
import process from "node:process";
import { promisify } from "node:util";
import { attach, type DecisionEvent, guard, insecureAnyOrigin } from "@firmshake/node";
import { describe, expect, it } from "vitest";
import { thrownBy } from "../support/handshakes.ts";
import { answerIn, dial, handshakeText } from "../support/raw-client.ts";
import { gatedServer } from "../support/server.ts";

const run = promisify(execFile);
const chat = guard(insecureAnyOrigin());

/** Stands for an application that works on something for too long, and again. */
function keepBusy(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

const statusIn = (answer: string): number => answerIn(answer).status;

const shakeHands = async (port: number): Promise<string> => {
  const client = await dial(port);
  client.send(handshakeText());
  return client.until("\r\n\r\n");
};

describe("new handshakes", () => {
  it.each([
    {
      name: "the heap",
      limit: { maxHeapUsedBytes: 1 },
      reason: /^the heap has \d+ bytes \(limit 1\)$/,
    },
    {
      name: "memory in all",
      limit: { maxRssBytes: 1 },
      reason: /^the process has \d+ bytes \(limit 1\)$/,
    },
  ])("are refused with 503 and Retry-After over the limit of $name", async ({ limit, reason }) => {
    const events: DecisionEvent[] = [];
    const { port } = await gatedServer(chat, {
      overload: limit,
      onDecision: (event) => events.push(event),
    });
    const answer = await shakeHands(port);
    expect(answerIn(answer).body).toContain(`"code":"overloaded"`);
    expect(answer).toContain("Retry-After: 5");
    expect(events[0]?.reason).toMatch(reason);
    expect(events[0]?.trail).toEqual([]);
  });

  it("are refused while the event loop is late, and accepted when it is not any more", async () => {
    const { port } = await gatedServer(chat, {
      overload: { maxEventLoopDelayMs: 100, sampleMs: 50 },
    });
    expect(statusIn(await shakeHands(port))).toBe(101);
    await expect
      .poll(
        async () => {
          keepBusy(300);
          return statusIn(await shakeHands(port));
        },
        { timeout: 10_000, interval: 1 },
      )
      .toBe(503);
    await expect.poll(async () => statusIn(await shakeHands(port)), { timeout: 10_000 }).toBe(101);
  });

  it.each([
    {
      name: "limits of 0",
      overload: { maxHeapUsedBytes: 0, maxRssBytes: 0, maxEventLoopDelayMs: 0 },
    },
    { name: "limits that are far away", overload: { maxRssBytes: Number.MAX_SAFE_INTEGER } },
  ])("are accepted with $name", async ({ overload }) => {
    const { port } = await gatedServer(chat, { overload });
    expect(statusIn(await shakeHands(port))).toBe(101);
  });
});

it("holds no process up", async () => {
  const program = `
    import { createServer } from "node:http";
    import { attach, guard, insecureAnyOrigin } from "@firmshake/node";
    attach(createServer(), guard(insecureAnyOrigin()), { overload: { maxEventLoopDelayMs: 100 } });
  `;
  const { stderr } = await run(process.execPath, ["--input-type=module", "--eval", program], {
    timeout: 20_000,
  });
  expect(stderr).toBe("");
});

it.each([
  { overload: { maxEventLoopDelayMs: -1 } },
  { overload: { maxHeapUsedBytes: "1 GB" } },
  { overload: { maxEventLoopDelay: 100 } },
  { overload: true },
])("says what is wrong with $overload", async (options) => {
  const { server } = await gatedServer(chat);
  expect(thrownBy(() => attach(server, chat, options as never))).toMatch(/overload/);
});
