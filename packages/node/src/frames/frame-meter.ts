import { makeStamp, type Stamp } from "../stamp.ts";
import { coarseNow } from "./coarse-clock.ts";
import type { FrameRules } from "./frame-rules.ts";
import type { IdentityBucket } from "./identity-buckets.ts";

/** What is known of the frames of one connection: numbers, so that thousands of idle ones weigh little. */
export class FrameMeter {
  rules: FrameRules;
  /** Bits of {@link flags}. */
  flags: number;
  /** Of the payload of the client's frame. */
  left = 0;
  /** Of the message that the client has begun, as announced. */
  messageBytes = 0;
  fragments = 0;
  /** How full each bucket is, in units of its window, when they were last drained. */
  messageLevel = 0;
  byteLevel = 0;
  controlLevel = 0;
  countedAt = 0;
  /** In milliseconds of `coarseNow`: when the client was last heard of, has last sent a message's frame. */
  lastByteAt: number;
  lastDataAt: number;
  /** Where the library is in what it writes: one of {@link phases}. */
  outPhase: number = phases.answer;
  /** Of the payload of the library's frame; while its length is read, what is read of it. */
  outLeft = 0;
  rare: Rare | undefined = undefined;

  constructor(rules: FrameRules, initialFlags: number) {
    this.rules = rules;
    this.flags = initialFlags;
    this.lastByteAt = this.lastDataAt = this.countedAt = coarseNow();
  }
}

/** What few connections need at a time. */
export interface Rare {
  /** The head of an answer that is not whole. */
  answer: string | undefined;
  /** The beginning of a frame's header, or of a close frame, that is not whole. */
  held: Uint8Array | undefined;
  /** What is to be done once the library is between two frames. */
  atBoundary: (() => void) | undefined;
  bucket: IdentityBucket | undefined;
  slow: SlowConsumer | undefined;
}

/** A client for which something waits. */
export interface SlowConsumer {
  /** When it was looked at. */
  readonly since: number;
  /** What waited then in the stream, and what of it below. */
  readonly waiting: number;
  readonly queue: number | undefined;
  /** What was written since then. */
  writtenSince: number;
}

export const rareOf = (meter: FrameMeter): Rare => {
  meter.rare ??= {
    answer: undefined,
    held: undefined,
    atBoundary: undefined,
    bucket: undefined,
    slow: undefined,
  };
  return meter.rare;
};

export const flags = {
  /** A message has begun, and its last frame has not come. */
  inMessage: 1,
  /** The client has sent its close frame: nothing comes behind it. */
  over: 2,
  /** The library's answer has agreed to compression, or to what is not known. */
  deflate: 4,
  extended: 8,
  /** Ours, while several frames are delivered. */
  corked: 16,
  /** Where the socket was HTTP's before, nothing is metered until the library has accepted. */
  dormant: 32,
  /** It was written to since somebody looked whether what waits gets away. */
  watched: 64,
  /** Bytes, a message's frame, have come since somebody has taken note of it. */
  heard: 128,
  spoken: 256,
  /** A ping of ours is out, as far as somebody wants to know. */
  asked: 512,
} as const;

/** Whether it was up, and takes it down. */
export function takeFlag(meter: FrameMeter | undefined, flag: number): boolean {
  if (meter === undefined || (meter.flags & flag) === 0) return false;
  meter.flags &= ~flag;
  return true;
}

/** Where a library is: in its answer to the handshake, then in frames (RFC 6455 §5.2). */
export const phases = {
  answer: 0,
  /** An answer that does not accept, or what is no answer: nothing is known of what follows. */
  unknown: 1,
  between: 2,
  /** Behind a close frame. */
  closed: 3,
  length: 4,
  /** With how many bytes of a longer length are still to come, up to 8, added. */
  extended: 5,
  payload: 14,
  /** Added within a close frame. */
  ofClose: 16,
} as const;

export const meterOf: Stamp<FrameMeter> = makeStamp<FrameMeter>();
