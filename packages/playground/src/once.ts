import { attacks } from "./attacks/all.ts";
import { newAttempt } from "./attacks/attack.ts";
import { legitimateFor } from "./legitimate.ts";
import type { Playground } from "./playground.ts";
import type { Measured } from "./protocol.ts";

/** One attack, measured against both servers. */
export interface AttackRow {
  readonly id: string;
  readonly title: string;
  readonly sent: string;
  readonly gated: Measured;
  readonly bare: Measured;
}

/** One legitimate handshake, measured against both servers. */
export interface LegitimateRow {
  readonly id: string;
  readonly title: string;
  readonly sent: string;
  readonly gated: { readonly isAccepted: boolean; readonly text: string };
  readonly bare: { readonly isAccepted: boolean; readonly text: string };
}

/** Everything that was measured. */
export interface Report {
  /** Framework and library in words. */
  readonly runsOn: string;
  readonly attacks: readonly AttackRow[];
  readonly legitimate: readonly LegitimateRow[];
  /** Whether every attack was stopped and every legitimate handshake accepted. */
  readonly isPassed: boolean;
}

/** Runs every legitimate handshake and every attack against the gated server and against the same server without its gate. */
export async function runOnce({ lab }: Playground): Promise<Report> {
  const legitimate: LegitimateRow[] = [];
  for (const { id, title, sent, run } of legitimateFor(lab.gated.library)) {
    const gated = await run(lab, lab.gated);
    legitimate.push({ id, title, sent, gated, bare: await run(lab, lab.bare) });
  }
  const attacked: AttackRow[] = [];
  for (const { id, title, sent, run } of attacks) {
    const gated = await run(lab, lab.gated, newAttempt(id));
    attacked.push({ id, title, sent, gated, bare: await run(lab, lab.bare, newAttempt(id)) });
  }
  const isPassed =
    attacked.every(({ gated }) => gated.isStopped) &&
    legitimate.every(({ gated }) => gated.isAccepted);
  return { runsOn: lab.runsOn, attacks: attacked, legitimate, isPassed };
}
