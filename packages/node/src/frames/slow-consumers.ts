import type { Duplex } from "node:stream";
import { closeSocket } from "./close-socket.ts";
import { type FrameMeter, meterOf, rareOf } from "./frame-meter.ts";
import { violations } from "./violations.ts";

// Taken at load: tests of applications replace the globals by faked ones.
const { setTimeout, clearTimeout } = globalThis;

/** How many times the bound is too much at any time. */
const atMostTimes = 4;

/** Called where something was written while the socket was full, or its client is known to be slow. */
export function noticeWaiting(socket: Duplex, meter: FrameMeter, written: number): void {
  const { maxBufferedBytes, bufferedGraceMs } = meter.rules;
  const slow = meter.rare?.slow;
  if (slow !== undefined) slow.writtenSince += written;
  const { writableLength } = socket;
  if (writableLength <= maxBufferedBytes) return;
  if (writableLength > maxBufferedBytes * atMostTimes || bufferedGraceMs === 0) {
    close(socket);
  } else if (slow === undefined) {
    const timer = setTimeout(look, bufferedGraceMs, socket).unref();
    rareOf(meter).slow = { writtenSince: 0, timer };
  }
}

/** Nobody waits for a socket that is gone. */
export function forgetSlow({ rare }: FrameMeter): void {
  if (rare?.slow === undefined) return;
  clearTimeout(rare.slow.timer);
  rare.slow = undefined;
}

/** What waited when the client was found slow has to be gone by now. */
function look(socket: Duplex): void {
  const meter = meterOf.of(socket);
  const slow = meter?.rare?.slow;
  if (meter === undefined || slow === undefined) return;
  const { maxBufferedBytes } = meter.rules;
  const { writtenSince } = slow;
  forgetSlow(meter);
  if (socket.writableLength <= maxBufferedBytes) return;
  if (socket.writableLength > writtenSince) close(socket);
  else noticeWaiting(socket, meter, 0);
}

function close(socket: Duplex): void {
  const { code, reason } = violations.slowConsumer;
  closeSocket(socket, code, reason);
}
