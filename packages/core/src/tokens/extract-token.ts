import { type HeaderLine, type Refusal, refuse } from "../decision/decision.ts";
import { type Handshake, progressOf } from "../handshake/handshake.ts";
import type { TokenSource } from "./token-source.ts";

/**
 * The one token of a handshake, or the refusal where there is none, more than one (RFC 6750 §2), or one too long to be read.
 */
export function extractToken(
  handshake: Handshake,
  sources: readonly TokenSource[],
  maxTokenBytes: number,
): string | Refusal {
  let found: string | undefined;
  for (const source of sources) {
    const tokens = source.read(handshake);
    if (tokens === "malformed") return malformed;
    if (tokens.length > 1 || (tokens.length === 1 && found !== undefined)) return ambiguous;
    found ??= tokens[0];
  }
  if (found === undefined) return missing;
  if (progressOf(handshake).protocols?.length === 0 && handshake.protocols.length > 0) return alone;
  return found.length > maxTokenBytes ? tooLong : found;
}

/** The challenge of RFC 6750 §3; the error code only where a token was sent. */
const challenge = (error?: string): readonly HeaderLine[] => [
  ["WWW-Authenticate", `Bearer realm="websocket"${error === undefined ? "" : `, error="${error}"`}`],
];

const missing = refuse("token_missing", undefined, { headers: challenge() });
const ambiguous = refuse("token_ambiguous", undefined, { headers: challenge("invalid_request") });
const malformed = refuse("token_malformed", undefined, { headers: challenge("invalid_request") });
const tooLong = refuse("token_malformed", undefined, {
  headers: challenge("invalid_request"),
  reason: "longer than maxTokenBytes",
});
const alone = refuse("subprotocol_required", "Offer a subprotocol beside the token, to be answered with.");

/** One answer for forged, expired and unknown, so that nothing can be told from it. The reason is for logs. */
export const invalidToken = (reason: string, cause?: unknown): Refusal =>
  refuse("token_invalid", undefined, { headers: challenge("invalid_token"), reason, cause });
