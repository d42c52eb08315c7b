import { createServer } from "node:http";
import {
  type EventContext,
  everybody,
  type MessagesOptions,
  message,
  messages,
} from "@firmshake/messages";
import { attach, connectionOf, guard, insecureAnyOrigin } from "@firmshake/node";
import { Server } from "socket.io";
import { type Socket as ClientSocket, io as connectClient } from "socket.io-client";
import { describe, expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import { deferred, listen } from "../support/server.ts";

const types = {
  say: message({ schema: z.object({ text: z.string() }), allow: everybody }),
  move: message({ schema: z.tuple([z.number(), z.number()]), allow: everybody, cost: 2 }),
  ping: message({ schema: z.undefined(), allow: everybody }),
  file: message({ schema: z.object({ bytes: z.instanceof(Uint8Array) }), allow: everybody }),
  ban: message({ schema: z.object({ user: z.string() }) }),
};

type Options = Partial<MessagesOptions<typeof types, "refuse" | "json">>;

async function serve(options: Options = {}, transports: readonly string[] = ["websocket"]) {
  const server = createServer();
  // Room for what is to be found too long above.
  attach(server, guard(insecureAnyOrigin()), { limits: { maxMessageBytes: 1_048_576 } });
  const io = new Server(server);
  onTestFinished(() => void io.close());
  const errors: unknown[] = [];
  const handled: unknown[] = [];
  const elsewhere: unknown[] = [];
  const protocol = messages({ types, onError: (error) => errors.push(error), ...options });
  io.on("connection", (socket) => {
    const reply =
      (event: string) =>
      (data: unknown, { ack, position, connection }: EventContext<{ readonly path: string }>) => {
        handled.push([event, data]);
        if (data !== undefined && (data as { text?: string }).text === "boom")
          throw new Error("boom");
        if (ack === undefined) socket.emit("reply", event, data, connection.path);
        else ack({ event, data, position });
      };
    protocol.listenToSocketIo(socket, {
      connection: connectionOf(socket.request),
      on: {
        say: reply("say"),
        move: reply("move"),
        ping: reply("ping"),
        file: reply("file"),
        ban: reply("ban"),
      },
    });
    socket.on("undeclared", () => elsewhere.push("undeclared"));
    socket.on("say", () => elsewhere.push("say"));
  });
  const port = await listen(server);
  const client = connectClient(`http://127.0.0.1:${port}`, {
    transports: [...transports],
    reconnection: false,
  });
  onTestFinished(() => void client.close());
  const heard = heardBy(client);
  await new Promise<void>((resolve) => client.once("connect", resolve));
  return { client, heard, handled, errors, elsewhere };
}

function heardBy(client: ClientSocket): unknown[][] {
  const heard: unknown[][] = [];
  client.onAny((...args: unknown[]) => void heard.push(args));
  return heard;
}

describe.each(["websocket", "polling"])("events over %s", (transport) => {
  it("reach their handlers, with one argument, several or none", async () => {
    const { client, heard } = await serve({}, [transport]);
    client.emit("say", { text: "hello", more: 1 });
    client.emit("move", 3, 4);
    client.emit("ping");
    await expect
      .poll(() => heard)
      .toEqual([
        ["reply", "say", { text: "hello" }, "/socket.io/"],
        ["reply", "move", [3, 4], "/socket.io/"],
        ["reply", "ping", null, "/socket.io/"],
      ]);
  });

  it("are acknowledged, by handlers and by errors", async () => {
    const { client } = await serve({}, [transport]);
    expect(await client.emitWithAck("say", { text: "hello" })).toEqual({
      event: "say",
      data: { text: "hello" },
      position: 1,
    });
    expect(await client.emitWithAck("say", { text: 7 })).toMatchObject({
      type: "error",
      code: "message_invalid",
      of: "say",
      position: 2,
    });
  });
});

describe("an event that is wrong", () => {
  const deep = (depth: number): unknown => (depth === 0 ? 1 : [deep(depth - 1)]);

  it.each<[string, readonly unknown[], string]>([
    ["of an unknown type", ["undeclared", { text: "a" }], "message_type_unknown"],
    ["of a type that all objects have", ["toString"], "message_type_unknown"],
    ["not what its schema says", ["say", { text: 7 }], "message_invalid"],
    ["with more arguments than its schema says", ["say", { text: "a" }, 1], "message_invalid"],
    ["not allowed", ["ban", { user: "ada" }], "message_not_allowed"],
    ["nested too deeply", ["say", deep(40)], "json_too_deep"],
    ["with too many keys", ["say", Array.from({ length: 1_001 }, () => 1)], "json_too_many_keys"],
    ["with a long string", ["say", { text: "a".repeat(16_385) }], "json_string_too_long"],
    ["too long", ["say", Array.from({ length: 5 }, () => "a".repeat(16_000))], "message_too_long"],
    [
      "with __proto__",
      ["say", JSON.parse('{"text":"a","__proto__":{"b":1}}')],
      "json_key_forbidden",
    ],
    ["with an attachment", ["file", { bytes: Buffer.from("abc") }], "binary_unsupported"],
  ])("is answered where it is %s, and reaches nobody", async (_, args, code) => {
    const { client, heard, handled, elsewhere } = await serve();
    client.emit(...(args as [string]));
    await expect.poll(() => heard).toMatchObject([["error", { type: "error", code }]]);
    expect([handled, elsewhere]).toEqual([[], []]);
  });

  it("ends the connection by policy, or where it is no text, and says why before", async () => {
    const { client, heard } = await serve();
    client.emit("say", { text: "\ud83d" });
    await expect.poll(() => client.connected).toBe(false);
    expect(heard).toMatchObject([["error", { code: "text_malformed" }]]);
  });

  it("does not reach other listeners even where it is right", async () => {
    const { client, heard, elsewhere } = await serve();
    client.emit("say", { text: "a" });
    await expect.poll(() => heard.length).toBe(1);
    expect(elsewhere).toEqual([]);
  });
});

it("attachments may be data, where that is said", async () => {
  const { client } = await serve({ binary: "json" });
  const { data } = await client.emitWithAck("file", { bytes: Buffer.from("abc") });
  expect(String(Buffer.from(data.bytes))).toBe("abc");
  expect(await client.emitWithAck("file", { bytes: Buffer.alloc(70_000) })).toMatchObject({
    code: "message_too_long",
  });
});

it("the budget is spent by each type's cost", async () => {
  const { client } = await serve({ budget: { limit: 3, windowMs: 3_600_000 } });
  await client.emitWithAck("move", 1, 2);
  expect(await client.emitWithAck("move", 1, 2)).toMatchObject({
    code: "message_over_budget",
    of: "move",
  });
});

it("a handler that throws is reported, and answered without detail", async () => {
  const { client, errors } = await serve();
  expect(await client.emitWithAck("say", { text: "boom" })).toMatchObject({
    code: "message_failed",
  });
  expect(errors).toEqual([new Error("boom")]);
});

it("what waits behind a promise is bounded", async () => {
  const gate = deferred<boolean>();
  const slow = { ...types, say: message({ schema: z.looseObject({}), allow: () => gate.promise }) };
  const { client } = await serve({ types: slow as never, maxWaiting: 1 });
  const all = [1, 2, 3].map((n) => client.emitWithAck("say", { text: "a", n }));
  expect(await all[2]).toMatchObject({ code: "messages_waiting" });
  gate.resolve(true);
  expect(await Promise.all(all.slice(0, 2))).toMatchObject([{ position: 1 }, { position: 2 }]);
});
