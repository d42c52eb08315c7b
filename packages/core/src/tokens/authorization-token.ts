import { isB64Token } from "../parse/b64-token.ts";
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
      return isB64Token(token) ? [token] : "malformed";
    },
  };
}
