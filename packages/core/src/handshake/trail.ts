import type { Refusal } from "../decision/decision.ts";
import type { RefusalCode } from "../decision/refusal-codes.ts";

/** What one check said. */
export interface TrailEntry {
  readonly check: string;
  readonly outcome: "allow" | "refuse";
  /** How many combinators the check stands in; a combinator's own entry follows those of its parts. */
  readonly depth: number;
  readonly code?: RefusalCode;
  /** For logs: what made the check refuse. Holds no secret and nothing that the client sent. */
  readonly reason?: string;
}

export function refusalEntry(check: string, depth: number, { code, reason }: Refusal): TrailEntry {
  return { check, outcome: "refuse", depth, code, ...(reason === undefined ? {} : { reason }) };
}
