const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/";
const isB64Code = new Uint8Array(128);
for (const letter of letters) isB64Code[letter.charCodeAt(0)] = 1;

/** Whether the text is a `b64token` (RFC 6750 §2.1): letters, digits and `-._~+/`, then any number of `=`. */
export function isB64Token(text: string): boolean {
  let end = text.length;
  while (end > 0 && text[end - 1] === "=") end--;
  for (let index = 0; index < end; index++) {
    if (isB64Code[text.charCodeAt(index)] !== 1) return false;
  }
  return end > 0;
}
