import type { Handshake, RefusalCode, TrailEntry, Verdict } from "@firmshake/core";

/** What became of a request for a ticket, ready to be logged: neither the ticket nor what the client sent is in it. */
export interface TicketEvent {
  readonly outcome: "issued" | "refused";
  readonly clientAddress: string | undefined;
  /** Who was signed in, where somebody was. */
  readonly subject: string | undefined;
  /** Of a refusal, as the three below. */
  readonly code: RefusalCode | undefined;
  readonly status: number | undefined;
  readonly reason: string | undefined;
  /** The error behind it, where there was one. */
  readonly cause: unknown;
  readonly trail: readonly TrailEntry[];
}

/** Tells the application. Recording never breaks an answer. */
export function reportTicket(
  onDecision: ((event: TicketEvent) => unknown) | undefined,
  { clientAddress, identity }: Handshake,
  verdict: Verdict,
): void {
  if (onDecision === undefined) return;
  const refusal = verdict.ok ? undefined : verdict.refusal;
  const event: TicketEvent = {
    outcome: verdict.ok ? "issued" : "refused",
    clientAddress,
    subject: identity?.subject,
    code: refusal?.code,
    status: refusal?.status,
    reason: refusal?.reason,
    cause: refusal?.cause,
    trail: verdict.trail,
  };
  const tell = async (): Promise<unknown> => onDecision(event);
  tell().catch(() => undefined);
}
