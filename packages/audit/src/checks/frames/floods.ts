import { type Check, type Conclusion, failed, inconclusive, passed } from "../../check.ts";
import { survives } from "../../liveness.ts";
import type { Connection } from "../../probe/connection.ts";
import { frameBytes, opcodes } from "../../probe/frame.ts";
import type { Evidence } from "../../report.ts";
import { openOwn, type Run } from "../../run.ts";
import { frameEvidence } from "./size-and-masking.ts";

const fragments = 20_000;
const pings = 5_000;

export const endlessFragments: Check = {
  id: "WS-FRAME-4",
  run: (run) =>
    flood(
      run,
      `${fragments} fragments of one byte`,
      async (connection) => {
        connection.send({ opcode: opcodes.text, payload: "a", isFinal: false });
        const one = { opcode: opcodes.continuation, payload: "a", isFinal: false };
        connection.wire.send(
          Buffer.concat(Array.from({ length: fragments }, () => frameBytes(one))),
        );
        return connection.isClosedWithin(1_000);
      },
      {
        fails: "A message of 20,000 fragments without an end was taken.",
        passes: "The connection was closed before 20,000 fragments had been taken.",
      },
    ),
};

export const pingFlood: Check = {
  id: "WS-FRAME-5",
  run: (run) =>
    flood(
      run,
      `${pings} pings, without reading`,
      async (connection) => {
        const one = { opcode: opcodes.ping, payload: "p".repeat(125) };
        connection.wire.socket.pause();
        connection.wire.send(Buffer.concat(Array.from({ length: pings }, () => frameBytes(one))));
        await run.wait(500, "Pings are not read.");
        connection.wire.socket.resume();
        return connection.isClosedWithin(1_000);
      },
      {
        fails: "5,000 pings were taken from a client that does not read the pongs.",
        passes: "The connection was closed in a flood of pings.",
      },
    ),
};

async function flood(
  run: Run,
  probe: string,
  attack: (connection: Connection) => Promise<boolean>,
  { fails, passes }: { readonly fails: string; readonly passes: string },
): Promise<Conclusion> {
  let isClosed: boolean | undefined;
  const { hasEnded, evidence, reason } = await survives(run, async () => {
    const { connection, outcome } = await openOwn(run);
    if (connection === undefined) return [{ outcome, evidence: run.evidence(outcome) }];
    try {
      isClosed = await attack(connection);
      const seen: Evidence = frameEvidence(probe, connection, isClosed);
      return [{ evidence: seen }];
    } finally {
      connection.wire.socket.destroy();
    }
  });
  if (hasEnded) {
    return { ...failed(`It ended the process. ${reason}`, evidence, "high"), hasEndedServer: true };
  }
  if (isClosed === undefined) return inconclusive("No connection could be opened.", evidence);
  return isClosed ? passed(passes, evidence) : failed(fails, evidence);
}
