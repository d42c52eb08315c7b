import { type JsonBounds, type JsonFault, maxNumberLength } from "./json-bounds.ts";

/** The parts of a string that are used, so that a test can count what is asked of it. */
export type JsonText = Pick<string, "length" | "charCodeAt" | "indexOf" | "slice" | "startsWith">;

/**
 * Looks through a JSON text for what is out of bounds, before anything is made of it. Of a text that is JSON it answers exactly; of any
 * other it may answer that nothing was found, since `JSON.parse` refuses that. Each character is looked at a fixed number of times; keys of
 * one object are compared by sorting them, so that no choice of keys makes it slow, as hash tables can be.
 *
 * @see RFC 8259
 */
export function inspectJson(text: JsonText, bounds: JsonBounds): JsonFault | undefined {
  const { length } = text;
  const { maxDepth, maxKeys, maxStringLength, forbiddenKeys } = bounds;
  /** With the outermost value, which is nobody's member. */
  const maxValues = maxKeys + 1;
  let values = 0;
  let depth = 0;
  /** Where the keys of the innermost object begin among all that are open; -1 within an array. */
  let firstKey = -1;
  let keyTop = 0;
  let isKeyNext = false;
  /** The first backslash that may still matter. It is looked for once, not once a string. */
  let escapeAt = -1;

  for (let at = 0; at < length; at++) {
    switch (text.charCodeAt(at)) {
      case quote: {
        const start = at + 1;
        const near = Math.min(start + nearby, length);
        let end = start;
        let code = 0;
        while (end < near) {
          code = text.charCodeAt(end);
          if (code === quote || code === backslash) break;
          end++;
        }
        let isEscaped = code === backslash;
        if (end === near) {
          end = text.indexOf('"', near);
          if (end === -1) return "json_malformed";
          if (escapeAt < near) {
            escapeAt = text.indexOf("\\", near);
            if (escapeAt === -1) escapeAt = Number.POSITIVE_INFINITY;
          }
          isEscaped = escapeAt < end;
        }
        let units = end - start;
        if (isEscaped) {
          const string = readEscaped(text, start);
          if (typeof string === "string") return string;
          ({ end, units } = string);
        }
        if (units > maxStringLength) return "json_string_too_long";
        at = end;
        if (!isKeyNext) {
          if (++values > maxValues) return "json_too_many_keys";
          break;
        }
        isKeyNext = false;
        if (keyTop >> 1 >= maxKeys) return "json_too_many_keys";
        const fault = isEscaped
          ? faultOfEscapedKey(text, start, end, forbiddenKeys)
          : faultOfKey(text, start, units, forbiddenKeys);
        if (fault !== undefined) return fault;
        keys[keyTop++] = start;
        keys[keyTop++] = isEscaped ? -end : end;
        break;
      }
      case openBrace:
      case openBracket:
        if (++values > maxValues) return "json_too_many_keys";
        if (depth >= maxDepth) return "json_too_deep";
        outerFirstKeys[depth++] = firstKey;
        isKeyNext = text.charCodeAt(at) === openBrace;
        firstKey = isKeyNext ? keyTop : -1;
        break;
      case closeBrace:
      case closeBracket:
        if (depth === 0) return "json_malformed";
        if (firstKey !== -1) {
          if (hasDuplicate(text, firstKey, keyTop)) return "json_key_duplicate";
          keyTop = firstKey;
        }
        firstKey = outerFirstKeys[--depth] as number;
        isKeyNext = false;
        break;
      case comma:
        isKeyNext = firstKey !== -1;
        break;
      case letterT:
      case letterF:
      case letterN:
        if (++values > maxValues) return "json_too_many_keys";
        at += 3;
        break;
      case minus:
      case digit0:
      case digit0 + 1:
      case digit0 + 2:
      case digit0 + 3:
      case digit0 + 4:
      case digit0 + 5:
      case digit0 + 6:
      case digit0 + 7:
      case digit0 + 8:
      case digit0 + 9: {
        if (++values > maxValues) return "json_too_many_keys";
        const start = at;
        let hasExponent = false;
        for (at++; at < length; at++) {
          const code = text.charCodeAt(at);
          if (code === letterE || code === letterBigE) hasExponent = true;
          else if (!(code >= plus && code <= digit9)) break;
          // A comma lies among them.
          else if (code === comma || code === slash) break;
        }
        if (at - start > maxNumberLength) return "json_number_unfit";
        // JSON has no infinity, but JSON.parse makes one of 1e999.
        if (hasExponent && Math.abs(Number(text.slice(start, at))) === Number.POSITIVE_INFINITY) {
          return "json_number_unfit";
        }
        at--;
        break;
      }
      // Blanks, colons, the last letter of false, and what JSON.parse will refuse.
      default:
    }
  }
  return undefined;
}

const quote = 0x22;
const plus = 0x2b;
const comma = 0x2c;
const minus = 0x2d;
const slash = 0x2f;
const digit0 = 0x30;
const digit9 = 0x39;
const openBracket = 0x5b;
const backslash = 0x5c;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const letterBigE = 0x45;
const letterE = 0x65;
const letterF = 0x66;
const letterN = 0x6e;
const letterT = 0x74;
const letterU = 0x75;

/** How far a string is read letter by letter; beyond, the engine's own search is faster. */
const nearby = 24;
/** Up to so many keys are compared with each other where they stand, without making anything. */
const few = 8;

// Kept from one text to the next: nothing else runs while one is looked through.
/** Start and end of each key of each open object; the end is negative where there are escapes between. */
const keys: number[] = [];
const outerFirstKeys: number[] = [];

interface EscapedString {
  readonly end: number;
  /** Its length once it is decoded. */
  readonly units: number;
}

/** Reads a string with escapes from behind its quotation mark. */
function readEscaped(text: JsonText, start: number): EscapedString | JsonFault {
  let units = 0;
  let isHighBefore = false;
  for (let at = start; at < text.length; units++) {
    const code = text.charCodeAt(at);
    let decoded = 0;
    if (code === quote && !isHighBefore) return { end: at, units };
    if (code !== backslash) at++;
    else if (text.charCodeAt(at + 1) !== letterU) at += 2;
    else {
      decoded = Number.parseInt(text.slice(at + 2, at + 6), 16);
      at += 6;
    }
    const isLow = decoded >= 0xdc00 && decoded <= 0xdfff;
    if (isLow !== isHighBefore) return "text_malformed";
    isHighBefore = decoded >= 0xd800 && decoded <= 0xdbff;
  }
  return "json_malformed";
}

function faultOfKey(
  text: JsonText,
  start: number,
  length: number,
  forbidden: readonly string[],
): JsonFault | undefined {
  for (const name of forbidden) {
    if (name.length === length && text.startsWith(name, start)) return "json_key_forbidden";
  }
  return undefined;
}

function faultOfEscapedKey(
  text: JsonText,
  start: number,
  end: number,
  forbidden: readonly string[],
): JsonFault | undefined {
  const key = decodedKey(text, start, end);
  if (key === undefined) return "json_malformed";
  return forbidden.includes(key) ? "json_key_forbidden" : undefined;
}

function decodedKey(text: JsonText, start: number, end: number): string | undefined {
  try {
    return JSON.parse(`"${text.slice(start, end)}"`) as string;
  } catch {
    return undefined;
  }
}

function hasDuplicate(text: JsonText, first: number, top: number): boolean {
  if (top - first <= 2) return false;
  if (top - first > 2 * few) return hasEqualNeighbours(text, first, top);
  for (let one = first; one < top; one += 2) {
    const start = keys[one] as number;
    const end = keys[one + 1] as number;
    if (end < 0) return hasEqualNeighbours(text, first, top);
    for (let other = first; other < one; other += 2) {
      const from = keys[other] as number;
      if ((keys[other + 1] as number) - from === end - start && isSame(text, from, start, end)) {
        return true;
      }
    }
  }
  return false;
}

function isSame(text: JsonText, from: number, start: number, end: number): boolean {
  const ahead = start - from;
  for (let at = start; at < end; at++) {
    if (text.charCodeAt(at) !== text.charCodeAt(at - ahead)) return false;
  }
  return true;
}

function hasEqualNeighbours(text: JsonText, first: number, top: number): boolean {
  const names: string[] = [];
  for (let one = first; one < top; one += 2) {
    const start = keys[one] as number;
    const end = keys[one + 1] as number;
    names.push(end < 0 ? (decodedKey(text, start, -end) as string) : text.slice(start, end));
  }
  names.sort();
  return names.some((name, index) => index > 0 && name === names[index - 1]);
}
