import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readAddressRanges } from "../../../packages/core/src/handshake/address-ranges.ts";
import {
  compileRanges,
  isAligned,
  parseAddressRange,
} from "../../../packages/core/src/parse/address-range.ts";
import { parseIpAddress } from "../../../packages/core/src/parse/ip-address.ts";
import { numberOf } from "./addresses.ts";

describe("a range", () => {
  it.each([
    ["10.0.0.0/8", "10.0.0.0", 8],
    ["192.0.2.1", "192.0.2.1", 32],
    ["2001:db8::/32", "2001:db8::", 32],
    ["::1", "::1", 128],
    ["0.0.0.0/0", "0.0.0.0", 0],
    ["::ffff:10.0.0.0/104", "10.0.0.0", 8],
    ["::ffff:10.0.0.1", "10.0.0.1", 32],
  ])("%s begins at %s and fixes %i bits", (text, base, prefixBits) => {
    const range = parseAddressRange(text);
    expect([range?.base.text, range?.prefixBits]).toEqual([base, prefixBits]);
  });

  it.each([
    "",
    "/8",
    "10.0.0.0/",
    "10.0.0.0/33",
    "10.0.0.0/08",
    "10.0.0.0/-1",
    "10.0.0.0/8 ",
    "10.0.0.0/8/8",
    "10.0.0.0/1e1",
    "10.0.0.0/255.0.0.0",
    "10.0.0/8",
    "::/129",
    "::/0128",
    // All of IPv4 by another name (CVE-2026-90711).
    "::ffff:10.0.0.0/8",
    "::ffff:0:0/95",
  ])("%j is none", (text) => {
    expect(parseAddressRange(text)).toBeUndefined();
  });

  it("is aligned where no bit is set behind its prefix", () => {
    const aligned = (text: string): boolean => {
      const range = parseAddressRange(text);
      return range !== undefined && isAligned(range);
    };
    expect(["10.0.0.0/8", "fc00::/7", "192.0.2.1", "0.0.0.0/0"].filter(aligned)).toHaveLength(4);
    expect(["10.0.0.1/8", "fc00::1/7", "2001:db8:8000::/32"].filter(aligned)).toEqual([]);
  });
});

describe("compiled ranges", () => {
  const isInside = (ranges: readonly string[], address: string): boolean => {
    const parsed = parseIpAddress(address);
    return parsed !== undefined && compileRanges(readAddressRanges("test", ranges))(parsed);
  };

  it.each([
    ["loopback", "127.0.0.1"],
    ["loopback", "127.255.255.255"],
    ["loopback", "::1"],
    ["loopback", "::ffff:127.0.0.1"],
    ["linklocal", "169.254.1.1"],
    ["linklocal", "febf::1"],
    ["private", "10.255.0.1"],
    ["private", "172.31.255.255"],
    ["private", "192.168.0.1"],
    ["private", "fd00::1"],
  ])("%s holds %s", (name, address) => {
    expect(isInside([name], address)).toBe(true);
  });

  it.each([
    ["loopback", "128.0.0.1"],
    ["loopback", "::2"],
    ["loopback", "::127.0.0.1"],
    ["private", "172.32.0.0"],
    ["private", "11.0.0.0"],
    ["linklocal", "fec0::1"],
    ["0.0.0.0/0", "::1"],
    ["::/0", "127.0.0.1"],
  ])("%s does not hold %s", (name, address) => {
    expect(isInside([name], address)).toBe(false);
  });

  it("without any range hold nothing", () => {
    expect(isInside([], "127.0.0.1")).toBe(false);
  });

  it("agree with arithmetic on whole numbers", () => {
    const block = fc.oneof(
      fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })),
      fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 128 })),
    );
    const near = fc.tuple(fc.nat(4), fc.constantFrom(-1n, 0n, 1n, 255n, 65_536n));
    fc.assert(
      fc.property(
        fc.array(block, { minLength: 1, maxLength: 5 }),
        fc.oneof(near, fc.ipV4(), fc.ipV6()),
        (blocks, chosen) => {
          const ranges = blocks.flatMap(([text, bits]) => {
            const range = parseAddressRange(`${text}/${bits}`);
            // What is not aligned never comes this far: the base is cut as the configuration asks for.
            return range === undefined ? [] : [alignedRange(text, bits)];
          });
          const address = typeof chosen === "string" ? chosen : neighbourOf(blocks, chosen);
          const parsed = parseIpAddress(address);
          if (parsed === undefined) return;
          const isIn = compileRanges(
            ranges.flatMap((text) => {
              const range = parseAddressRange(text);
              return range === undefined ? [] : [range];
            }),
          )(parsed);
          expect(isIn).toBe(ranges.some((range) => slowlyInside(range, address)));
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

function alignedRange(text: string, written: number): string {
  const { value, bits } = numberOf(text);
  const isMapped = bits === 32 && text.includes(":");
  const prefix = isMapped ? Math.max(0, written - 96) : written;
  const free = BigInt(bits - prefix);
  return `${textOf((value >> free) << free, bits)}/${prefix}`;
}

function slowlyInside(range: string, address: string): boolean {
  const [base = "", prefix] = range.split("/");
  const block = numberOf(base);
  const one = numberOf(address);
  const free = BigInt(block.bits - Number(prefix));
  return block.bits === one.bits && block.value >> free === one.value >> free;
}

/** An address at, or beside, the edge of one of the blocks. */
function neighbourOf(
  blocks: readonly (readonly [string, number])[],
  [index, step]: readonly [number, bigint],
): string {
  const { value, bits } = numberOf(blocks[index % blocks.length]?.[0] ?? "0.0.0.0");
  const size = 1n << BigInt(bits);
  return textOf((value + step + size) % size, bits);
}

const textOf = (value: bigint, bits: number): string =>
  bits === 32
    ? [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 255n)).join(".")
    : Array.from({ length: 8 }, (_, index) =>
        ((value >> BigInt(112 - index * 16)) & 0xffffn).toString(16),
      ).join(":");
