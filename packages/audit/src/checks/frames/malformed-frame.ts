import type { Check } from "../../check.ts";
import { concludeSurvival, type RiskyProbe, survives } from "../../liveness.ts";
import { type FrameSketch, opcodes } from "../../probe/frame.ts";
import { openOwn } from "../../run.ts";

const frames: readonly (readonly [probe: string, frame: FrameSketch])[] = [
  ["A frame with reserved bits", { opcode: opcodes.text, reservedBits: 7, payload: "x" }],
  ["A frame that announces 2^62 bytes", { opcode: opcodes.binary, announcedLength: 2n ** 62n }],
  ["A ping of 126 bytes", { opcode: opcodes.ping, payload: "x".repeat(126) }],
  ["Text that is not UTF-8", { opcode: opcodes.text, payload: Buffer.from([0xff, 0xfe]) }],
];

export const malformedFrame: Check = {
  id: "WS-FRAME-3",
  run: async (run) => {
    const survival = await survives(run, async () => {
      const probes: RiskyProbe[] = [];
      for (const [probe, frame] of frames) {
        const { connection, outcome } = await openOwn(run);
        if (connection === undefined) {
          if (outcome.kind === "unreachable") break;
          continue;
        }
        connection.send(frame);
        await connection.isClosedWithin(Math.min(1_000, run.limits.answerMs));
        const { isOver, closeCode } = connection.heard();
        probes.push({
          evidence: {
            probe,
            observation: isOver
              ? `closed ${closeCode === undefined ? "without a close frame" : `with close code ${closeCode}`}`
              : "not closed",
            ...(closeCode !== undefined && { closeCode }),
          },
        });
        await connection.close();
      }
      return probes;
    });
    return concludeSurvival(survival, {
      fails: "A malformed frame ended the process.",
      passes: "The server answered as before after malformed frames.",
    });
  },
};
