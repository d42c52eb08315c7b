import { isHttpToken, trimBlanks } from "./http-token.ts";
import { type IpAddress, parseIpAddress, parseIpv4 } from "./ip-address.ts";

/** One hop as a proxy described it. An address that cannot be told (`unknown`, `_hidden`, junk) is undefined. */
export interface ForwardedHop {
  readonly address: IpAddress | undefined;
  readonly proto: string | undefined;
}

/**
 * Reads `X-Forwarded-For`: addresses between commas, each perhaps with a port. The nearest hop stands last.
 * Nothing is skipped: an empty entry is a hop whose address cannot be told.
 */
export function parseForwardedFor(text: string): readonly ForwardedHop[] {
  return text
    .split(",")
    .map((entry) => ({ address: parseNode(trimBlanks(entry)), proto: undefined }));
}

/**
 * Reads `Forwarded` (RFC 7239 §4).
 *
 * @returns undefined where the text is not of the grammar, or a parameter repeats within an element.
 */
export function parseForwarded(text: string): readonly ForwardedHop[] | undefined {
  const hops: ForwardedHop[] = [];
  let parameters = new Map<string, string>();
  let index = 0;
  while (true) {
    const pair = readPair(text, index);
    if (pair === undefined || parameters.has(pair.name)) return undefined;
    parameters.set(pair.name, pair.value);
    index = skipBlanks(text, pair.end);
    const separator = text[index];
    if (separator === ";") index++;
    else if (separator === "," || separator === undefined) {
      hops.push(hopOf(parameters));
      if (separator === undefined) return hops;
      parameters = new Map();
      index++;
    } else return undefined;
  }
}

function readPair(
  text: string,
  start: number,
): { name: string; value: string; end: number } | undefined {
  const nameStart = skipBlanks(text, start);
  const equals = text.indexOf("=", nameStart);
  if (equals === -1) return undefined;
  const name = text.slice(nameStart, equals).toLowerCase();
  if (!isHttpToken(name)) return undefined;
  const value =
    text[equals + 1] === '"' ? readQuoted(text, equals + 2) : readToken(text, equals + 1);
  return value === undefined ? undefined : { name, ...value };
}

function readToken(text: string, start: number): { value: string; end: number } | undefined {
  let end = start;
  while (end < text.length && !",; \t".includes(text.charAt(end))) end++;
  const value = text.slice(start, end);
  return isHttpToken(value) ? { value, end } : undefined;
}

function readQuoted(text: string, start: number): { value: string; end: number } | undefined {
  let value = "";
  for (let index = start; index < text.length; index++) {
    const character = text.charAt(index);
    if (character === '"') return { value, end: index + 1 };
    if (character === "\\") index++;
    value += text.charAt(index);
  }
  return undefined;
}

function skipBlanks(text: string, start: number): number {
  let index = start;
  while (text[index] === " " || text[index] === "\t") index++;
  return index;
}

function hopOf(parameters: ReadonlyMap<string, string>): ForwardedHop {
  const node = parameters.get("for");
  return {
    address: node === undefined ? undefined : parseNode(node),
    proto: parameters.get("proto")?.toLowerCase(),
  };
}

/** An address with an optional port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`. */
function parseNode(text: string): IpAddress | undefined {
  if (text.startsWith("[")) {
    const end = text.indexOf("]");
    const inner = text.slice(1, end);
    return end !== -1 && inner.includes(":") && isPortOrNothing(text.slice(end + 1))
      ? parseIpAddress(inner)
      : undefined;
  }
  const colon = text.indexOf(":");
  if (colon !== -1 && text.indexOf(":", colon + 1) === -1) {
    return isPortOrNothing(text.slice(colon)) ? parseIpv4(text.slice(0, colon)) : undefined;
  }
  return parseIpAddress(text);
}

/** Empty, or a colon and one to five digits. */
function isPortOrNothing(text: string): boolean {
  if (text === "") return true;
  if (!text.startsWith(":") || text.length < 2 || text.length > 6) return false;
  for (let index = 1; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code < 0x30 || code > 0x39) return false;
  }
  return true;
}
