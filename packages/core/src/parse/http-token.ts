const tokenCharacters =
  "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const isTokenCode = new Uint8Array(128);
for (const character of tokenCharacters) isTokenCode[character.charCodeAt(0)] = 1;

/** Whether the text is one `token` of RFC 9110 §5.6.2. */
export function isHttpToken(text: string): boolean {
  if (text === "") return false;
  for (let index = 0; index < text.length; index++) {
    if (isTokenCode[text.charCodeAt(index)] !== 1) return false;
  }
  return true;
}

/**
 * Splits a header value at its commas and strips blanks and tabs (RFC 9110 §5.6.1).
 *
 * @returns undefined where an element is empty or is not a token.
 */
export function parseTokenList(text: string): readonly string[] | undefined {
  const tokens = text.split(",").map(trimBlanks);
  return tokens.every(isHttpToken) ? tokens : undefined;
}

/** Strips blanks and tabs, and nothing else that `String.prototype.trim` would. */
export function trimBlanks(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return start === 0 && end === text.length ? text : text.slice(start, end);
}

const isBlank = (code: number): boolean => code === 0x20 || code === 0x09;

/** Whether the text may stand as a header's value: no control character but the tab, Latin-1 at most. */
export function isHeaderValue(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if ((code < 0x20 && code !== 0x09) || code === 0x7f || code > 0xff) return false;
  }
  return true;
}
