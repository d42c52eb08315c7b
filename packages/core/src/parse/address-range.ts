import { type IpAddress, maskOf, parseIpAddress } from "./ip-address.ts";

/** A block of addresses: a base address and how many of its leading bits count. */
export interface AddressRange {
  readonly base: IpAddress;
  readonly prefixBits: number;
}

/** Ranges that can be written by name instead of in CIDR notation (RFC 6890). */
export const namedRanges: Readonly<Record<string, readonly string[]>> = {
  loopback: ["127.0.0.0/8", "::1/128"],
  linklocal: ["169.254.0.0/16", "fe80::/10"],
  private: ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"],
};

/**
 * Reads one address or one CIDR block (RFC 4632, RFC 4291 §2.3). A block of IPv4-mapped addresses becomes the IPv4 block that it
 * covers; one whose prefix is shorter than 96 would cover all of IPv4, and is not read (CVE-2026-90711).
 */
export function parseAddressRange(text: string): AddressRange | undefined {
  const slash = text.indexOf("/");
  const addressText = slash === -1 ? text : text.slice(0, slash);
  const base = parseIpAddress(addressText);
  if (base === undefined) return undefined;
  const isMapped = base.family === 4 && addressText.includes(":");
  const most = base.family === 4 && !isMapped ? 32 : 128;
  const written = slash === -1 ? most : parsePrefixBits(text.slice(slash + 1), most);
  if (written === undefined) return undefined;
  const prefixBits = isMapped ? written - 96 : written;
  return prefixBits < 0 ? undefined : { base, prefixBits };
}

function parsePrefixBits(text: string, most: number): number | undefined {
  if (text === "" || text.length > 3 || (text.length > 1 && text.startsWith("0"))) return undefined;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code < 0x30 || code > 0x39) return undefined;
  }
  const bits = Number(text);
  return bits <= most ? bits : undefined;
}

/** Whether no bit is set behind the prefix, as in `10.0.0.0/8` and not in `10.0.0.1/8`. */
export function isAligned({ base, prefixBits }: AddressRange): boolean {
  if (base.family === 4) return (base.bits & maskOf(prefixBits)) >>> 0 === base.bits;
  return base.words.every((word, index) => (word & maskOf(prefixBits - index * 32)) >>> 0 === word);
}

/** Compiles ranges into one test: a binary search for IPv4, a few masked comparisons for IPv6. Families never meet. */
export function compileRanges(ranges: readonly AddressRange[]): (address: IpAddress) => boolean {
  const { starts, ends } = mergedIpv4(ranges);
  const ipv6 = ranges.flatMap(({ base, prefixBits }) =>
    base.family === 6
      ? [{ words: base.words, masks: [0, 1, 2, 3].map((index) => maskOf(prefixBits - index * 32)) }]
      : [],
  );
  return (address) => {
    if (address.family === 4) return isWithin(starts, ends, address.bits);
    return ipv6.some(({ words, masks }) =>
      words.every(
        (word, index) =>
          ((address.words[index] as number) & (masks[index] as number)) >>> 0 === word,
      ),
    );
  };
}

function mergedIpv4(ranges: readonly AddressRange[]): { starts: number[]; ends: number[] } {
  const blocks = ranges
    .flatMap(({ base, prefixBits }) =>
      base.family === 4 ? [[base.bits, base.bits + 2 ** (32 - prefixBits) - 1] as const] : [],
    )
    .sort((left, right) => left[0] - right[0]);
  const starts: number[] = [];
  const ends: number[] = [];
  for (const [start, end] of blocks) {
    const last = ends.length - 1;
    if (last >= 0 && start <= (ends[last] as number) + 1)
      ends[last] = Math.max(ends[last] as number, end);
    else {
      starts.push(start);
      ends.push(end);
    }
  }
  return { starts, ends };
}

function isWithin(starts: readonly number[], ends: readonly number[], bits: number): boolean {
  let low = 0;
  let high = starts.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    if ((starts[middle] as number) > bits) high = middle - 1;
    else if ((ends[middle] as number) < bits) low = middle + 1;
    else return true;
  }
  return false;
}
