import { deflateRawSync } from "node:zlib";
import { type Check, failed, inconclusive, passed } from "../../check.ts";
import { compressedBit, opcodes } from "../../probe/frame.ts";
import { headerOf } from "../../probe/http-answer.ts";
import { isAccepted } from "../../probe/outcome.ts";
import { openOwn } from "../../run.ts";
import { frameEvidence } from "./size-and-masking.ts";

const inflatedBytes = 1_048_576;

export const compression: Check = {
  id: "WS-FRAME-6",
  run: async (run) => {
    const { connection, outcome } = await openOwn(run, {
      probe: "permessage-deflate offered",
      extensions: "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
    });
    if (connection === undefined || !isAccepted(outcome)) {
      return inconclusive("A handshake that offers compression was not accepted.", [
        run.evidence(outcome),
      ]);
    }
    try {
      const evidence = run.evidence(outcome);
      const agreed = headerOf(outcome.head, "sec-websocket-extensions") ?? "";
      if (!agreed.includes("permessage-deflate")) {
        return passed("Compression is not agreed to.", [evidence]);
      }
      if (!run.options.intrusive) {
        return failed(
          "Compression is agreed to. Whether the inflated size is limited is tried with the option intrusive alone.",
          [evidence],
          "info",
        );
      }
      // What Z_SYNC_FLUSH leaves at the end is taken off (RFC 7692 §7.2.1).
      const bomb = deflateRawSync(Buffer.alloc(inflatedBytes), { level: 9, finishFlush: 2 });
      connection.send({
        opcode: opcodes.binary,
        reservedBits: compressedBit,
        payload: bomb.subarray(0, -4),
      });
      const isClosed = await connection.isClosedWithin(1_000);
      const seen = frameEvidence(`1 MiB of zeros in ${bomb.length} bytes`, connection, isClosed);
      return isClosed
        ? passed("A compressed message of 1 MiB was refused.", [evidence, seen])
        : failed("A message of 1 KiB was inflated to 1 MiB.", [evidence, seen]);
    } finally {
      connection.wire.socket.destroy();
    }
  },
};
