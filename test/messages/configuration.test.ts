import { EventEmitter } from "node:events";
import { everybody, message, messages, withScope } from "@firmshake/messages";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { thrownBy } from "../support/handshakes.ts";

const onError = () => undefined;
const say = message({ schema: z.object({}), allow: everybody });
const protocol = messages({ types: { say }, onError });
const socket = Object.assign(new EventEmitter(), { send: onError, close: onError });
const listen = (options: unknown, on: unknown = socket) =>
  protocol.listen(on as never, options as never);
const handlers = { say: onError };

describe("what cannot be meant throws at once", () => {
  it.each<[string, () => unknown, string]>([
    [
      "an unknown option",
      () => messages({ types: {}, onError, maxByte: 1 } as never),
      "OPTION_UNKNOWN",
    ],
    ["no types", () => messages({ onError } as never), "OPTION_MISSING"],
    ["nobody who is told of errors", () => messages({ types: { say } } as never), "OPTION_MISSING"],
    [
      "a type that is a schema alone",
      () => messages({ types: { say: z.object({}) as never }, onError }),
      "OPTION_INVALID",
    ],
    [
      "a binary policy that does not exist",
      () => messages({ types: {}, onError, binary: "allow" as never }),
      "OPTION_INVALID",
    ],
    [
      "a budget without a window",
      () => messages({ types: {}, onError, budget: { limit: 1 } as never }),
      "OPTION_MISSING",
    ],
    [
      "a budget that is no rule",
      () => messages({ types: {}, onError, budget: 5 as never }),
      "OPTION_INVALID",
    ],
    [
      "__proto__ as a key",
      () => messages({ types: {}, onError, insecureAllowKeys: ["__proto__" as never] }),
      "OPTION_INVALID",
    ],
    [
      "a type that costs more than there is",
      () =>
        messages({
          types: { say: message({ schema: z.any(), cost: 9 }) },
          budget: { limit: 8, windowMs: 1 },
          onError,
        }),
      "OPTIONS_CONTRADICT",
    ],
    ["no schema", () => message({} as never), "OPTION_MISSING"],
    [
      "a schema that is not compiled",
      () => message({ schema: { type: "object" } as never }),
      "OPTION_INVALID",
    ],
    ["a cost of nothing", () => message({ schema: z.any(), cost: 0 }), "OPTION_INVALID"],
    ["no scope", () => withScope(...([] as unknown as [string])), "OPTION_INVALID"],
    ["a type without a handler", () => listen({ connection: {}, on: {} }), "OPTION_MISSING"],
    [
      "a handler without a type",
      () => listen({ connection: {}, on: { ...handlers, shout: onError } }),
      "OPTION_UNKNOWN",
    ],
    [
      "a handler for binary messages that are refused",
      () => listen({ connection: {}, on: handlers, onBinary: onError }),
      "OPTIONS_CONTRADICT",
    ],
    ["no connection", () => listen({ on: handlers }), "OPTION_MISSING"],
    ["what is no socket", () => listen({ connection: {}, on: handlers }, {}), "OPTION_INVALID"],
    [
      "a binary type without a handler",
      () =>
        messages({ types: {}, binary: say, onError }).listen(socket, {
          connection: {},
          on: {},
        } as never),
      "OPTION_MISSING",
    ],
    [
      "what is no socket of Socket.IO",
      () => protocol.listenToSocketIo(socket as never, { connection: {}, on: handlers }),
      "OPTION_INVALID",
    ],
  ])("%s", (_, act, code) => {
    expect(thrownBy(act)).toMatch(`(ERR_FIRMSHAKE_${code})`);
  });
});

it("a socket is left alone when that is asked for", () => {
  const stop = listen({ connection: {}, on: handlers });
  expect(socket.eventNames()).toEqual(["message", "error"]);
  stop();
  expect(socket.eventNames()).toEqual([]);
});
