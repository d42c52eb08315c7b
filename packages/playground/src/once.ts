import { attacks } from "./attacks/all.ts";
import { newAttempt } from "./attacks/attack.ts";
import { legitimateFor } from "./legitimate.ts";
import type { Playground } from "./playground.ts";
import type { Measured, WayResult } from "./protocol.ts";
import { measureAct } from "./ways/measure.ts";

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

/** One button of a way, measured. */
export interface WayRow {
  readonly id: string;
  readonly title: string;
  readonly tried: string;
  readonly result: WayResult;
}

/** Everything that was measured. */
export interface Report {
  /** Framework and library in words. */
  readonly runsOn: string;
  readonly attacks: readonly AttackRow[];
  readonly legitimate: readonly LegitimateRow[];
  readonly ways: readonly WayRow[];
  /** Whether every attack was stopped, every legitimate handshake accepted, and each way answered as it must. */
  readonly isPassed: boolean;
}

/**
 * Runs every legitimate handshake and every attack against the gated server and against the same server without its gate, and then whatever
 * the ways' buttons try.
 */
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
  const tried: WayRow[] = [];
  for (const way of lab.ways) {
    for (const act of way.acts) {
      const result = await measureAct(lab, way, act, await act.handshakes());
      tried.push({ id: `${way.id}-${act.id}`, title: way.title, tried: act.label, result });
    }
  }
  const isPassed =
    attacked.every(({ gated }) => gated.isStopped) &&
    legitimate.every(({ gated }) => gated.isAccepted) &&
    tried.every(({ result }) => result.isExpected);
  return { runsOn: lab.runsOn, attacks: attacked, legitimate, ways: tried, isPassed };
}
