import { Buffer } from "node:buffer";
import type { Duplex } from "node:stream";
import { flags, meterOf, phases, rareOf } from "./frame-meter.ts";

/** RFC 6455 §5.5. */
const maxPayloadBytes = 125;

/**
 * Sends a ping below the library, at the next end of a frame of the library's. The library sees the pong, and leaves it alone: what it did not send
 * is unsolicited to it (RFC 6455 §5.5.3).
 *
 * @returns false where nothing can be sent: nobody has accepted yet, or it is closing.
 */
export function sendPing(socket: Duplex, payload: string): boolean {
  const meter = meterOf.of(socket);
  if (meter === undefined || socket.destroyed || !socket.writable) return false;
  const { outPhase, rare } = meter;
  if (outPhase === phases.answer || outPhase === phases.unknown || outPhase === phases.closed) {
    return false;
  }
  // Somebody waits already: to close, or to send such a one.
  if (rare?.atBoundary !== undefined) return false;
  const bytes = Buffer.from(payload, "latin1").subarray(0, maxPayloadBytes);
  const frame = Buffer.concat([Buffer.from([0x89, bytes.length]), bytes]);
  const send = (): void => {
    if (meter.outPhase === phases.between) socket.write(frame);
  };
  meter.flags |= flags.asked;
  if (outPhase === phases.between) send();
  else rareOf(meter).atBoundary = send;
  return true;
}
