import { everybody, message } from "@firmshake/messages";
import { expect, it } from "vitest";
import { converse } from "../../packages/messages/src/conversation.ts";
import { defaultBounds } from "../../packages/messages/src/json/json-bounds.ts";
import type { Terms } from "../../packages/messages/src/terms.ts";

const type = message({ schema: () => true, allow: everybody });

/** One connection on a clock that the test turns. */
function conversation(some: Partial<Terms>) {
  const clock = { now: 1_000 };
  const events: unknown[] = [];
  const terms: Terms = {
    types: new Map([["say", type]]),
    binary: "refuse",
    bounds: defaultBounds,
    typeOf: () => "say",
    dataOf: (whole) => whole,
    typeKey: "type",
    budget: undefined,
    faults: { limit: 1, windowMs: 1_000 },
    maxWaiting: 1,
    showPaths: false,
    onFault: () => "answer",
    onError: () => undefined,
    now: () => clock.now,
    ...some,
  };
  const receive = converse<string>(
    terms,
    {},
    {
      isLeaving: () => false,
      sizeOf: ({ length }) => length,
      read: (raw) => (raw === "wrong" ? "json_malformed" : { type, name: "say", data: raw }),
      handle: (_, data) => events.push(data),
      answer: (error) => events.push(error),
      close: (_, code) => events.push(code),
    },
  );
  return { clock, events, receive };
}

it("the budget is back in time, and who waits as told is let on", () => {
  const { clock, events, receive } = conversation({
    budget: { limit: 2, windowMs: 1_000 },
    faults: { limit: 9, windowMs: 1 },
  });
  for (const raw of ["a", "b", "c"]) receive(raw);
  expect(events).toMatchObject(["a", "b", { code: "message_over_budget", retryAfterMs: 500 }]);
  clock.now += 499;
  receive("d");
  clock.now += 1;
  receive("e");
  expect(events.slice(3)).toMatchObject([{ code: "message_over_budget", retryAfterMs: 1 }, "e"]);
});

it("faults are forgiven in time, and what comes behind the last is not looked at", () => {
  const { clock, events, receive } = conversation({});
  receive("wrong");
  clock.now += 1_000;
  receive("wrong");
  receive("wrong");
  receive("a");
  expect(events).toMatchObject([
    { code: "json_malformed" },
    { code: "json_malformed" },
    "messages_faulty",
  ]);
});

it("an answer that cannot be sent ends nothing", () => {
  const errors: unknown[] = [];
  const { receive, events } = conversation({
    onError: (error) => errors.push(error),
    typeKey: undefined as never,
  });
  receive("a");
  expect([events, errors]).toEqual([["a"], []]);
});
