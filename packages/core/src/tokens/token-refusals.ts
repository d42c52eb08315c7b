import { type HeaderLine, type Refusal, refuse } from "../decision/decision.ts";
import { challenge } from "./challenge.ts";

/** What is said of a token that is not there, or no good: with the challenge of the scheme in which it is to come. */
export interface TokenRefusals {
  readonly missing: Refusal;
  readonly ambiguous: Refusal;
  readonly malformed: Refusal;
  readonly tooLong: Refusal;
  /** One answer for forged, expired and unknown, so that nothing can be told from it. The reason is for logs. */
  readonly invalid: (reason: string, cause?: unknown) => Refusal;
}

/** The challenge in `WWW-Authenticate`; the error code only where something was sent. */
export type Challenge = (error?: string) => readonly HeaderLine[];

export function tokenRefusals(challengeOf: Challenge): TokenRefusals {
  const invalidRequest = { headers: challengeOf("invalid_request") };
  const invalidToken = challengeOf("invalid_token");
  return {
    missing: refuse("token_missing", undefined, { headers: challengeOf() }),
    ambiguous: refuse("token_ambiguous", undefined, invalidRequest),
    malformed: refuse("token_malformed", undefined, invalidRequest),
    tooLong: refuse("token_malformed", undefined, {
      ...invalidRequest,
      reason: "longer than maxTokenBytes",
    }),
    invalid: (reason, cause) =>
      refuse("token_invalid", undefined, { headers: invalidToken, reason, cause }),
  };
}

/** RFC 6750 §3. */
export const bearerRefusals: TokenRefusals = tokenRefusals((error) => challenge(error));
