import { is256Bits } from "../parse/base64url.ts";

/**
 * The thumbprint of the one key that a token is bound to by `cnf.jkt` (RFC 9449 §6.1). Undefined where there is none, or something beside it:
 * a token is bound to one key (RFC 7800 §3.1), and other bindings cannot be proven here.
 */
export function boundThumbprint({ cnf }: Readonly<Record<string, unknown>>): string | undefined {
  if (typeof cnf !== "object" || cnf === null) return undefined;
  const [[name, value] = [], ...others] = Object.entries(cnf);
  return name === "jkt" && others.length === 0 && is256Bits(value) ? value : undefined;
}
