import { Buffer, isUtf8 } from "node:buffer";
import type { CloseCode, FrameRate } from "@firmshake/core";
import { coarseNow, preciseNow } from "./coarse-clock.ts";
import { type FrameMeter, flags } from "./frame-meter.ts";

/** What came of {@link readFrames}; read before anything else is metered. */
export const reading: {
  /** How many frames have begun. */
  frames: number;
  violation: CloseCode | undefined;
} = { frames: 0, violation: undefined };

const { inMessage, over, deflate, extended, spoken } = flags;

/**
 * Reads frame headers (RFC 6455 §5.2) and steps over what is between them.
 *
 * @returns up to where the bytes may go on. What is behind is the first frame that violates a rule, as `reading` has it; or what follows
 * the client's close frame; or else the beginning of a header, to be given again with more behind it.
 */
export function readFrames(meter: FrameMeter, bytes: Uint8Array): number {
  const { length: end } = bytes;
  reading.frames = 0;
  reading.violation = undefined;
  if ((meter.flags & over) !== 0) return 0;
  let at = meter.left;
  if (at >= end) {
    meter.left = at - end;
    return end;
  }
  meter.left = 0;
  const { rules } = meter;

  while (at < end) {
    const first = bytes[at] as number;
    const opcode = first & 15;
    if (!isFirstByteFit(meter, first, opcode)) return stop("protocol_error", at);
    if (at + 1 === end) return at;
    const second = bytes[at + 1] as number;
    let payload = second & 127;
    let header = 6;
    if (second < 128) return stop("protocol_error", at);
    if (opcode > 7) {
      if (payload > 125) return stop("protocol_error", at);
      if (opcode === 8) {
        // Whole, since libraries fail on what it may hold: a code that nobody may send, a reason that is not text.
        if (at + header + payload > end) {
          if (payload === 1) return stop("protocol_error", at);
          return at;
        }
        if (!isCloseFit(bytes, at + 2, payload)) return stop("protocol_error", at);
      }
      if (rules.controlFrames !== undefined && !takeControl(meter, rules.controlFrames)) {
        return stop("control_rate_exceeded", at);
      }
    } else {
      if (payload === 126) {
        if (at + 4 > end) return at;
        payload = ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number);
        if (payload < 126) return stop("protocol_error", at);
        header = 8;
      } else if (payload === 127) {
        if (at + 10 > end) return at;
        const high = fourBytes(bytes, at + 2);
        // Above, it is no exact number in JavaScript any more.
        if (high > 0x1fffff) return stop("protocol_error", at);
        payload = high * 0x1_0000_0000 + fourBytes(bytes, at + 6);
        if (payload < 65_536) return stop("protocol_error", at);
        header = 14;
      }
      const violation = countData(meter, opcode, payload, first > 127);
      if (violation !== undefined) return stop(violation, at);
    }
    reading.frames++;
    at += header + payload;
    if (opcode === 8) {
      meter.flags |= over;
      return at;
    }
  }
  meter.left = at - end;
  return end;
}

function stop(violation: CloseCode, at: number): number {
  reading.violation = violation;
  return at;
}

/** Reserved bits, opcodes, and the order of a message's frames (RFC 6455 §5.2, §5.4). */
function isFirstByteFit(meter: FrameMeter, first: number, opcode: number): boolean {
  const state = meter.flags;
  const reserved = first & 0x70;
  if (reserved !== 0 && (state & extended) === 0) {
    // RFC 7692 §6: RSV1, on the first frame of a message.
    const isDeflated = (state & deflate) !== 0 && meter.rules.compression !== "off";
    if (!isDeflated || reserved !== 0x40 || (opcode !== 1 && opcode !== 2)) return false;
  }
  if (opcode > 7) return first > 127 && opcode < 11;
  if (opcode > 2) return false;
  return (opcode === 0) === ((state & inMessage) !== 0);
}

const fourBytes = (bytes: Uint8Array, at: number): number =>
  (bytes[at] as number) * 0x1000000 +
  (((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number));

/** RFC 6455 §7.4, and the codes that were registered since. */
function isCloseFit(bytes: Uint8Array, maskAt: number, length: number): boolean {
  if (length < 2) return length === 0;
  const from = maskAt + 4;
  const unmasked = Buffer.from(bytes.subarray(from, from + length));
  for (let at = 0; at < length; at++) {
    unmasked[at] = (unmasked[at] as number) ^ (bytes[maskAt + (at & 3)] as number);
  }
  const code = unmasked.readUInt16BE(0);
  const isSendable =
    (code >= 1000 && code <= 1014 && (code < 1004 || code > 1006)) ||
    (code >= 3000 && code <= 4999);
  return isSendable && isUtf8(unmasked.subarray(2));
}

function countData(
  meter: FrameMeter,
  opcode: number,
  payload: number,
  isLast: boolean,
): CloseCode | undefined {
  const { rules } = meter;
  const isFirst = opcode !== 0;
  const messageBytes = isFirst ? payload : meter.messageBytes + payload;
  const fragments = isFirst ? 1 : meter.fragments + 1;
  if (messageBytes > rules.maxMessageBytes || messageBytes > Number.MAX_SAFE_INTEGER) {
    return "message_too_big";
  }
  if (fragments > rules.maxFragments) return "too_many_fragments";
  const now = coarseNow();
  meter.lastDataAt = now;
  if (rules.countsMessages) {
    const violation =
      takeMessage(meter, isFirst, payload, now) &&
      // The coarse time is late where the process is busy.
      takeMessage(meter, isFirst, payload, preciseNow());
    if (violation !== undefined) return violation;
  }
  meter.messageBytes = isLast ? 0 : messageBytes;
  meter.fragments = isLast ? 0 : fragments;
  meter.flags = spoken | (isLast ? meter.flags & ~inMessage : meter.flags | inMessage);
  return undefined;
}

/** Takes nothing where there is no room in one of the buckets. */
function takeMessage(
  meter: FrameMeter,
  isFirst: boolean,
  payload: number,
  now: number,
): CloseCode | undefined {
  const { messages, bytes, byIdentity } = meter.rules;
  drain(meter, now);
  const messageLevel = levelAfter(meter.messageLevel, messages, isFirst ? 1 : 0);
  if (messageLevel < 0) return "message_rate_exceeded";
  const byteLevel = levelAfter(meter.byteLevel, bytes, payload);
  if (byteLevel < 0) return "byte_rate_exceeded";
  const bucket = meter.rare?.bucket;
  if (bucket !== undefined && byIdentity !== undefined) {
    const elapsedMs = Math.max(now - bucket.countedAt, 0);
    bucket.countedAt += elapsedMs;
    bucket.messages = drained(bucket.messages, byIdentity.messages, elapsedMs);
    bucket.bytes = drained(bucket.bytes, byIdentity.bytes, elapsedMs);
    const ofMessages = levelAfter(bucket.messages, byIdentity.messages, isFirst ? 1 : 0);
    if (ofMessages < 0) return "message_rate_exceeded";
    const ofBytes = levelAfter(bucket.bytes, byIdentity.bytes, payload);
    if (ofBytes < 0) return "byte_rate_exceeded";
    bucket.messages = ofMessages;
    bucket.bytes = ofBytes;
  }
  meter.messageLevel = messageLevel;
  meter.byteLevel = byteLevel;
  return undefined;
}

function takeControl(meter: FrameMeter, rate: FrameRate): boolean {
  drain(meter, coarseNow());
  let level = levelAfter(meter.controlLevel, rate, 1);
  if (level < 0) {
    drain(meter, preciseNow());
    level = levelAfter(meter.controlLevel, rate, 1);
    if (level < 0) return false;
  }
  meter.controlLevel = level;
  return true;
}

function drain(meter: FrameMeter, now: number): void {
  const elapsedMs = now - meter.countedAt;
  if (elapsedMs <= 0) return;
  const { messages, bytes, controlFrames } = meter.rules;
  meter.countedAt = now;
  meter.messageLevel = drained(meter.messageLevel, messages, elapsedMs);
  meter.byteLevel = drained(meter.byteLevel, bytes, elapsedMs);
  meter.controlLevel = drained(meter.controlLevel, controlFrames, elapsedMs);
}

/** Whole numbers: the level is a sum of windows, and falls by the limit in each millisecond. */
const drained = (level: number, rate: FrameRate | undefined, elapsedMs: number): number =>
  rate === undefined || level === 0 ? 0 : Math.max(level - elapsedMs * rate.limit, 0);

/** Below 0 where there is no room. */
function levelAfter(level: number, rate: FrameRate | undefined, amount: number): number {
  if (rate === undefined) return 0;
  const after = level + amount * rate.windowMs;
  return after > rate.limit * rate.windowMs ? -1 : after;
}
