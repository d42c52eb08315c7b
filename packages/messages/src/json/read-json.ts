import { inspectJson } from "./inspect-json.ts";
import { type JsonBounds, type JsonFault, loneSurrogate } from "./json-bounds.ts";

/** The value of a text that is JSON and within its bounds, or what is wrong with it. */
export type JsonReading = { readonly value: unknown } | { readonly fault: JsonFault };

/** Reads a text, or the bytes of one. Never throws. */
export function readJson(message: string | Uint8Array, bounds: JsonBounds): JsonReading {
  const text = typeof message === "string" ? textWithin(message, bounds) : decoded(message, bounds);
  if (typeof text !== "string") return text;
  const fault = inspectJson(text, bounds);
  if (fault !== undefined) return { fault };
  try {
    return { value: JSON.parse(text) };
  } catch {
    return { fault: "json_malformed" };
  }
}

// RFC 8259 §8.1: no byte order mark. It stays in, and is no JSON.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const tooLong: JsonReading = Object.freeze({ fault: "message_too_long" });
const malformed: JsonReading = Object.freeze({ fault: "text_malformed" });

function decoded(bytes: Uint8Array, { maxBytes }: JsonBounds): string | JsonReading {
  if (bytes.byteLength > maxBytes) return tooLong;
  try {
    return decoder.decode(bytes);
  } catch {
    return malformed;
  }
}

function textWithin(text: string, { maxBytes }: JsonBounds): string | JsonReading {
  if (isLongerThan(text, maxBytes)) return tooLong;
  return loneSurrogate.test(text) ? malformed : text;
}

/** Whether the text has more bytes in UTF-8, of which a code unit takes one to three. */
function isLongerThan(text: string, maxBytes: number): boolean {
  if (text.length > maxBytes) return true;
  return text.length * 3 > maxBytes && new TextEncoder().encode(text).byteLength > maxBytes;
}
