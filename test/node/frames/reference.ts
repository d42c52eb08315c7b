import { isUtf8 } from "node:buffer";
import type { FrameRate } from "@firmshake/node";

/** What the reference goes by; Infinity is off. */
export interface ReferenceRules {
  readonly maxMessageBytes: number;
  readonly maxFragments: number;
  readonly messages: FrameRate | undefined;
  readonly bytes: FrameRate | undefined;
  readonly controlFrames: FrameRate | undefined;
  /** Whether the library's answer has agreed to permessage-deflate. */
  readonly deflates: boolean;
}

/** What comes of a whole stream of a client's bytes. */
export interface Outcome {
  /** How many of the bytes a library may see. */
  readonly passed: number;
  readonly reason: string | undefined;
  readonly frames: number;
}

/**
 * What the meter has to come to, by the letter of RFC 6455 and slowly: over all bytes at once, frame by frame, with everything spelled
 * out. No time passes, so that rates are what may come at once.
 */
export function referenceOutcome(bytes: Buffer, rules: ReferenceRules): Outcome {
  let at = 0;
  let frames = 0;
  let message: { bytes: number; fragments: number } | undefined;
  const counted = { messages: 0, bytes: 0, controlFrames: 0 };
  const end = (reason?: string): Outcome => ({ passed: at, reason, frames });

  while (at < bytes.length) {
    const rest = bytes.subarray(at);
    const fin = bit(rest, 0, 7);
    const rsv1 = bit(rest, 0, 6);
    const rsv2 = bit(rest, 0, 5);
    const rsv3 = bit(rest, 0, 4);
    const opcode = rest.readUInt8(0) % 16;
    const isControl = opcode >= 8;
    // §5.2: MUST be 0 unless an extension is negotiated that defines meanings; RFC 7692 §6 does for RSV1.
    if (rsv2 || rsv3) return end("protocol_error");
    if (rsv1 && !(rules.deflates && (opcode === 1 || opcode === 2))) return end("protocol_error");
    if (![0, 1, 2, 8, 9, 10].includes(opcode)) return end("protocol_error");
    // §5.5: control frames MUST NOT be fragmented.
    if (isControl && !fin) return end("protocol_error");
    // §5.4
    if (opcode === 0 && message === undefined) return end("protocol_error");
    if ((opcode === 1 || opcode === 2) && message !== undefined) return end("protocol_error");
    if (rest.length < 2) return end();
    // §5.1: all frames of a client are masked.
    if (!bit(rest, 1, 7)) return end("protocol_error");
    const short = rest.readUInt8(1) % 128;
    if (isControl && short > 125) return end("protocol_error");
    let length = BigInt(short);
    let head = 2;
    if (short === 126) {
      if (rest.length < 4) return end();
      length = BigInt(rest.readUInt16BE(2));
      head = 4;
      if (length < 126n) return end("protocol_error");
    } else if (short === 127) {
      if (rest.length < 10) return end();
      length = rest.readBigUInt64BE(2);
      head = 10;
      if (length < 65_536n) return end("protocol_error");
      if (length >= 2n ** 53n) return end("protocol_error");
    }
    const whole = head + 4 + Number(length);
    if (opcode === 8) {
      if (short === 1) return end("protocol_error");
      if (rest.length < whole) return end();
      const mask = rest.subarray(head, head + 4);
      const payload = Buffer.from(
        rest.subarray(head + 4, whole).map((byte, index) => byte ^ mask.readUInt8(index % 4)),
      );
      if (payload.length > 0) {
        if (!sendable.has(payload.readUInt16BE(0))) return end("protocol_error");
        if (!isUtf8(payload.subarray(2))) return end("protocol_error");
      }
    }
    if (isControl) {
      counted.controlFrames++;
      if (isOver(counted.controlFrames, rules.controlFrames)) return end("control_rate_exceeded");
    } else {
      message ??= { bytes: 0, fragments: 0 };
      message.bytes += Number(length);
      message.fragments++;
      if (message.bytes > rules.maxMessageBytes) return end("message_too_big");
      if (message.bytes >= 2 ** 53) return end("message_too_big");
      if (message.fragments > rules.maxFragments) return end("too_many_fragments");
      if (opcode !== 0) counted.messages++;
      if (isOver(counted.messages, rules.messages)) return end("message_rate_exceeded");
      counted.bytes += Number(length);
      if (isOver(counted.bytes, rules.bytes)) return end("byte_rate_exceeded");
      if (fin) message = undefined;
    }
    frames++;
    at = Math.min(at + whole, bytes.length);
    // §5.5.1: nothing comes behind a close frame.
    if (opcode === 8) return end();
  }
  return end();
}

const bit = (bytes: Buffer, at: number, position: number): boolean =>
  Math.floor(bytes.readUInt8(at) / 2 ** position) % 2 === 1;

const isOver = (count: number, rate: FrameRate | undefined): boolean =>
  rate !== undefined && count > rate.limit;

/** RFC 6455 §7.4, and the IANA registry's 1012 to 1014. */
const sendable = new Set([
  ...[1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014],
  ...Array.from({ length: 2_000 }, (_, index) => 3_000 + index),
]);
