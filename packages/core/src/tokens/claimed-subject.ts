import { accountKey } from "../handshake/identity.ts";
import { decodeBase64url, isCompactJws } from "../parse/base64url.ts";

const maxLength = 256;

/**
 * Issuer and subject that a token names, as one text to count by. Nothing is verified: whoever sends it writes what he likes. Undefined
 * where there is no such token, or it names none, or in more than 256 characters.
 */
export function claimedSubject(token: string, subjectClaim = "sub"): string | undefined {
  if (!isCompactJws(token)) return undefined;
  const payload = parsed(decodeBase64url(token.split(".")[1] as string));
  const issuer = textIn(payload, "iss");
  const subject = textIn(payload, subjectClaim);
  if (issuer === undefined || subject === undefined) return undefined;
  const claimed = accountKey(subject, issuer);
  return claimed.length > maxLength ? undefined : claimed;
}

function parsed(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? "");
  } catch {
    return undefined;
  }
}

function textIn(payload: unknown, claim: string): string | undefined {
  if (typeof payload !== "object" || payload === null || !Object.hasOwn(payload, claim)) {
    return undefined;
  }
  const value = (payload as Readonly<Record<string, unknown>>)[claim];
  return typeof value === "string" ? value : undefined;
}
