import fc from "fast-check";

/** Addresses in many spellings, and texts that nearly are some. */
export const addressLike: fc.Arbitrary<string> = fc.oneof(
  fc.ipV4(),
  fc.ipV6(),
  fc.ipV4Extended(),
  fc
    .tuple(fc.constantFrom("::ffff:", "::FFFF:", "::", "64:ff9b::", "0:0:0:0:0:ffff:"), fc.ipV4())
    .map(([head, tail]) => head + tail),
  fc
    .tuple(
      fc.ipV6(),
      fc.nat(40),
      fc.constantFrom(":", "::", "0", ".", "f", "%", "g", " ", "1.2.3.4"),
    )
    .map(([text, at, noise]) => text.slice(0, at) + noise + text.slice(at)),
  fc
    .array(
      fc.constantFrom("0", "00", "0000", "1", "ffff", "FFFF", "abcde", "::", ":", "127", "."),
      {
        maxLength: 12,
      },
    )
    .map((parts) => parts.join("")),
  fc
    .array(fc.constantFrom("0", "1", "ab", "ffff", ""), { minLength: 6, maxLength: 9 })
    .map((parts) => parts.join(":")),
  fc.string({ unit: fc.constantFrom(..."0123456789abcdefABCDEF:.%"), maxLength: 46 }),
);

/** The eight groups of a valid address, read slowly; IPv4 as its mapped form. */
export function groupsOf(text: string): readonly number[] {
  const dotted = /(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  if (dotted !== null) {
    const [a = 0, b = 0, c = 0, d = 0] = dotted.slice(1).map(Number);
    const head = text.slice(0, dotted.index);
    return groupsOf(`${head === "" ? "::ffff:" : head}${hex(a * 256 + b)}:${hex(c * 256 + d)}`);
  }
  const [left = "", right] = text.split("::");
  const groups = (part: string): readonly number[] =>
    part === "" ? [] : part.split(":").map((group) => Number.parseInt(group, 16));
  if (right === undefined) return groups(left);
  const zeros = Array<number>(8 - groups(left).length - groups(right).length).fill(0);
  return [...groups(left), ...zeros, ...groups(right)];
}

const hex = (value: number): string => value.toString(16);

/** The address as one number, and how many bits its family has. */
export function numberOf(text: string): { readonly value: bigint; readonly bits: 32 | 128 } {
  const groups = groupsOf(text);
  const value = groups.reduce((sum, group) => (sum << 16n) | BigInt(group), 0n);
  const isMapped = value >> 32n === 0xffffn;
  return isMapped ? { value: value & 0xffff_ffffn, bits: 32 } : { value, bits: 128 };
}

/** RFC 5952 §4 by the slow way: every run of zeros is tried, the longest (leftmost of equals) is left out. */
export function rfc5952(groups: readonly number[]): string {
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    return groups
      .slice(6)
      .flatMap((group) => [group >> 8, group & 255])
      .join(".");
  }
  let best = { start: 0, length: 1 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  const text = (part: readonly number[]): string => part.map(hex).join(":");
  if (best.length === 1) return text(groups);
  return `${text(groups.slice(0, best.start))}::${text(groups.slice(best.start + best.length))}`;
}
