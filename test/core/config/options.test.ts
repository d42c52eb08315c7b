import { type RateLimitOptions, rateLimit } from "@firmshake/core";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import {
  aBoolean,
  aCount,
  aFunction,
  anObject,
  anything,
  aPositiveInteger,
  aPositiveNumber,
  aText,
  aTextList,
  aTimeoutMs,
  aWholeNumber,
  either,
  kindOf,
  nearestName,
  type OptionRule,
  oneOf,
  readOptions,
} from "../../../packages/core/src/config/options.ts";
import { thrownBy } from "../../support/handshakes.ts";

interface Sample {
  readonly limit?: number;
  readonly insecureAll?: boolean;
  readonly name?: string;
}
const rules = { limit: aPositiveInteger, insecureAll: aBoolean, name: aText };
const read = (options: unknown): Sample => readOptions<Sample>("sample", options, rules, ["limit"]);

afterEach(() => {
  Reflect.deleteProperty(Object.prototype, "insecureAll");
});

describe("an options object", () => {
  it("is read as it stands; what is undefined counts as absent", () => {
    expect({ ...read({ limit: 1, name: undefined }) }).toEqual({ limit: 1, name: undefined });
  });

  it.each([undefined, null, 1, "limit", [], ["limit"], () => 1].map((value) => [value]))(
    "is not %o",
    (value) => {
      expect(thrownBy(() => read(value))).toMatch(
        /^ConfigError: sample: expected an options object, got .*ERR_FIRMSHAKE_OPTION_INVALID/,
      );
    },
  );

  it.each([
    ["limits", 'there is no option "limits". Did you mean "limit"?'],
    ["Limit", 'Did you mean "limit"?'],
    ["insecureAl", 'Did you mean "insecureAll"?'],
    ["windowMs", 'there is no option "windowMs". It takes limit, insecureAll, name.'],
    ["constructor", "It takes limit, insecureAll, name."],
  ])("with %j is answered with the nearest name there is", (name, advice) => {
    const message = thrownBy(() => read({ limit: 1, [name]: 1 }));
    expect(message).toContain("ERR_FIRMSHAKE_OPTION_UNKNOWN");
    expect(message).toContain(advice);
  });

  it("without what is required is answered with what to give", () => {
    expect(thrownBy(() => read({}))).toBe(
      'ConfigError: sample: "limit" is required; give a whole number above 0. (ERR_FIRMSHAKE_OPTION_MISSING)',
    );
  });

  it("never shows a value that may be a secret", () => {
    expect(thrownBy(() => read({ limit: "hunter2" }))).toBe(
      'ConfigError: sample: "limit" must be a whole number above 0, got a value of type string. (ERR_FIRMSHAKE_OPTION_INVALID)',
    );
  });

  it("has no options from a polluted prototype", () => {
    Object.defineProperty(Object.prototype, "insecureAll", { value: true, configurable: true });
    expect(read({ limit: 1 }).insecureAll).toBeUndefined();
  });

  it("is copied: what was looked at is what counts", () => {
    const options = { limit: 1 };
    const copy = read(options);
    options.limit = -1;
    expect(copy.limit).toBe(1);
  });

  it("reads each value once", () => {
    let reads = 0;
    const options = {
      get limit() {
        return reads++ === 0 ? 1 : -1;
      },
    };
    expect(read(options).limit).toBe(1);
  });

  it("is asked for by every factory that takes one", () => {
    const slip = { limit: 1, windowsMs: 1 } as unknown as RateLimitOptions;
    expect(thrownBy(() => rateLimit(slip))).toContain(
      'rateLimit: there is no option "windowsMs". Did you mean "windowMs"?',
    );
  });
});

describe("what an option must be", () => {
  const values = [
    undefined,
    null,
    true,
    0,
    1,
    -1,
    1.5,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    2 ** 31 - 1,
    2 ** 31,
    "",
    "a",
    [],
    ["a"],
    ["a", ""],
    {},
    Math.abs,
  ];
  const table: readonly (readonly [string, OptionRule, readonly unknown[]])[] = [
    ["a boolean", aBoolean, [true]],
    ["a text", aText, ["a"]],
    ["a function", aFunction, [Math.abs]],
    ["an object", anObject, [[], ["a"], ["a", ""], {}]],
    ["anything", anything, values],
    ["a positive number", aPositiveNumber, [1, 1.5, 2 ** 31 - 1, 2 ** 31]],
    ["a positive integer", aPositiveInteger, [1, 2 ** 31 - 1, 2 ** 31]],
    ["a count", aCount, [0, 1, 2 ** 31 - 1, 2 ** 31]],
    ["a list of texts", aTextList, [["a"]]],
    ["one of some words", oneOf("a", "b"), ["a"]],
    ["a whole number in bounds", aWholeNumber(0, 1), [0, 1]],
    ["a time that timers hold", aTimeoutMs, [1, 2 ** 31 - 1]],
    ["either of two", either(aText, aFunction), ["a", Math.abs]],
  ];

  it.each(table)("%s", (_, rule, accepted) => {
    expect(values.filter((value) => rule.accepts(value))).toEqual(accepted);
    expect(rule.expected).not.toBe("");
  });

  it.each([
    [null, "null"],
    [undefined, "undefined"],
    [[], "an empty array"],
    [["secret"], "an array"],
    ["", "an empty string"],
    ["secret", "a value of type string"],
    [0, "0"],
    [false, "false"],
    [{}, "a value of type object"],
    [Math.abs, "a value of type function"],
  ])("%j is called %s", (value, name) => {
    expect(kindOf(value)).toBe(name);
  });
});

describe("the nearest name", () => {
  it("is the one with the fewest edits, none where all are far", () => {
    expect(nearestName("kyes", ["issuer", "keys", "typ"])).toBe("keys");
    expect(nearestName("x", ["issuer", "jwksUri"])).toBeUndefined();
    expect(nearestName("", [])).toBeUndefined();
  });

  it("of a known name is that name", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.string({ minLength: 1, unit: fc.constantFrom(..."abcde") }), {
          minLength: 1,
        }),
        (names) => {
          for (const name of names) expect(nearestName(name, names)).toBe(name);
        },
      ),
    );
  });

  it("is found after any single slip", () => {
    const known = "clockToleranceSeconds";
    fc.assert(
      fc.property(fc.nat(known.length), fc.constantFrom("", "x", "xy"), (at, inserted) => {
        expect(
          nearestName(known.slice(0, at) + inserted + known.slice(at + 1), ["issuer", known]),
        ).toBe(known);
      }),
    );
  });
});
