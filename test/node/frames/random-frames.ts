import fc from "fast-check";
import type { ReferenceRules } from "./reference.ts";

/** What a client's frame says, whether or not it may. */
export interface FrameSketch {
  readonly fin: boolean;
  /** RSV1 to RSV3. */
  readonly reserved: number;
  readonly opcode: number;
  readonly isMasked: boolean;
  readonly payload: Uint8Array;
  /** Announced instead of the payload's own length. */
  readonly length?: bigint | undefined;
  /** In how many bytes it is announced: 0, 2 or 8 more. Default: the fewest. */
  readonly width?: 0 | 2 | 8 | undefined;
}

/** The bytes of a frame (RFC 6455 §5.2), masked with a fixed key. */
export function frameBytes(sketch: FrameSketch): Buffer {
  const { fin, reserved, opcode, isMasked, payload } = sketch;
  const length = sketch.length ?? BigInt(payload.length);
  const fewest = length < 126n ? 0 : length < 65_536n ? 2 : 8;
  const width = sketch.width ?? fewest;
  const short = width === 0 ? Number(length % 126n) : width === 2 ? 126 : 127;
  const head = Buffer.alloc(2 + width);
  head[0] = (fin ? 128 : 0) | (reserved << 4) | opcode;
  head[1] = (isMasked ? 128 : 0) | short;
  if (width === 2) head.writeUInt16BE(Number(length % 65_536n), 2);
  if (width === 8) head.writeBigUInt64BE(length, 2);
  if (!isMasked) return Buffer.concat([head, payload]);
  const mask = Buffer.from([0x12, 0xfe, 0x00, 0x81]);
  // What nobody reads is not masked: that would be most of what a long run does.
  if (opcode !== 8) return Buffer.concat([head, mask, payload]);
  return Buffer.concat([head, mask, payload.map((byte, at) => byte ^ (mask[at & 3] as number))]);
}

const fit: fc.Arbitrary<FrameSketch> = fc.record({
  fin: fc.boolean(),
  reserved: fc.constant(0),
  opcode: fc.constantFrom(0, 1, 2),
  isMasked: fc.constant(true),
  payload: fc.oneof(
    { weight: 60, arbitrary: fc.uint8Array({ maxLength: 12 }) },
    {
      weight: 9,
      arbitrary: fc.integer({ min: 120, max: 400 }).map((size) => new Uint8Array(size)),
    },
    { weight: 1, arbitrary: fc.constantFrom(65_535, 65_536).map((size) => new Uint8Array(size)) },
  ),
});

const control: fc.Arbitrary<FrameSketch> = fc.record({
  fin: fc.constant(true),
  reserved: fc.constant(0),
  opcode: fc.constantFrom(9, 10),
  isMasked: fc.constant(true),
  payload: fc.uint8Array({ maxLength: 125 }),
});

const close: fc.Arbitrary<FrameSketch> = fc
  .record({
    code: fc.oneof(
      fc.constantFrom(999, 1000, 1005, 1014, 1015, 2999, 3000, 4999, 5000),
      fc.nat(65_535),
    ),
    reason: fc.oneof(
      fc.uint8Array({ maxLength: 8 }),
      fc.string({ maxLength: 20, unit: "grapheme" }).map((text) => Buffer.from(text)),
    ),
    cut: fc.constantFrom(0, 1, 2, 125),
  })
  .map(({ code, reason, cut }) => ({
    fin: true,
    reserved: 0,
    opcode: 8,
    isMasked: true,
    payload: Buffer.concat([Buffer.from([code >> 8, code & 255]), reason]).subarray(0, cut),
  }));

const unfit: fc.Arbitrary<FrameSketch> = fc.record({
  fin: fc.boolean(),
  reserved: fc.nat(7),
  opcode: fc.nat(15),
  isMasked: fc.boolean(),
  payload: fc.uint8Array({ maxLength: 130 }),
  length: fc.option(
    fc.oneof(
      fc.constantFrom(
        125n,
        126n,
        65_535n,
        65_536n,
        2n ** 31n,
        2n ** 32n,
        2n ** 53n - 1n,
        2n ** 53n,
        2n ** 62n,
        2n ** 63n,
        2n ** 64n - 1n,
      ),
      fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    ),
    { nil: undefined },
  ),
  width: fc.option(fc.constantFrom(0, 2, 8), { nil: undefined }),
});

/** Begun and finished in their order, so that more than the first of them counts. */
const message: fc.Arbitrary<readonly FrameSketch[]> = fc
  .tuple(fc.array(fit, { minLength: 1, maxLength: 5 }), fc.array(control, { maxLength: 2 }))
  .map(([frames, between]) =>
    frames.flatMap((frame, index) => [
      {
        ...frame,
        opcode: index === 0 ? frame.opcode || 1 : 0,
        fin: index === frames.length - 1,
      },
      ...(index < frames.length - 1 ? between.slice(index, index + 1) : []),
    ]),
  );

const one = (arbitrary: fc.Arbitrary<FrameSketch>): fc.Arbitrary<readonly FrameSketch[]> =>
  arbitrary.map((sketch) => [sketch]);

/** What a client may send: mostly whole messages, with something else among them. */
export const streams: fc.Arbitrary<Buffer> = fc
  .tuple(
    fc.array(
      fc.oneof(
        { weight: 10, arbitrary: message },
        { weight: 3, arbitrary: one(control) },
        { weight: 1, arbitrary: one(close) },
        { weight: 1, arbitrary: one(fit) },
        { weight: 1, arbitrary: one(unfit) },
      ),
      { maxLength: 8 },
    ),
    fc.uint8Array({ maxLength: 4 }),
  )
  .map(([parts, garbage]) => Buffer.concat([...parts.flat().map(frameBytes), garbage]));

const rate = fc.option(
  fc.record({ limit: fc.integer({ min: 1, max: 12 }), windowMs: fc.constant(1_000_000_000) }),
  { nil: undefined },
);

export const rules: fc.Arbitrary<ReferenceRules> = fc.record({
  maxMessageBytes: fc.constantFrom(1, 125, 126, 1_000, 65_536, 2 ** 40, Number.POSITIVE_INFINITY),
  maxFragments: fc.constantFrom(1, 3, Number.POSITIVE_INFINITY),
  messages: rate,
  bytes: fc.option(fc.constantFrom({ limit: 200, windowMs: 1_000_000_000 }), { nil: undefined }),
  controlFrames: rate,
  deflates: fc.boolean(),
});

/** Where a stream is cut into chunks: byte by byte near the beginning too, where the headers are. */
export const cuts: fc.Arbitrary<readonly number[]> = fc.oneof(
  fc.constant([1]),
  fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 20 }),
  fc.array(fc.oneof(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 70_000 })), {
    minLength: 1,
    maxLength: 6,
  }),
);

const mostChunks = 500;

/** The sizes again and again, until all of it is given out; the rest of a long stream at once. */
export function cutBy(bytes: Buffer, sizes: readonly number[]): readonly Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0, index = 0; at < bytes.length; index++) {
    const size = index < mostChunks ? (sizes[index % sizes.length] as number) : bytes.length;
    chunks.push(bytes.subarray(at, at + size));
    at += size;
  }
  return chunks;
}
