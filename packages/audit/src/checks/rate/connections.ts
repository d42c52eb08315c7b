import { pause } from "../../budget.ts";
import { type Check, type Conclusion, failed, inconclusive, passed } from "../../check.ts";
import type { Connection } from "../../probe/connection.ts";
import {
  isAccepted,
  isRefusal,
  isThrottled,
  type Outcome,
  observationOf,
  retryAfterMs,
} from "../../probe/outcome.ts";
import { ownHandshake, type Run } from "../../run.ts";

/** A limit on handshakes is waited out that often. */
const maxWaits = 3;
const defaultWaitMs = 1_000;
const maxWaitMs = 15_000;
/** How long a server may take to notice that connections were closed. */
const noticeMs = 200;

export const openConnections: Check = {
  id: "WS-RATE-2",
  needsNoControl: true,
  run: async (run) => {
    const held: Connection[] = [];
    try {
      const { refusal, isLasting } = await fill(run, held);
      if (refusal === undefined) return await concludeAllHeld(run, held);
      const most = held.length;
      const evidence = [run.evidence(refusal)];
      if (isLasting && (await isLetInOnceClosed(run, held))) {
        return passed(
          `With ${most} connections open the next was refused, a while later as well, and let in once they were closed.`,
          evidence,
        );
      }
      if (isThrottled(refusal)) {
        return inconclusive(
          `With ${most} connections open the limit on handshakes was met. Whether those that are open are counted could not be told.`,
          evidence,
        );
      }
      return isRefusal(refusal)
        ? passed(`With ${most} connections open the next was refused.`, evidence)
        : inconclusive(`With ${most} connections open: ${observationOf(refusal)}.`, evidence);
    } finally {
      await Promise.all(held.map((one) => one.close()));
    }
  },
};

interface Filled {
  readonly refusal?: Outcome;
  /** Whether a wait did not help, as it does where handshakes are counted and not connections. */
  readonly isLasting?: boolean;
}

/** Opens one after the other, until one is refused for good. */
async function fill(run: Run, held: Connection[]): Promise<Filled> {
  let waits = 0;
  let hasJustWaited = false;
  while (held.length < run.limits.rateConnections) {
    const { outcome, connection, wire } = await run.open({ ...ownHandshake, isQuick: true });
    if (connection !== undefined && isAccepted(outcome)) {
      held.push(connection);
      hasJustWaited = false;
      continue;
    }
    await (connection ?? wire)?.close();
    const waitMs = retryAfterMs(outcome) ?? defaultWaitMs;
    const mayWait =
      waits < maxWaits && waitMs <= Math.min(maxWaitMs, run.budget.millisecondsLeft());
    if (!isThrottled(outcome) || hasJustWaited || !mayWait) {
      return { refusal: outcome, isLasting: isThrottled(outcome) && hasJustWaited };
    }
    waits++;
    hasJustWaited = true;
    // Pings are answered meanwhile, or those that are held might be cut off.
    await Promise.all([
      run.wait(waitMs, "The server limits handshakes, or connections."),
      ...held.map((one) => one.listen(waitMs)),
    ]);
  }
  return {};
}

async function isLetInOnceClosed(run: Run, held: Connection[]): Promise<boolean> {
  await Promise.all(held.splice(0).map((one) => one.close()));
  await pause(noticeMs, run.budget);
  return isAccepted(await run.shake({ ...ownHandshake, isQuick: true, isImpatient: true }));
}

async function concludeAllHeld(run: Run, held: readonly Connection[]): Promise<Conclusion> {
  const [first] = held;
  const isFirstAlive = first !== undefined && (await first.ping(run.limits.answerMs));
  const evidence = [
    {
      probe: `${held.length} connections at the same time`,
      observation: isFirstAlive ? "all accepted, and the first still open" : "the first was closed",
    },
  ];
  return isFirstAlive
    ? failed(`${held.length} connections were held at the same time.`, evidence)
    : passed("Older connections were closed for newer ones.", evidence);
}
