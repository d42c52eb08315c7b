import { type Refusal, refuse } from "../decision/decision.ts";
import { type Handshake, progressOf } from "../handshake/handshake.ts";
import { challenge } from "./challenge.ts";
import { bearerRefusals, type TokenRefusals } from "./token-refusals.ts";
import type { TokenSource } from "./token-source.ts";

/**
 * The one token of a handshake, or the refusal where there is none, more than one (RFC 6750 §2), or one too long to be read.
 */
export function extractToken(
  handshake: Handshake,
  sources: readonly TokenSource[],
  maxTokenBytes: number,
  { missing, ambiguous, malformed, tooLong }: TokenRefusals = bearerRefusals,
): string | Refusal {
  // Every source reads before anything is concluded: what holds a token is withheld from the library whatever becomes of it.
  const read = sources.map((source) => source.read(handshake));
  const tokens = read.flatMap((found) => (found === "malformed" ? [] : found));
  if (read.includes("malformed")) return malformed;
  if (tokens.length > 1) return ambiguous;
  const [found] = tokens;
  if (found === undefined) return missing;
  return isNothingLeft(handshake) ? alone : found.length > maxTokenBytes ? tooLong : found;
}

/** Whether the client offered subprotocols that are secrets alone, and could be answered none. */
function isNothingLeft(handshake: Handshake): boolean {
  const { withheld } = progressOf(handshake);
  return withheld.size > 0 && handshake.protocols.every((name) => withheld.has(name));
}

const alone = refuse(
  "subprotocol_required",
  "Offer a subprotocol beside the token, to be answered with.",
);

/** What is said of a bearer token that is no good. */
export const invalidToken: TokenRefusals["invalid"] = bearerRefusals.invalid;

/** The same for tickets, spent ones among them. */
export const invalidTicket = (reason: string): Refusal =>
  refuse("ticket_invalid", undefined, { headers: challenge("invalid_token"), reason });
