import { isIPv4, isIPv6 } from "node:net";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  maskOf,
  parseIpAddress,
  parsePeerAddress,
  prefixOf,
} from "../../../packages/core/src/parse/ip-address.ts";
import { addressLike, groupsOf, rfc5952 } from "./addresses.ts";

const textOf = (text: string): string | undefined => parseIpAddress(text)?.text;

describe("an address is read in one spelling of each kind", () => {
  it.each([
    ["192.0.2.1", "192.0.2.1"],
    ["0.0.0.0", "0.0.0.0"],
    ["255.255.255.255", "255.255.255.255"],
    ["2001:DB8:0:0::1", "2001:db8::1"],
    ["::", "::"],
    ["fe80::1", "fe80::1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["::FFFF:c000:201", "192.0.2.1"],
    ["0:0:0:0:0:ffff:192.0.2.1", "192.0.2.1"],
    ["64:ff9b::192.0.2.1", "64:ff9b::c000:201"],
    ["::127.0.0.1", "::7f00:1"],
  ])("reads %s as %s", (text, canonical) => {
    expect(textOf(text)).toBe(canonical);
  });
});

describe("what kinder parsers read as some address is none", () => {
  it.each([
    "",
    "127.1",
    "2130706433",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "010.0.0.1",
    "127.0.0.01",
    "1.2.3",
    "1.2.3.4.5",
    "1.2.3.256",
    "1.2.3.",
    ".1.2.3",
    "1..2.3",
    " 127.0.0.1",
    "127.0.0.1 ",
    "127.0.0.1\n",
    "127.0.0.1:80",
    "1.2.3.-4",
    "１27.0.0.1",
    "::ffff:010.0.0.1",
    "::ffff:1.2.3",
    "1.2.3.4:",
    "::1.2.3.4:5",
    ":::",
    "1::2::3",
    "12345::",
    "00000::",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7:8::",
    "fe80::1%eth0",
    "[::1]",
    "::g",
    `${"0:".repeat(30)}1`,
  ])("%j", (text) => {
    expect(parseIpAddress(text)).toBeUndefined();
  });
});

describe("a socket's address", () => {
  it.each([
    ["fe80::1%eth0", "fe80::1"],
    ["::ffff:10.0.0.1", "10.0.0.1"],
    ["10.0.0.1", "10.0.0.1"],
  ])("%s is %s, its zone left out", (text, canonical) => {
    expect(parsePeerAddress(text)?.text).toBe(canonical);
  });

  it("is unknown where the runtime does not tell", () => {
    expect(parsePeerAddress(undefined)).toBeUndefined();
  });

  it("is unknown where it is no address", () => {
    expect(parsePeerAddress("/run/app.sock")).toBeUndefined();
  });
});

describe("properties", () => {
  it("what is an address is exactly what node:net says is one, zones left out", () => {
    fc.assert(
      fc.property(addressLike, (text) => {
        const isOne = isIPv4(text) || (isIPv6(text) && !text.includes("%"));
        expect(parseIpAddress(text) !== undefined).toBe(isOne);
      }),
      { numRuns: 3_000 },
    );
  });

  it("its canonical text is that of RFC 5952, and mapped addresses are IPv4", () => {
    fc.assert(
      fc.property(addressLike, (text) => {
        const address = parseIpAddress(text);
        if (address === undefined) return;
        expect(address.text).toBe(rfc5952(groupsOf(text)));
      }),
      { numRuns: 3_000 },
    );
  });

  it("reading the canonical text again changes nothing", () => {
    fc.assert(
      fc.property(addressLike, (text) => {
        const address = parseIpAddress(text);
        if (address !== undefined) expect(parseIpAddress(address.text)).toEqual(address);
      }),
      { numRuns: 1_000 },
    );
  });

  it("a prefix is shared by exactly the addresses that agree in its bits", () => {
    const anyWords = fc.tuple(...[1, 2, 3, 4].map(() => fc.nat(0xffff_ffff)));
    fc.assert(
      fc.property(anyWords, fc.nat(127), fc.integer({ min: 0, max: 128 }), (words, flip, bits) => {
        const [a = 0, b = 0, c = 0, d = 0] = words;
        const flipped = words.map((word, index) =>
          index === flip >>> 5 ? (word ^ (1 << (31 - (flip & 31)))) >>> 0 : word,
        );
        const [e = 0, f = 0, g = 0, h = 0] = flipped;
        const one = prefixOf({ family: 6, words: [a, b, c, d], text: "" }, bits);
        const other = prefixOf({ family: 6, words: [e, f, g, h], text: "" }, bits);
        expect(one === other).toBe(flip >= bits);
      }),
      { numRuns: 1_000 },
    );
  });

  it("a mask keeps that many leading bits", () => {
    for (let bits = -2; bits <= 34; bits++) {
      const kept = Math.min(32, Math.max(0, bits));
      expect(maskOf(bits).toString(2)).toBe(
        kept === 0 ? "0" : "1".repeat(kept) + "0".repeat(32 - kept),
      );
    }
  });
});
