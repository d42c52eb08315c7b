const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const sextetOf = new Int8Array(128).fill(-1);
for (let value = 0; value < 64; value++) sextetOf[alphabet.charCodeAt(value)] = value;

/**
 * Whether the text is the one canonical base64url spelling of some bytes (RFC 4648 §3.5, §5): no padding, no other alphabet, no spare
 * bits set. Other spellings of the same bytes would walk around lists that remember a token by its text.
 */
export function isCanonicalBase64url(text: string): boolean {
  const spare = text.length % 4;
  if (spare === 1) return false;
  for (let index = 0; index < text.length; index++) {
    if ((sextetOf[text.charCodeAt(index)] ?? -1) === -1) return false;
  }
  if (spare === 0) return true;
  const last = sextetOf[text.charCodeAt(text.length - 1)] as number;
  return (last & (spare === 2 ? 0b1111 : 0b11)) === 0;
}

/** The canonical spelling, without padding. */
export function encodeBase64url(bytes: Uint8Array): string {
  const text = btoa(String.fromCharCode(...bytes));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** Decodes canonical base64url; undefined for what is none. */
export function decodeBytes(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (!isCanonicalBase64url(text)) return undefined;
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

/** Decodes canonical base64url to text of UTF-8; undefined where it is neither. */
export function decodeBase64url(text: string): string | undefined {
  const bytes = decodeBytes(text);
  if (bytes === undefined) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** Whether the text has the form of a JWS in compact serialization (RFC 7515 §7.1), canonically spelled. */
export function isCompactJws(text: string): boolean {
  const parts = text.split(".", 4);
  return parts.length === 3 && parts.every((part) => part !== "" && isCanonicalBase64url(part));
}
