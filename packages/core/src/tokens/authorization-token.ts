import { noTokens, type TokenSource } from "./token-source.ts";

/** The token in `Authorization`, behind the scheme, which is given in lower case: `token68` of RFC 9110 §11.2, as are all access tokens. */
export function authorizationToken(scheme: "bearer" | "dpop"): TokenSource {
  return {
    name: scheme,
    isAmbient: false,
    read: ({ headers }) => {
      const value = headers.joined("authorization");
      if (value === undefined) return noTokens;
      const space = value.indexOf(" ");
      const written = space === -1 ? value : value.slice(0, space);
      if (written.toLowerCase() !== scheme) return noTokens;
      const token = space === -1 ? "" : value.slice(space + 1);
      return isToken68(token) ? [token] : "malformed";
    },
  };
}

const token68Letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/";
const isToken68Code = new Uint8Array(128);
for (const letter of token68Letters) isToken68Code[letter.charCodeAt(0)] = 1;

/** Letters, digits and `-._~+/`, then any number of `=`; the `b64token` of RFC 6750 §2.1 is the same. */
function isToken68(text: string): boolean {
  let end = text.length;
  while (end > 0 && text[end - 1] === "=") end--;
  for (let index = 0; index < end; index++) {
    if (isToken68Code[text.charCodeAt(index)] !== 1) return false;
  }
  return end > 0;
}
