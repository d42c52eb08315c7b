import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  isHeaderValue,
  isHttpToken,
  parseTokenList,
  trimBlanks,
} from "../../../packages/core/src/parse/http-token.ts";

const anyText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 6 }),
  fc.string({ unit: fc.constantFrom(..."aZ09-_.~ \t,\u00a0\u3000\n\0"), maxLength: 12 }),
);
const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

describe("header texts agree with regular expressions", () => {
  it("on what a token is", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(isHttpToken(text)).toBe(token.test(text));
      }),
      { numRuns: 2_000 },
    );
  });

  it("on every single letter", () => {
    for (let code = 0; code < 0x200; code++) {
      const letter = String.fromCharCode(code);
      expect(isHttpToken(letter), letter).toBe(token.test(letter));
      expect(isHeaderValue(letter), letter).toBe(/^[\t\x20-\x7e\x80-\xff]$/.test(letter));
    }
  });

  it("on which blanks are stripped: those of HTTP, and no others", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(trimBlanks(text)).toBe(text.replace(/^[ \t]+/, "").replace(/[ \t]+$/, ""));
      }),
      { numRuns: 2_000 },
    );
  });

  it("on lists of tokens, which have no empty element", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const parts = text.split(",").map((part) => part.replace(/^[ \t]+|[ \t]+$/g, ""));
        expect(parseTokenList(text)).toEqual(
          parts.every((part) => token.test(part)) ? parts : undefined,
        );
      }),
      { numRuns: 2_000 },
    );
  });

  it("on what may stand as a value", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(isHeaderValue(text)).toBe(/^[\t\x20-\x7e\x80-\xff]*$/.test(text));
      }),
    );
  });
});
