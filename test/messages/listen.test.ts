import type { Identity } from "@firmshake/core";
import {
  authenticated,
  everybody,
  type MessageFault,
  message,
  messageErrors,
  withScope,
} from "@firmshake/messages";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { dial, handshakeText } from "../support/raw-client.ts";
import { deferred } from "../support/server.ts";
import { captureThrown } from "../support/thrown.ts";
import { chat, connect, say } from "./chat.ts";

const hello = { type: "say", text: "hello" };
const anything = z.looseObject({});
const hour = 3_600_000;

const identity = (claims: Identity["claims"]): { readonly identity: Identity } => ({
  identity: { subject: "ada", scheme: "bearer", claims, expiresAt: undefined },
});

describe("a message that is right", () => {
  it("reaches its handler as its schema has made it", async () => {
    const { url } = await chat({
      types: {
        add: message({ schema: z.object({ n: z.string().transform(Number) }), allow: everybody }),
      },
    });
    const client = await connect(url);
    client.send({ type: "add", n: "7", more: "is stripped" });
    expect(await client.hear(1)).toEqual([{ type: "add", data: { n: 7 } }]);
  });

  it.each([
    ["in a property of another name", { typeOf: "op" }, { op: "say", text: "hello" }],
    [
      "by a function",
      {
        typeOf: (list: unknown) => (list as unknown[])[0],
        dataOf: (list: unknown) => (list as unknown[])[1],
      },
      ["say", { text: "hello" }],
    ],
    ["beside its data", { dataOf: "data" }, { type: "say", data: { text: "hello" } }],
  ])("may have its type %s", async (_, options, sent) => {
    const { url } = await chat(options);
    const client = await connect(url);
    client.send(sent);
    expect(await client.hear(1)).toEqual([{ type: "say", data: { text: "hello" } }]);
  });
});

describe("a message that is wrong", () => {
  it.each([
    ["no JSON", "{", { code: "json_malformed" }],
    ["JSON that is out of bounds", '{"type":"say","a":1,"a":2}', { code: "json_key_duplicate" }],
    ["too long", JSON.stringify("x".repeat(70_000)), { code: "message_too_long" }],
    ["binary", Buffer.from("{}"), { code: "binary_unsupported" }],
    ["of no type", { text: "hello" }, { code: "message_type_unknown" }],
    ["of an unknown type", { type: "shout" }, { code: "message_type_unknown" }],
    ["of a type that all objects have", { type: "toString" }, { code: "message_type_unknown" }],
    ["of a type that is no text", { type: ["say"] }, { code: "message_type_unknown" }],
    ["no object", null, { code: "message_type_unknown" }],
    ["not what its schema says", { type: "say", text: 7 }, { code: "message_invalid", of: "say" }],
  ])("is answered where it is %s, and never handled", async (_, sent, error) => {
    const { url, handled } = await chat();
    const client = await connect(url);
    client.send(sent, hello);
    const { title } = messageErrors[error.code as keyof typeof messageErrors];
    expect(await client.hear(2)).toEqual([
      { type: "error", title, position: 1, ...error },
      { type: "say", data: { text: "hello" } },
    ]);
    expect(handled).toHaveLength(1);
  });

  it("is answered by nothing of what was sent", async () => {
    const { url } = await chat({ showPaths: true });
    const client = await connect(url);
    const secret = "s3cr3t";
    client.send(
      secret,
      { type: secret },
      { type: "say", text: [secret] },
      { type: "say", [secret]: secret },
    );
    expect(JSON.stringify(await client.hear(4))).not.toContain(secret);
  });

  it.each([
    ["binary", Buffer.from("{}"), 1003, "binary_unsupported"],
    ["no JSON", "{", 1007, "json_malformed"],
    ["half a letter", '"\\ud83d"', 1007, "text_malformed"],
    ["too long", JSON.stringify("x".repeat(70_000)), 1009, "message_too_long"],
    ["of an unknown type", { type: "shout" }, 1008, "message_type_unknown"],
    ["not what its schema says", { type: "say" }, 1008, "message_invalid"],
  ])("closes the connection by policy where it is %s", async (_, sent, code, reason) => {
    const { url, handled } = await chat({ onFault: "close" });
    const client = await connect(url);
    client.send(sent, hello);
    expect(await client.closed).toEqual([code, reason]);
    expect([client.heard, handled]).toEqual([[], []]);
  });

  it("closes the connection whatever the policy where it is no text", async () => {
    const { url } = await chat({ onFault: "ignore" });
    const client = await connect(url);
    client.send('"\\ud83d"');
    expect(await client.closed).toEqual([1007, "text_malformed"]);
  });

  it("is judged by a function of the application, which sees what it was", async () => {
    const faults: MessageFault[] = [];
    const { url } = await chat({
      onFault: (fault) => {
        faults.push(fault);
        return fault.code === "json_malformed" ? "ignore" : "close";
      },
    });
    const client = await connect(url);
    client.send("{", { type: "say", text: 7 });
    expect(await client.closed).toEqual([1008, "message_invalid"]);
    expect(client.heard).toEqual([]);
    expect(faults).toEqual([
      { code: "json_malformed", type: undefined, position: 1, retryAfterMs: undefined, paths: [] },
      {
        code: "message_invalid",
        type: "say",
        position: 2,
        retryAfterMs: undefined,
        paths: ["/text"],
      },
    ]);
  });

  it.each([
    [
      "throws",
      () => {
        throw new Error("policy");
      },
      1,
    ],
    ["answers with something else", () => undefined, 0],
  ])("closes the connection where that function %s", async (_, onFault, thrown) => {
    const { url, errors } = await chat({ onFault: onFault as never });
    const client = await connect(url);
    client.send("{");
    expect(await client.closed).toEqual([1007, "json_malformed"]);
    expect(errors).toHaveLength(thrown);
  });

  it("closes the connection when there were too many", async () => {
    const { url } = await chat({ faults: { limit: 2, windowMs: hour } });
    const client = await connect(url);
    client.send("{", "{", "{", hello);
    expect(await client.closed).toEqual([1008, "messages_faulty"]);
    expect(client.heard).toHaveLength(2);
  });

  it("is told where, if that is asked for", async () => {
    const { url } = await chat({ showPaths: true });
    const client = await connect(url);
    client.send({ type: "say", text: 7 });
    expect(await client.hear(1)).toMatchObject([{ code: "message_invalid", paths: ["/text"] }]);
  });
});

describe("the right to send a message", () => {
  const denied = { type: "error", code: "message_not_allowed", of: "act" };

  it.each([
    ["nothing is said", undefined],
    ["the function says no", () => false],
    ["the function answers with something that is not true", () => 1 as never],
    ["its promise brings something that is not true", () => Promise.resolve("yes") as never],
    ["nobody is authenticated", authenticated],
    ["a scope was not granted", withScope("admin")],
  ])("is denied where %s, before the data is looked at", async (_, allow) => {
    let looks = 0;
    const schema = z.unknown().refine(() => ++looks);
    const { url, handled } = await chat({
      types: { act: message({ schema, ...(allow && { allow }) }) },
    });
    const client = await connect(url);
    client.send({ type: "act" });
    expect(await client.hear(1)).toMatchObject([denied]);
    expect([looks, handled]).toEqual([0, []]);
  });

  it.each([
    ["everybody", everybody, {}],
    ["whoever is authenticated", authenticated, identity({})],
    [
      "whoever was granted a scope in a text",
      withScope("admin"),
      identity({ scope: "chat admin" }),
    ],
    [
      "whoever was granted scopes in a list",
      withScope("admin", "chat"),
      identity({ scp: ["admin", "chat"] }),
    ],
    ["whom a promise lets in", () => Promise.resolve(true), {}],
  ])("is given to %s", async (_, allow, connection) => {
    const { url } = await chat(
      { types: { act: message({ schema: anything, allow }) } },
      undefined,
      connection,
    );
    const client = await connect(url);
    client.send({ type: "act" });
    expect(await client.hear(1)).toMatchObject([{ type: "act" }]);
  });

  it("does not come from what the message claims", async () => {
    const { url } = await chat(
      { types: { act: message({ schema: anything, allow: withScope("admin") }) } },
      undefined,
      identity({ scope: "chat" }),
    );
    const client = await connect(url);
    client.send({ type: "act", scope: "admin", identity: identity({ scope: "admin" }) });
    expect(await client.hear(1)).toMatchObject([denied]);
  });

  it("may go by the data, once its schema has let that through", async () => {
    const act = message({
      schema: z.object({ room: z.string() }),
      allow: everybody,
      allowData: async (_, { room }) => room === "lobby",
    });
    const { url } = await chat({ types: { act } });
    const client = await connect(url);
    client.send({ type: "act", room: "attic" }, { type: "act", room: "lobby" });
    expect(await client.hear(2)).toMatchObject([denied, { type: "act", data: { room: "lobby" } }]);
  });
});

describe("the budget of a connection", () => {
  const dear = message({ schema: anything, allow: everybody, cost: 3 });

  it("is spent by each type's cost, and says when there is enough again", async () => {
    const { url, handled } = await chat({
      types: { say, dear },
      budget: { limit: 5, windowMs: hour },
    });
    const client = await connect(url);
    client.send({ type: "dear" }, { type: "dear" }, hello, hello);
    const [, second, third, fourth] = (await client.hear(4)) as { retryAfterMs?: number }[];
    expect(second).toMatchObject({ code: "message_over_budget", of: "dear", position: 2 });
    expect(second?.retryAfterMs).toBeGreaterThan(hour / 10);
    expect(third).toMatchObject({ type: "say" });
    expect(fourth).toMatchObject({ code: "message_over_budget", position: 4 });
    expect(handled.map(([type]) => type)).toEqual(["dear", "say"]);
  });

  it("is spent by what is wrong too, and what is beyond is not even read", async () => {
    const { url } = await chat({ budget: { limit: 1, windowMs: hour } });
    const client = await connect(url);
    client.send("{", "{");
    expect(await client.hear(2)).toMatchObject([
      { code: "json_malformed" },
      { code: "message_over_budget" },
    ]);
  });

  it("is each connection's own", async () => {
    const { url } = await chat({ budget: { limit: 1, windowMs: hour } });
    for (const client of [await connect(url), await connect(url)]) {
      client.send(hello);
      expect(await client.hear(1)).toMatchObject([{ type: "say" }]);
    }
  });

  it("may be without end", async () => {
    const { url } = await chat({ budget: false });
    const client = await connect(url);
    client.send(...Array.from({ length: 300 }, () => hello));
    expect(await client.hear(300)).not.toContainEqual(expect.objectContaining({ type: "error" }));
  });
});

describe("messages that take time", () => {
  const slow = message({
    schema: z.object({ n: z.number().refine(async (n) => n < 5) }),
    allow: async () => true,
  });

  it("are handled one after the other, in their order", async () => {
    let running = 0;
    const { url, handled } = await chat({ types: { say, slow } }, async (data, type, socket) => {
      expect(++running).toBe(1);
      await Promise.resolve();
      running--;
      socket.send(JSON.stringify({ type, data }));
    });
    const client = await connect(url);
    client.send({ type: "slow", n: 1 }, hello, { type: "slow", n: 2 }, hello, {
      type: "slow",
      n: 9,
    });
    const heard = await client.hear(5);
    expect(handled.map(([type]) => type)).toEqual(["slow", "say", "slow", "say"]);
    expect(heard[4]).toMatchObject({ code: "message_invalid", position: 5 });
  });

  it("let a bounded number wait behind them", async () => {
    const gate = deferred<void>();
    const { url, handled } = await chat({ maxWaiting: 2 }, () => gate.promise);
    const client = await connect(url);
    client.send(hello, hello, hello, hello);
    expect(await client.hear(1)).toMatchObject([{ code: "messages_waiting", position: 4 }]);
    gate.resolve();
    await expect.poll(() => handled.length).toBe(3);
  });

  it("let no more bytes wait than four messages may have", async () => {
    const gate = deferred<void>();
    const { url } = await chat({ maxBytes: 50 }, () => gate.promise);
    const client = await connect(url);
    const long = { type: "say", text: "x".repeat(20) };
    client.send(hello, ...Array.from({ length: 5 }, () => long), "x".repeat(51));
    expect(await client.hear(2)).toMatchObject([
      { code: "messages_waiting", position: 6 },
      { code: "message_too_long", position: 7 },
    ]);
    gate.resolve();
  });

  it("have nothing done any more for clients that have left", async () => {
    const gate = deferred<boolean>();
    const { url, handled } = await chat({
      types: { act: message({ schema: anything, allow: () => gate.promise }) },
    });
    const client = await connect(url);
    client.send({ type: "act" }, { type: "act" });
    client.socket.close();
    await client.closed;
    gate.resolve(true);
    await gate.promise;
    await new Promise(setImmediate);
    expect(handled).toEqual([]);
  });
});

describe("what goes wrong in the application", () => {
  const broken = new Error("secret detail");
  const fail = (): never => {
    throw broken;
  };
  const types = (parts: object) => ({
    types: { say, act: message({ schema: anything, allow: everybody, ...parts }) },
  });

  it.each([
    ["a handler throws", types({}), fail],
    ["a handler rejects", types({}), () => Promise.reject(broken)],
    ["a handler answers with a then that throws", types({}), () => new Proxy({}, { get: fail })],
    ["a schema throws", types({ schema: fail }), undefined],
    ["a schema rejects", types({ schema: () => Promise.reject(broken) }), undefined],
    ["the right to send throws", types({ allow: fail }), undefined],
    ["the right to send this data throws", types({ allowData: fail }), undefined],
    [
      "finding the type throws",
      { ...types({}), typeOf: (m: unknown) => ((m as typeof hello).text ? "say" : fail()) },
      undefined,
    ],
  ] as const)("is reported and answered without detail where %s", async (_, options, handle) => {
    const thrown = captureThrown();
    const { url, errors } = await chat(options as never, (data, type, socket) =>
      type === "act" && handle ? handle() : socket.send(JSON.stringify({ type, data })),
    );
    const client = await connect(url);
    client.send({ type: "act" }, hello);
    const heard = await client.hear(2);
    expect(heard).toMatchObject([{ code: "message_failed", position: 1 }, { type: "say" }]);
    expect(JSON.stringify(heard)).not.toContain("secret");
    expect(errors).toEqual([broken]);
    expect(thrown).toEqual([]);
  });

  it("closes with 1011 by policy", async () => {
    const { url } = await chat({ onFault: "close" }, fail);
    const client = await connect(url);
    client.send(hello);
    expect(await client.closed).toEqual([1011, "message_failed"]);
  });

  it.each([
    ["throws", fail],
    ["rejects", () => Promise.reject(broken)],
  ])("ends nothing where onError %s too", async (_, onError) => {
    const thrown = captureThrown();
    const { url } = await chat({ onError }, fail);
    const client = await connect(url);
    client.send(hello);
    expect(await client.hear(1)).toMatchObject([{ code: "message_failed" }]);
    await new Promise(setImmediate);
    expect(thrown).toEqual([]);
  });

  it("does not end the process where a frame is malformed and nobody listens for errors", async () => {
    const thrown = captureThrown();
    const { url } = await chat();
    const client = await dial(Number(new URL(url).port));
    client.send(handshakeText());
    await client.until("\r\n\r\n");
    client.send(Buffer.from([0xf1, 0x80, 0, 0, 0, 0]));
    await client.ended;
    expect(thrown).toEqual([]);
  });
});

describe("binary messages", () => {
  it("may be JSON in UTF-8", async () => {
    const { url } = await chat({ binary: "json" });
    const client = await connect(url);
    client.send(Buffer.from(JSON.stringify(hello)), Buffer.from([0x22, 0xff, 0x22]));
    expect(await client.closed).toEqual([1007, "text_malformed"]);
    expect(client.heard).toEqual([{ type: "say", data: { text: "hello" } }]);
  });

  it("may be a type of their own, with its right, schema and cost", async () => {
    const binary = message({
      schema: (bytes): bytes is Uint8Array => bytes instanceof Uint8Array && bytes[0] === 1,
      allow: everybody,
    });
    const { url } = await chat({ types: {}, binary, maxBytes: 4 }, (data, type, socket) =>
      socket.send(JSON.stringify({ type, bytes: [...(data as Uint8Array)] })),
    );
    const client = await connect(url);
    client.send(Buffer.from([1, 2]), Buffer.from([2]), Buffer.alloc(5), "{}");
    expect(await client.hear(4)).toMatchObject([
      { type: "binary", bytes: [1, 2] },
      { code: "message_invalid" },
      { code: "message_too_long" },
      { code: "text_unsupported" },
    ]);
  });
});
