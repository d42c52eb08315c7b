import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { inspectJson, type JsonText } from "../../packages/messages/src/json/inspect-json.ts";
import { defaultBounds, type JsonBounds } from "../../packages/messages/src/json/json-bounds.ts";
import { readJson } from "../../packages/messages/src/json/read-json.ts";
import { slowFaults } from "./slow-json.ts";

const read = (message: string | Uint8Array, bounds: Partial<JsonBounds> = {}) =>
  readJson(message, { ...defaultBounds, ...bounds });

describe("a text that is out of bounds", () => {
  it.each([
    ["longer than allowed", '"aaa"', { maxBytes: 4 }, "message_too_long"],
    ["longer in bytes than in letters", '"€€"', { maxBytes: 7 }, "message_too_long"],
    ["nested too deeply", "[[[]]]", { maxDepth: 2 }, "json_too_deep"],
    ["nested more deeply than any stack", "[".repeat(60_000), {}, "json_too_deep"],
    ["with too many elements", "[1,2,3]", { maxKeys: 2 }, "json_too_many_keys"],
    ["with too many keys", '{"a":{"b":1},"c":2}', { maxKeys: 2 }, "json_too_many_keys"],
    ["with too many keys without values", '{"a","b","c"}', { maxKeys: 2 }, "json_too_many_keys"],
    ["with a long string", '["aaaa"]', { maxStringLength: 3 }, "json_string_too_long"],
    ["with a long key", '{"aaaa":1}', { maxStringLength: 3 }, "json_string_too_long"],
    ["with a number of 41 digits", `[${"1".repeat(41)}]`, {}, "json_number_unfit"],
    ["with a number beyond all numbers", "[-1e999]", {}, "json_number_unfit"],
    ["with a key that stands twice", '{"a":1,"b":2,"a":3}', {}, "json_key_duplicate"],
    ["with a key twice, once in disguise", '{"a":1,"\\u0061":2}', {}, "json_key_duplicate"],
    ["with a key twice, further in", '[{"b":{"a":1,"a":1}}]', {}, "json_key_duplicate"],
    ["with a key twice among many", manyKeys("k7"), {}, "json_key_duplicate"],
    ["with __proto__", '{"a":{"__proto__":{"isAdmin":true}}}', {}, "json_key_forbidden"],
    ["with __proto__ in disguise", '{"__pr\\u006fto__":1}', {}, "json_key_forbidden"],
    ["with constructor", '{"constructor":{"prototype":1}}', {}, "json_key_forbidden"],
    ["with half a letter as an escape", '["\\ud83d"]', {}, "text_malformed"],
    ["with half a letter before another escape", '["\\ud83d\\n\\ude00"]', {}, "text_malformed"],
    ["with the second half alone", '["\\ude00"]', {}, "text_malformed"],
    ["with half a letter as such", '["\ud83d"]', {}, "text_malformed"],
    ["that is none", "", {}, "json_malformed"],
    ["that ends too soon", '{"a":"', {}, "json_malformed"],
    ["that ends within an escape", '"\\', {}, "json_malformed"],
    ["that closes what is not open", "]", {}, "json_malformed"],
    ["with a byte order mark", "\ufeff{}", {}, "json_malformed"],
    ["with a comment", "[1/*,*/]", {}, "json_malformed"],
    ["with a line break in a string", '["a\nb"]', {}, "json_malformed"],
  ] as const)("%s is refused", (_, text, bounds, fault) => {
    expect(read(text, bounds)).toEqual({ fault });
  });

  it.each([
    ["a byte that no UTF-8 has", [0x22, 0xff, 0x22], "text_malformed"],
    ["a letter that is written too long", [0x22, 0xc0, 0xaf, 0x22], "text_malformed"],
    ["half of a pair", [0x22, 0xed, 0xa0, 0xbd, 0x22], "text_malformed"],
    ["a letter that ends too soon", [0x22, 0xe2, 0x82], "text_malformed"],
    ["a byte order mark", [0xef, 0xbb, 0xbf, 0x31], "json_malformed"],
  ] as const)("bytes with %s are refused", (_, bytes, fault) => {
    expect(read(Uint8Array.from(bytes))).toEqual({ fault });
  });
});

describe("a text within its bounds", () => {
  it.each([
    ["of exactly the bytes", '"€"', { maxBytes: 5 }],
    ["of exactly the depth", '[[{"a":1}]]', { maxDepth: 3 }],
    ["of exactly the keys", '{"a":[1,2],"b":{}}', { maxKeys: 4 }],
    [
      "with exactly the letters once decoded",
      '["\\u0061\\n\\"\\ud83d\\ude00"]',
      { maxStringLength: 5 },
    ],
    ["with the same key in different objects", '{"a":{"a":[{"a":1},{"a":2}]}}', {}],
    ["with the same text as key and value", '{"a":"a","b":["a","a"]}', {}],
    ["with many keys", manyKeys(), {}],
    ["with names of the prototype as values", '["__proto__","constructor"]', {}],
    ["with a whole pair of escapes", '["\\uD83D\\uDE00"]', {}],
    [
      "with a long string and escapes behind it",
      `["${"a".repeat(90)}","\\n${"b".repeat(90)}\\\\"]`,
      {},
    ],
    ["with numbers of all kinds", "[-0,1.5e+3,1E-7,12345678901234567890]", {}],
    ["that is a scalar", " null ", {}],
  ] as const)("%s is what JSON.parse makes of it", (_, text, bounds) => {
    expect(read(text, bounds)).toEqual({ value: JSON.parse(text) });
    expect(read(Buffer.from(text), bounds)).toEqual({ value: JSON.parse(text) });
  });

  it("may have a key that was allowed by name", () => {
    const text = '{"constructor":"Ferrari"}';
    expect(read(text, { forbiddenKeys: ["__proto__"] })).toEqual({ value: JSON.parse(text) });
  });
});

function manyKeys(last = "last"): string {
  const names = [...Array.from({ length: 40 }, (_, index) => `k${index}`), last];
  return `{${names.map((name) => `"${name}":0`).join()}}`;
}

/** Small, so that texts are often just within or just beyond them. */
const someBounds: fc.Arbitrary<JsonBounds> = fc.record({
  maxBytes: fc.integer({ min: 1, max: 120 }),
  maxDepth: fc.integer({ min: 1, max: 4 }),
  maxKeys: fc.integer({ min: 1, max: 12 }),
  maxStringLength: fc.integer({ min: 1, max: 30 }),
  forbiddenKeys: fc.constantFrom([], ["__proto__"], defaultBounds.forbiddenKeys),
});

const pieces = [
  ...'{}[]",:\\ \n\t-+.0123456789eEtfnu/ab€',
  ...[
    "true",
    "false",
    "null",
    '"a"',
    '"b":',
    '"a":1,',
    '"\\u0061":',
    '"__proto__":',
    "1e999",
    "-0.5",
  ],
  ...[
    "\\ud83d",
    "\\ude00",
    "\ud83d",
    "😀",
    '"constructor":{}',
    "[[",
    "]]",
    "a".repeat(30),
    "7".repeat(41),
  ],
];
const anyText = fc
  .array(fc.constantFrom(...pieces), { maxLength: 25 })
  .map((some) => some.join(""));

/** JSON with every way to write a letter, and keys that often meet. */
const { json } = fc.letrec<{ json: string; text: string; member: string }>((tie) => ({
  text: fc
    .array(
      fc.constantFrom(
        "a",
        "b",
        "\\u0061",
        "\\n",
        '\\"',
        "\\\\",
        "€",
        "😀",
        "\\ud83d\\ude00",
        "\\ud83d",
        "x".repeat(26),
      ),
      { maxLength: 3 },
    )
    .map((letters) => `"${letters.join("")}"`),
  member: fc
    .tuple(fc.oneof(tie("text"), fc.constantFrom('"__proto__"', '"prototype"', '"c"')), tie("json"))
    .map((both) => both.join(" : ")),
  json: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom("1", "-2.5e3", "true", "false", "null", "1e400", "9".repeat(41), " 0 "),
    tie("text"),
    fc.array(tie("json"), { maxLength: 4 }).map((some) => `[${some.join()}]`),
    fc.array(tie("member"), { maxLength: 10 }).map((some) => `{ ${some.join(" , ")} }`),
  ),
}));

describe("any text at all", () => {
  const property = (texts: fc.Arbitrary<string>) =>
    fc.property(texts, someBounds, fc.boolean(), (text, bounds, asBytes) => {
      const reading = readJson(asBytes ? Buffer.from(text) : text, bounds);
      // Bytes cannot hold half a letter.
      const faults = slowFaults(asBytes ? Buffer.from(text).toString() : text, bounds);
      if (faults.size === 0) expect(reading).toEqual({ value: JSON.parse(text) });
      else if (faults.has("json_malformed")) expect(reading).toHaveProperty("fault");
      else expect([...faults]).toContain((reading as { fault?: unknown }).fault);
    });

  it("is judged as a slow reader judges it", () => {
    fc.assert(property(anyText), { numRuns: 10_000 });
  });

  it("that is JSON is judged as a slow reader judges it", () => {
    fc.assert(property(json), { numRuns: 10_000 });
  });

  it("never makes it throw, whatever the bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), someBounds, (bytes, bounds) => {
        const reading = readJson(bytes, bounds);
        expect("value" in reading || "fault" in reading).toBe(true);
      }),
      { numRuns: 3_000 },
    );
  });
});

/** A string that counts how many of its letters are looked at. */
function counted(text: string): { readonly text: JsonText; readonly looked: () => number } {
  let looked = 0;
  return {
    looked: () => looked,
    text: {
      length: text.length,
      charCodeAt: (at) => {
        looked++;
        return text.charCodeAt(at);
      },
      indexOf: (wanted, from = 0) => {
        const found = text.indexOf(wanted, from);
        looked += (found === -1 ? text.length : found) - from + 1;
        return found;
      },
      slice: (from = 0, to = text.length) => {
        looked += to - from;
        return text.slice(from, to);
      },
      startsWith: (wanted, from = 0) => {
        looked += wanted.length;
        return text.startsWith(wanted, from);
      },
    },
  };
}

describe("the work for a text", () => {
  const open: JsonBounds = {
    maxBytes: 1e9,
    maxDepth: 1e9,
    maxKeys: 1e9,
    maxStringLength: 1e9,
    forbiddenKeys: defaultBounds.forbiddenKeys,
  };
  const workFor = (text: string): number => {
    const { text: watched, looked } = counted(text);
    inspectJson(watched, open);
    return looked();
  };
  const listOf = (count: number, one: (index: number) => string): string =>
    Array.from({ length: count }, (_, index) => one(index)).join();

  it.each([
    ["one long string", (n: number) => `"${"a".repeat(n)}"`],
    ["one long string of escapes", (n: number) => `"${"\\n".repeat(n)}"`],
    ["one long string of quotes", (n: number) => `"${'\\"'.repeat(n)}"`],
    [
      "strings of a middle length",
      (n: number) => `[${listOf(n / 50, () => `"${"a".repeat(50)}"`)}]`,
    ],
    [
      "such strings before one backslash",
      (n: number) => `[${listOf(n / 50, () => `"${"a".repeat(50)}"`)},"\\n"]`,
    ],
    [
      "such strings with an escape each",
      (n: number) => `[${listOf(n / 50, () => `"${"a".repeat(50)}\\n"`)}]`,
    ],
    ["nothing but depth", (n: number) => "[".repeat(n)],
    ["objects in objects", (n: number) => `${'{"a":'.repeat(n / 5)}1${"}".repeat(n / 5)}`],
    [
      "small objects with keys as long as can be",
      (n: number) => `{${listOf(8, (index) => `"${"a".repeat(n / 8)}${index}":1`)}}`,
    ],
    [
      "an object with many keys that a hash table would hate",
      (n: number) => `{${listOf(n / 10, (index) => `"${1e8 + index * 65_536}":1`)}}`,
    ],
    [
      "an object with many keys in disguise",
      (n: number) => `{${listOf(n / 10, (index) => `"\\u0061${index}":1`)}}`,
    ],
    ["digits", (n: number) => "1".repeat(n)],
    ["exponents", (n: number) => `[${listOf(n / 5, () => "1e10")}]`],
    ["strings that never end", (n: number) => '"\\'.repeat(n)],
  ] as const)("of %s grows as its length does, and no faster", (_, make) => {
    const [small, large] = [make(20_000), make(80_000)];
    const growth = workFor(large) / workFor(small);
    expect(growth).toBeLessThan((large.length / small.length) * 1.1);
    expect(workFor(large)).toBeLessThan(9 * large.length);
  });
});
