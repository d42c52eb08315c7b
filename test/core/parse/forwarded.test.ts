import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseForwarded, parseForwardedFor } from "../../../packages/core/src/parse/forwarded.ts";

const described = (text: string): unknown =>
  parseForwarded(text)?.map(({ address, proto }) => [address?.text, proto]);
const listed = (text: string): unknown =>
  parseForwardedFor(text).map(({ address }) => address?.text);

describe("X-Forwarded-For", () => {
  it.each([
    ["192.0.2.1", ["192.0.2.1"]],
    ["192.0.2.1, 10.0.0.1", ["192.0.2.1", "10.0.0.1"]],
    [" 192.0.2.1\t,10.0.0.1 ", ["192.0.2.1", "10.0.0.1"]],
    ["192.0.2.1:8080", ["192.0.2.1"]],
    ["2001:DB8::1", ["2001:db8::1"]],
    ["[2001:db8::1]:8080", ["2001:db8::1"]],
    ["[2001:db8::1]", ["2001:db8::1"]],
    ["::ffff:10.0.0.1", ["10.0.0.1"]],
  ])("%s names %j", (text, addresses) => {
    expect(listed(text)).toEqual(addresses);
  });

  it.each([
    "",
    "unknown",
    "_hidden",
    "localhost",
    "127.1",
    "010.0.0.1",
    '"192.0.2.1"',
    "for=192.0.2.1",
    "192.0.2.1:",
    "192.0.2.1:x",
    "192.0.2.1:123456",
    "[192.0.2.1]",
    "[2001:db8::1",
    "[2001:db8::1]x",
    "[2001:db8::1]:",
    "fe80::1%eth0",
    "192.0.2.1 10.0.0.1",
  ])("%j is a hop that cannot be told, not one that is skipped", (text) => {
    expect(listed(`${text},10.0.0.1`)).toEqual([undefined, "10.0.0.1"]);
  });
});

describe("Forwarded (RFC 7239)", () => {
  it.each([
    ["for=192.0.2.60;proto=http;by=203.0.113.43", [["192.0.2.60", "http"]]],
    [
      "for=192.0.2.43, for=198.51.100.17",
      [
        ["192.0.2.43", undefined],
        ["198.51.100.17", undefined],
      ],
    ],
    ['For="[2001:db8:cafe::17]:4711"', [["2001:db8:cafe::17", undefined]]],
    ["for=_mdn;proto=HTTPS", [[undefined, "https"]]],
    ["for=unknown", [[undefined, undefined]]],
    ["proto=https", [[undefined, "https"]]],
    ['for="192.0.2.1:\\80"', [["192.0.2.1", undefined]]],
    [
      "for=192.0.2.1 ; proto=https\t,\tfor=_x",
      [
        ["192.0.2.1", "https"],
        [undefined, undefined],
      ],
    ],
    ['host="a,b;c=d";for=192.0.2.1', [["192.0.2.1", undefined]]],
    ["for=[2001:db8::1]", undefined],
  ])("%s names %j", (text, hops) => {
    expect(described(text)).toEqual(hops);
  });

  it.each([
    "",
    ",",
    ";",
    "for",
    "for=",
    "=192.0.2.1",
    "for=192.0.2.1,",
    ",for=192.0.2.1",
    "for=192.0.2.1;",
    "for=192.0.2.1;for=192.0.2.2",
    "for=192.0.2.1;FOR=192.0.2.2",
    "for =192.0.2.1",
    "for= 192.0.2.1",
    'for="192.0.2.1',
    'for="192.0.2.1\\',
    'for="192.0.2.1\\"',
    'for="192.0.2.1"x',
    "for=192.0.2.1 proto=https",
    "for=192.0.2.1:80",
    "192.0.2.1",
  ])("%j is not of the grammar", (text) => {
    expect(parseForwarded(text)).toBeUndefined();
  });

  it("reads back whatever is written by the grammar", () => {
    const node = fc.oneof(
      fc.ipV4().map((text) => ({ text, address: text })),
      fc
        .ipV4()
        .chain((text) =>
          fc.nat(65_535).map((port) => ({ text: `${text}:${port}`, address: text })),
        ),
      fc.nat(0xffff).map((last) => {
        const group = last.toString(16);
        return { text: `[2001:db8::1:${group}]:80`, address: `2001:db8::1:${group}` };
      }),
      fc
        .constantFrom("unknown", "_hidden", "_SEVKISEK")
        .map((text) => ({ text, address: undefined })),
    );
    const element = fc.record({
      node,
      proto: fc.constantFrom("http", "HTTPS", "wss", undefined),
      name: fc.constantFrom("for", "For", "FOR"),
      extension: fc.constantFrom(undefined, 'x="a \\" b, c; for=9.9.9.9"', "by=_p"),
      escapes: fc.boolean(),
      blank: fc.constantFrom("", " ", "\t "),
      isQuoted: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(element, { minLength: 1, maxLength: 5 }), (elements) => {
        const text = elements
          .map(({ node: { text: inner }, proto, name, extension, escapes, blank, isQuoted }) => {
            const needsQuotes = isQuoted || !/^[\w.-]+$/.test(inner);
            const written = escapes ? inner.replace(/./g, "\\$&") : inner;
            const pairs = [needsQuotes ? `${name}="${written}"` : `${name}=${inner}`];
            if (proto !== undefined) pairs.push(`proto=${proto}`);
            if (extension !== undefined) pairs.unshift(extension);
            return pairs.join(`${blank};${blank}`);
          })
          .join(", ");
        const expected = elements.map(({ node: { address }, proto }) => [
          address,
          proto?.toLowerCase(),
        ]);
        expect(described(text)).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });

  it("never throws, whatever stands there", () => {
    const pieces = fc.constantFrom(
      "for",
      "=",
      '"',
      "\\",
      ";",
      ",",
      " ",
      "1.2.3.4",
      "[::1]",
      "proto",
      "é",
    );
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.array(pieces).map((parts) => parts.join("")),
    );
    fc.assert(
      fc.property(text, (value) => {
        parseForwarded(value);
        expect(parseForwardedFor(value)).toHaveLength(value.split(",").length);
      }),
      { numRuns: 1_000 },
    );
  });
});
