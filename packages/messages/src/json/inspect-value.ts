import { type JsonBounds, type JsonFault, loneSurrogate } from "./json-bounds.ts";

/** How large a value is, about, or what is wrong with it. */
export type Inspection =
  | { readonly bytes: number }
  | { readonly fault: JsonFault | "binary_unsupported" };

/**
 * Looks through a value that somebody else has parsed, as {@link inspectJson} looks through a text. Which keys stood twice cannot be seen any
 * more, nor how a number was written. Never throws: it takes what a parser makes, not what has getters.
 *
 * @param allowsBytes - Whether there may be binary data in it.
 */
export function inspectValue(value: unknown, bounds: JsonBounds, allowsBytes: boolean): Inspection {
  const { maxBytes, maxDepth, maxKeys, maxStringLength, forbiddenKeys } = bounds;
  let bytes = 0;
  let values = 0;
  const fault = look(value, 0);
  return fault === undefined ? { bytes } : { fault };

  function look(one: unknown, depth: number): JsonFault | "binary_unsupported" | undefined {
    if (++values > maxKeys + 1) return "json_too_many_keys";
    if (typeof one === "string") return lookAtText(one);
    if (typeof one === "number" && !Number.isFinite(one)) return "json_number_unfit";
    if (typeof one !== "object" || one === null) return grow(4);
    if (Array.isArray(one)) {
      if (depth >= maxDepth) return "json_too_deep";
      for (const element of one) {
        const fault = look(element, depth + 1);
        if (fault !== undefined) return fault;
      }
      return undefined;
    }
    if (!isPlain(one)) return lookAtBytes(one);
    if (depth >= maxDepth) return "json_too_deep";
    for (const key in one) {
      if (forbiddenKeys.includes(key)) return "json_key_forbidden";
      const fault = lookAtText(key) ?? look((one as Record<string, unknown>)[key], depth + 1);
      if (fault !== undefined) return fault;
    }
    return undefined;
  }

  function lookAtText(text: string): JsonFault | undefined {
    if (text.length > maxStringLength) return "json_string_too_long";
    return loneSurrogate.test(text) ? "text_malformed" : grow(text.length);
  }

  function lookAtBytes(data: object): JsonFault | "binary_unsupported" | undefined {
    if (!allowsBytes) return "binary_unsupported";
    if (data instanceof ArrayBuffer || ArrayBuffer.isView(data)) return grow(data.byteLength);
    return "binary_unsupported";
  }

  function grow(by: number): JsonFault | undefined {
    bytes += by;
    return bytes > maxBytes ? "message_too_long" : undefined;
  }
}

function isPlain(one: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(one);
  return prototype === Object.prototype || prototype === null;
}
