import { type Conclusion, failed, inconclusive, passed } from "./check.ts";
import type { Connection } from "./probe/connection.ts";
import { type Outcome, observationOf } from "./probe/outcome.ts";
import type { Evidence } from "./report.ts";
import { openOwn, type Run } from "./run.ts";

/** What was done to the server while another connection watched. */
export interface RiskyProbe {
  readonly outcome?: Outcome | undefined;
  readonly evidence: Evidence;
}

export interface Survival {
  readonly hasEnded: boolean;
  readonly evidence: readonly Evidence[];
  readonly reason: string;
}

/**
 * Does something risky and looks whether the server survived. A connection that is held meanwhile shows also a server that died and
 * was started again at once.
 */
export async function survives(
  run: Run,
  attack: () => Promise<readonly RiskyProbe[]>,
): Promise<Survival> {
  const { connection: canary } = await openOwn(run);
  try {
    const probes = await whileListening(canary, attack);
    const evidence = probes.map((one) => one.evidence);
    if (!(await run.isUp())) {
      return {
        hasEnded: true,
        evidence: [...evidence, lastLook(run)],
        reason: "The server no longer answers.",
      };
    }
    const isLost = canary !== undefined && (await isCut(canary, run.limits.answerMs));
    return {
      hasEnded: isLost,
      evidence: isLost
        ? [
            ...evidence,
            {
              probe: "Another connection, opened before",
              observation: "it was lost at the same time: the server was started again",
            },
          ]
        : evidence,
      reason: isLost ? "Another connection was lost at the same time." : "",
    };
  } finally {
    await canary?.close();
  }
}

/** The server's pings are answered meanwhile: some cut off after a second who does not. */
async function whileListening<Value>(
  connection: Connection | undefined,
  act: () => Promise<Value>,
): Promise<Value> {
  let isActing = true;
  const listen = async (): Promise<void> => {
    while (isActing && connection?.isOver() === false) await connection.listen(listenMs);
  };
  // Where the run is over, that is said by what is done meanwhile.
  const listening = listen().catch(() => undefined);
  try {
    return await act();
  } finally {
    isActing = false;
    await listening;
  }
}

const listenMs = 50;

/** Ended without a word. One that is slow is still there, and one that was closed by a frame was closed by somebody alive. */
async function isCut(canary: Connection, timeoutMs: number): Promise<boolean> {
  if (await canary.ping(timeoutMs)) return false;
  return canary.isOver() && canary.heard().closeCode === undefined;
}

const lastLook = (run: Run): Evidence => {
  const last = run.history.at(-1)?.outcome;
  return {
    probe: "The user's own handshake afterwards",
    observation: last === undefined ? "no answer" : run.mask.text(observationOf(last)),
  };
};

/** The usual conclusion of a check whose attack the server has to survive. */
export function concludeSurvival(
  { hasEnded, evidence, reason }: Survival,
  words: { readonly fails: string; readonly passes: string },
): Conclusion {
  if (hasEnded) return { ...failed(`${words.fails} ${reason}`, evidence), hasEndedServer: true };
  return evidence.length === 0
    ? inconclusive("Nothing could be sent.")
    : passed(words.passes, evidence);
}
