import fc from "fast-check";
import { expect, it } from "vitest";
import { inspectValue } from "../../packages/messages/src/json/inspect-value.ts";
import { defaultBounds, type JsonBounds } from "../../packages/messages/src/json/json-bounds.ts";
import { slowFaults } from "./slow-json.ts";

const someBounds: fc.Arbitrary<JsonBounds> = fc.record({
  maxBytes: fc.constant(1_000_000),
  maxDepth: fc.integer({ min: 1, max: 4 }),
  maxKeys: fc.integer({ min: 1, max: 12 }),
  maxStringLength: fc.integer({ min: 1, max: 12 }),
  forbiddenKeys: fc.constantFrom([], ["__proto__"], defaultBounds.forbiddenKeys),
});
const text = fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom("\ud83d", "\ude00a"));
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.oneof(
      text,
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.boolean(),
      fc.constant(null),
    ),
    fc.array(tie("value"), { maxLength: 5 }),
    fc
      .array(fc.tuple(fc.oneof(text, fc.constantFrom("__proto__", "prototype")), tie("value")), {
        maxLength: 5,
      })
      .map((entries) => JSON.parse(JSON.stringify(Object.fromEntries(entries))) as unknown),
  ),
}));

it("values that somebody else has parsed are judged as their text would be", () => {
  fc.assert(
    fc.property(value, someBounds, (any, bounds) => {
      const inspection = inspectValue(any, bounds, false);
      const faults = slowFaults(JSON.stringify(any), bounds);
      if (faults.size === 0) expect(inspection).toHaveProperty("bytes");
      else expect([...faults]).toContain((inspection as { fault?: unknown }).fault);
    }),
    { numRuns: 5_000 },
  );
});

it.each([
  ["a date", new Date(0)],
  ["a map", new Map()],
  ["bytes", new Uint8Array(1)],
  ["an object of a class", new (class Any {})()],
])("%s is no JSON", (_, one) => {
  expect(inspectValue({ one }, defaultBounds, false)).toEqual({ fault: "binary_unsupported" });
});

it("bytes count where they may be, and nothing but bytes may", () => {
  const bounds = { ...defaultBounds, maxBytes: 10 };
  expect(inspectValue({ a: new Uint8Array(9) }, bounds, true)).toEqual({ bytes: 10 });
  expect(inspectValue({ a: new Uint8Array(10) }, bounds, true)).toEqual({
    fault: "message_too_long",
  });
  expect(inspectValue(new Date(), bounds, true)).toEqual({ fault: "binary_unsupported" });
});
