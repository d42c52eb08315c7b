import { everybody, message, type Schema } from "@firmshake/messages";
import { Type } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import { Ajv } from "ajv";
import { type } from "arktype";
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { chat, connect } from "./chat.ts";

const jsonSchema = {
  type: "object",
  properties: {
    user: {
      type: "object",
      properties: { name: { type: "string", maxLength: 3 } },
      required: ["name"],
    },
  },
  required: ["user"],
} as const;
const compiled = TypeCompiler.Compile(
  Type.Object({ user: Type.Object({ name: Type.String({ maxLength: 3 }) }) }),
);

/** What each library says of the same: a user, whose name has three letters at most. */
const schemas: readonly (readonly [
  name: string,
  schema: Schema,
  paths: readonly string[] | undefined,
])[] = [
  ["zod", z.object({ user: z.object({ name: z.string().max(3) }) }), ["/user/name"]],
  [
    "valibot",
    v.object({ user: v.object({ name: v.pipe(v.string(), v.maxLength(3)) }) }),
    ["/user/name"],
  ],
  ["arktype", type({ user: { name: "string <= 3" } }), ["/user/name"]],
  ["ajv", new Ajv().compile(jsonSchema), ["/user/name"]],
  ["typebox, compiled", compiled, undefined],
  ["typebox, as a function", (value: unknown) => compiled.Check(value), undefined],
  [
    "zod with a promise",
    z.object({ user: z.object({ name: z.string().refine(async (name) => name.length <= 3) }) }),
    ["/user/name"],
  ],
  ["a function with a promise", async (value: unknown) => compiled.Check(value), undefined],
];

describe.each(schemas)("a schema of %s", (_, schema, paths) => {
  it("lets in what is right, and says where the rest is wrong", async () => {
    const { url } = await chat({
      types: { act: message({ schema, allow: everybody }) },
      showPaths: true,
    });
    const client = await connect(url);
    client.send({ type: "act", user: { name: "ada" } }, { type: "act", user: { name: "adam" } });
    const [right, wrong] = await client.hear(2);
    expect(right).toMatchObject({ type: "act", data: { user: { name: "ada" } } });
    expect(wrong).toMatchObject({ code: "message_invalid", of: "act" });
    expect((wrong as { paths?: unknown }).paths).toEqual(paths);
  });
});

describe("a schema that does not say yes", () => {
  const standard = (answer: unknown): Schema =>
    ({ "~standard": { version: 1, vendor: "test", validate: () => answer } }) as Schema;

  it.each<[string, Schema]>([
    ["answers with something like true", (() => 1) as never],
    ["answers with an object, as ajv does for $async", (async () => ({})) as never],
    ["has a Check that answers with something like true", { Check: () => "yes" } as never],
    ["answers with an empty list of issues", standard({ value: {}, issues: [] })],
    ["answers with neither a value nor issues", standard({})],
  ])("is none where it %s", async (_, schema) => {
    const { url, handled } = await chat({ types: { act: message({ schema, allow: everybody }) } });
    const client = await connect(url);
    client.send({ type: "act" });
    expect(await client.hear(1)).toMatchObject([{ code: "message_invalid" }]);
    expect(handled).toEqual([]);
  });
});

it("paths are few and short, whatever the client's keys are", async () => {
  const { url } = await chat({
    types: {
      act: message({
        schema: z.object({ data: z.record(z.string(), z.number()) }),
        allow: everybody,
      }),
    },
    showPaths: true,
  });
  const client = await connect(url);
  const data = Object.fromEntries(
    Array.from({ length: 9 }, (_, index) => [`${index}/~${"x".repeat(500)}`, "no"]),
  );
  client.send({ type: "act", data });
  const [{ paths }] = (await client.hear(1)) as [{ readonly paths: readonly string[] }];
  expect(paths).toHaveLength(5);
  expect(paths[0]).toBe(`/data/0~1~0${"x".repeat(89)}`);
});
