import { ConfigError } from "../config/config-error.ts";
import { nearestName } from "../config/options.ts";
import {
  type AddressRange,
  isAligned,
  namedRanges,
  parseAddressRange,
} from "../parse/address-range.ts";
import { maskOf } from "../parse/ip-address.ts";

/**
 * Reads a list from the configuration: addresses, CIDR blocks and range names.
 *
 * @throws {@link ConfigError} `ERR_FIRMSHAKE_ADDRESS_RANGE_INVALID`, naming the entry and what to write.
 */
export function readAddressRanges(owner: string, entries: readonly string[]): AddressRange[] {
  return entries.flatMap((entry) => {
    const named = Object.hasOwn(namedRanges, entry) ? namedRanges[entry] : undefined;
    return (named ?? [entry]).map((text) => readAddressRange(owner, text));
  });
}

function readAddressRange(owner: string, text: string): AddressRange {
  const range = parseAddressRange(text);
  if (range === undefined) {
    const near = nearestName(text, Object.keys(namedRanges));
    throw invalidRange(
      owner,
      text,
      near === undefined
        ? `Write an address, a block such as "10.0.0.0/8", or one of ${Object.keys(namedRanges).join(", ")}.`
        : `Did you mean "${near}"?`,
    );
  }
  if (!isAligned(range)) {
    throw invalidRange(owner, text, `Bits are set behind the prefix; write ${alignedText(range)}.`);
  }
  return range;
}

function alignedText({ base, prefixBits }: AddressRange): string {
  if (base.family === 6) return `the block's first address with /${prefixBits}`;
  const bits = (base.bits & maskOf(prefixBits)) >>> 0;
  return `"${[24, 16, 8, 0].map((shift) => (bits >>> shift) & 255).join(".")}/${prefixBits}"`;
}

const invalidRange = (owner: string, text: string, advice: string): ConfigError =>
  new ConfigError(
    "ERR_FIRMSHAKE_ADDRESS_RANGE_INVALID",
    `${owner}: "${text}" is not a range of addresses. ${advice}`,
  );
