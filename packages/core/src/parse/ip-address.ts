import ipaddr from "ipaddr.js";

/** An IPv4 address: its 32 bits, and the text in dotted decimal. */
export interface Ipv4Address {
  readonly family: 4;
  readonly bits: number;
  readonly text: string;
}

/** An IPv6 address: four words of 32 bits, and the text of RFC 5952. */
export interface Ipv6Address {
  readonly family: 6;
  readonly words: readonly [number, number, number, number];
  readonly text: string;
}

export type IpAddress = Ipv4Address | Ipv6Address;

/**
 * Reads an address in one of the forms that a socket or a proxy writes: four decimal numbers without leading zeros,
 * or IPv6 of RFC 4291 §2.2. An IPv4-mapped address (`::ffff:192.0.2.1`) is IPv4, so that no list can be dodged by spelling.
 *
 * Parsers are too kind for this: ipaddr.js reads `127.1`, `010.0.0.1` and `::127.0.0.1` as other addresses.
 */
export function parseIpAddress(text: string): IpAddress | undefined {
  if (text.length > 45) return undefined;
  if (!text.includes(":")) return parseIpv4(text);
  const hexadecimal = withoutDottedTail(text);
  if (hexadecimal === undefined || !ipaddr.IPv6.isValid(hexadecimal)) return undefined;
  return ipv6Of(ipaddr.IPv6.parse(hexadecimal));
}

/** As {@link parseIpAddress}, for a socket's address, which may name a zone (`fe80::1%eth0`, RFC 4007 §11). */
export function parsePeerAddress(text: string | undefined): IpAddress | undefined {
  if (text === undefined) return undefined;
  const zone = text.indexOf("%");
  return parseIpAddress(zone === -1 ? text : text.slice(0, zone));
}

export function parseIpv4(text: string): Ipv4Address | undefined {
  let bits = 0;
  let octet = -1;
  let octets = 0;
  for (let index = 0; index <= text.length; index++) {
    const code = index === text.length ? 0x2e : text.charCodeAt(index);
    if (code === 0x2e) {
      if (octet === -1) return undefined;
      bits = bits * 256 + octet;
      octet = -1;
      octets++;
    } else {
      const digit = code - 0x30;
      if (digit < 0 || digit > 9 || octet === 0) return undefined;
      octet = octet === -1 ? digit : octet * 10 + digit;
      if (octet > 255) return undefined;
    }
  }
  return octets === 4 ? { family: 4, bits, text } : undefined;
}

/** Rewrites `::ffff:192.0.2.1` to `::ffff:c000:201`, by the strict reading of its tail. */
function withoutDottedTail(text: string): string | undefined {
  for (let index = 0; index < text.length; index++) {
    if (!isIpv6Code(text.charCodeAt(index))) return undefined;
  }
  if (!text.includes(".")) return text;
  const colon = text.lastIndexOf(":");
  const tail = parseIpv4(text.slice(colon + 1));
  if (tail === undefined) return undefined;
  const high = Math.floor(tail.bits / 65_536).toString(16);
  const low = (tail.bits % 65_536).toString(16);
  return `${text.slice(0, colon + 1)}${high}:${low}`;
}

const isIpv6Code = (code: number): boolean =>
  (code >= 0x30 && code <= 0x3a) || // digits and the colon
  (code >= 0x61 && code <= 0x66) ||
  (code >= 0x41 && code <= 0x46) ||
  code === 0x2e;

function ipv6Of(address: ipaddr.IPv6): IpAddress {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = address.parts;
  if ((a | b | c | d | e) === 0 && f === 0xffff) return ipv4Of(g * 65_536 + h);
  return {
    family: 6,
    words: [a * 65_536 + b, c * 65_536 + d, e * 65_536 + f, g * 65_536 + h],
    text: address.toRFC5952String(),
  };
}

function ipv4Of(bits: number): Ipv4Address {
  const text = [bits >>> 24, (bits >>> 16) & 255, (bits >>> 8) & 255, bits & 255].join(".");
  return { family: 4, bits, text };
}

/** What tells one client from another: everyone behind one access line is one, and that usually has a prefix of 56 bits of IPv6. */
export const clientKey = (client: IpAddress, ipv6PrefixBits = 56): string =>
  client.family === 4 ? client.text : `${prefixOf(client, ipv6PrefixBits)}/${ipv6PrefixBits}`;

/** The address with all but its first bits cleared, as text: a key for everyone behind one prefix. */
export function prefixOf(address: Ipv6Address, prefixBits: number): string {
  return address.words
    .map((word, index) => (word & maskOf(prefixBits - index * 32)) >>> 0)
    .map((word) => word.toString(16))
    .join(":");
}

/** The 32-bit mask that keeps the given number of leading bits (0 or less keeps none, 32 or more keeps all). */
export function maskOf(bits: number): number {
  if (bits <= 0) return 0;
  return bits >= 32 ? 0xffff_ffff : (0xffff_ffff << (32 - bits)) >>> 0;
}
