import type { Duplex } from "node:stream";
import { closeFor } from "../socket-owner.ts";
import { type FrameMeter, flags, meterOf, rareOf } from "./frame-meter.ts";

// Taken at load: tests of applications replace the globals by faked ones.
const { setTimeout } = globalThis;
const now = performance.now.bind(performance);

/** How many times the bound is too much at any time. */
const atMostTimes = 4;
/** How often what was written to is looked at, in milliseconds; oftener where a grace is short. */
let lookEveryMs = 5_000;
/** What was written to since it was looked at last, and what has not left since. */
const watched = new Set<Duplex>();
let isLookAhead = false;

/** Called behind each write; most of them cost no more than a look at a bit. */
export function noticeWrite(
  socket: Duplex,
  meter: FrameMeter,
  written: number,
  hasRoom: boolean,
): void {
  if ((meter.flags & flags.watched) === 0) watch(socket, meter);
  else if (meter.rare?.slow !== undefined) meter.rare.slow.writtenSince += written;
  if (!hasRoom && socket.writableLength > meter.rules.maxBufferedBytes * atMostTimes) {
    closeFor(socket, "slow_consumer");
  }
}

function watch(socket: Duplex, meter: FrameMeter): void {
  const { maxBufferedBytes, bufferedGraceMs } = meter.rules;
  if (maxBufferedBytes === Number.POSITIVE_INFINITY) return;
  meter.flags |= flags.watched;
  watched.add(socket);
  lookEveryMs = Math.min(lookEveryMs, Math.max(bufferedGraceMs / 2, 100));
  if (!isLookAhead) lookLater();
}

/** For a socket that is gone. */
export function stopWatching(socket: Duplex, meter: FrameMeter): void {
  if ((meter.flags & flags.watched) === 0) return;
  meter.flags &= ~flags.watched;
  watched.delete(socket);
}

function lookLater(): void {
  isLookAhead = true;
  setTimeout(look, lookEveryMs).unref();
}

function look(): void {
  isLookAhead = false;
  const time = now();
  for (const socket of watched) {
    const meter = meterOf.of(socket);
    if (meter !== undefined) judge(socket, meter, time);
  }
  if (watched.size > 0) lookLater();
}

/** Some libraries keep what they cannot write: then too little waits here, but none of it leaves. */
function judge(socket: Duplex, meter: FrameMeter, time: number): void {
  const { writableLength } = socket;
  const { rare } = meter;
  if (writableLength === 0) {
    if (rare !== undefined) rare.slow = undefined;
    stopWatching(socket, meter);
    return;
  }
  const slow = rare?.slow;
  const { maxBufferedBytes, bufferedGraceMs } = meter.rules;
  if (slow !== undefined && time < slow.since + bufferedGraceMs) return;
  const queue = queueOf(socket);
  if (slow !== undefined) {
    const left = writableLength - slow.writtenSince;
    const isStuck = left === slow.waiting && queue !== undefined && queue === slow.queue;
    if (isStuck || (left > 0 && writableLength > maxBufferedBytes)) {
      closeFor(socket, "slow_consumer");
      return;
    }
  }
  rareOf(meter).slow = { since: time, waiting: writableLength, queue, writtenSince: 0 };
}

/** What of one long write has not left yet: Node's own socket timeout goes by the same. Undefined where it cannot be told. */
const queueOf = (socket: Duplex): number | undefined =>
  (socket as { readonly _handle?: { readonly writeQueueSize?: number } | null })._handle
    ?.writeQueueSize;
