import { type Check, failed, inconclusive, passed } from "../../check.ts";
import type { Connection } from "../../probe/connection.ts";
import { type FrameSketch, opcodes } from "../../probe/frame.ts";
import type { Evidence } from "../../report.ts";
import { openOwn } from "../../run.ts";

const oneGibibyte = 2n ** 30n;

export const unmasked: Check = breach(
  "WS-FRAME-1",
  "An unmasked frame",
  { opcode: opcodes.ping, payload: "unmasked", isMasked: false },
  {
    fails: "An unmasked frame was taken, and the connection stayed open.",
    passes: "The connection was closed after an unmasked frame.",
  },
);

export const messageSize: Check = breach(
  "WS-FRAME-2",
  "A frame that announces 1 GiB",
  { opcode: opcodes.binary, announcedLength: oneGibibyte },
  {
    fails: "A message of 1 GiB was announced, and the server waits for it.",
    passes: "The connection was closed at the announcement of 1 GiB.",
  },
);

/** A frame after which the connection must be closed. */
function breach(
  id: Check["id"],
  probe: string,
  frame: FrameSketch,
  { fails, passes }: { readonly fails: string; readonly passes: string },
): Check {
  return {
    id,
    run: async (run) => {
      const { connection, outcome } = await openOwn(run);
      if (connection === undefined) {
        return inconclusive("No connection could be opened.", [run.evidence(outcome)]);
      }
      try {
        connection.send(frame);
        const isClosed = await connection.isClosedWithin(Math.min(run.limits.answerMs, 2_000));
        const evidence = [frameEvidence(probe, connection, isClosed)];
        return isClosed ? passed(passes, evidence) : failed(fails, evidence);
      } finally {
        connection.wire.socket.destroy();
      }
    },
  };
}

export function frameEvidence(probe: string, connection: Connection, isClosed: boolean): Evidence {
  const { closeCode } = connection.heard();
  const how = closeCode === undefined ? "without a close frame" : `with close code ${closeCode}`;
  return {
    probe,
    observation: isClosed ? `closed ${how}` : "still open",
    ...(closeCode !== undefined && { closeCode }),
  };
}
