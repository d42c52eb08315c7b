import { randomBytes } from "node:crypto";

/** RSV1 marks a compressed message (RFC 7692 §6). */
export const compressedBit = 4;

/** RFC 6455 §5.2. */
export const opcodes = {
  continuation: 0x0,
  text: 0x1,
  binary: 0x2,
  close: 0x8,
  ping: 0x9,
  pong: 0xa,
} as const;

/** A frame as it arrived. */
export interface Frame {
  readonly isFinal: boolean;
  readonly reservedBits: number;
  readonly opcode: number;
  readonly payload: Buffer;
}

/** A frame to be written, right or wrong. */
export interface FrameSketch {
  readonly opcode: number;
  readonly payload?: Buffer | string;
  readonly isFinal?: boolean;
  /** The three reserved bits, 0 to 7. */
  readonly reservedBits?: number;
  /** What clients must do, and some servers forget to demand. Default true. */
  readonly isMasked?: boolean;
  /** Announces this length whatever the payload is. */
  readonly announcedLength?: bigint;
}

/** The bytes of a frame. */
export function frameBytes(sketch: FrameSketch): Buffer {
  const { opcode, isFinal = true, reservedBits = 0, isMasked = true } = sketch;
  const payload = Buffer.from(sketch.payload ?? "");
  const length = sketch.announcedLength ?? BigInt(payload.length);
  const first = (isFinal ? 0x80 : 0) | (reservedBits << 4) | opcode;
  const mask = randomBytes(4);
  const written = isMasked
    ? payload.map((byte, index) => byte ^ mask.readUInt8(index % 4))
    : payload;
  return Buffer.concat([
    Buffer.from([first]),
    lengthBytes(length, isMasked),
    ...(isMasked ? [mask] : []),
    written,
  ]);
}

function lengthBytes(length: bigint, isMasked: boolean): Buffer {
  const maskBit = isMasked ? 0x80 : 0;
  if (length < 126n) return Buffer.from([maskBit | Number(length)]);
  if (length < 65_536n) {
    const bytes = Buffer.from([maskBit | 126, 0, 0]);
    bytes.writeUInt16BE(Number(length), 1);
    return bytes;
  }
  const bytes = Buffer.alloc(9, maskBit | 127);
  bytes.writeBigUInt64BE(length, 1);
  return bytes;
}

/** A frame that was read, and how many bytes it takes. */
export interface ReadFrame {
  readonly frame: Frame;
  readonly size: number;
}

/**
 * The first frame of what has arrived; undefined where it has not arrived whole, `invalid` where a server may not send it: masked, or with
 * reserved bits that nothing negotiated. One that is longer than is worth reading is given at once, without its payload.
 */
export function readFrame(
  bytes: Buffer,
  maxPayloadBytes: number,
  allowedBits = 0,
): ReadFrame | "invalid" | undefined {
  if (bytes.length < 2) return undefined;
  const first = bytes.readUInt8(0);
  const second = bytes.readUInt8(1);
  if ((second & 0x80) !== 0 || (first & 0x70 & ~(allowedBits << 4)) !== 0) return "invalid";
  const short = second & 0x7f;
  const start = short === 126 ? 4 : short === 127 ? 10 : 2;
  if (bytes.length < start) return undefined;
  const length =
    short === 126
      ? bytes.readUInt16BE(2)
      : short === 127
        ? Number(bytes.readBigUInt64BE(2))
        : short;
  const isTooLong = length > maxPayloadBytes;
  if (bytes.length < start + length && !isTooLong) return undefined;
  const payload = Buffer.from(bytes.subarray(start, isTooLong ? start : start + length));
  return {
    frame: {
      isFinal: (first & 0x80) !== 0,
      reservedBits: (first >> 4) & 7,
      opcode: first & 0x0f,
      payload,
    },
    size: start + length,
  };
}
