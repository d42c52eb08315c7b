import { Buffer } from "node:buffer";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decodeBase64url,
  encodeBase64url,
  isCanonicalBase64url,
  isCompactJws,
} from "../../../packages/core/src/parse/base64url.ts";

const letters = fc.string({
  unit: fc.constantFrom(..."AQgwBCDEFxyz0189-_+/= \n."),
  maxLength: 9,
});

describe("canonical base64url", () => {
  it("is what bytes are written as", () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(encodeBase64url(bytes)).toBe(Buffer.from(bytes).toString("base64url"));
      }),
    );
  });

  it("is what Buffer writes back letter for letter", () => {
    fc.assert(
      fc.property(letters, (text) => {
        const isCanonical = Buffer.from(text, "base64url").toString("base64url") === text;
        expect(isCanonicalBase64url(text)).toBe(isCanonical);
      }),
      { numRuns: 3_000 },
    );
  });

  it("is every spelling that Buffer makes of bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(isCanonicalBase64url(Buffer.from(bytes).toString("base64url"))).toBe(true);
      }),
    );
  });

  it.each(["YQ==", "Y", "YR", "YWK", "YW+/", "YQ\n", " YQ", "YQ ", "ｙQ", "Y\u0000"])(
    "%j is not",
    (text) => {
      expect(isCanonicalBase64url(text)).toBe(false);
    },
  );
});

describe("decoded base64url", () => {
  it("is the text whose UTF-8 it spells, a byte order mark included", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        expect(decodeBase64url(Buffer.from(text).toString("base64url"))).toBe(text);
      }),
    );
    expect(decodeBase64url(Buffer.from("\uFEFFa").toString("base64url"))).toBe("\uFEFFa");
  });

  it.each([
    ["not canonical", "YR"],
    ["not UTF-8", "_w"],
    ["a lone surrogate's bytes", Buffer.from([0xed, 0xa0, 0x80]).toString("base64url")],
  ])("is nothing where it is %s", (_, text) => {
    expect(decodeBase64url(text)).toBeUndefined();
  });
});

describe("a compact JWS", () => {
  it.each(["YQ.YQ.YQ", "e30.e30.AAAA"])("%s has its form", (text) => {
    expect(isCompactJws(text)).toBe(true);
  });

  it.each([
    "",
    "YQ",
    "YQ.YQ",
    "YQ.YQ.",
    ".YQ.YQ",
    "YQ..YQ",
    "YQ.YQ.YQ.YQ",
    "YQ.YQ.YQ.YQ.YQ",
    "YQ.YQ.YR",
    "YQ.YQ.YQ=",
    "YQ .YQ.YQ",
  ])("%j has not", (text) => {
    expect(isCompactJws(text)).toBe(false);
  });
});
