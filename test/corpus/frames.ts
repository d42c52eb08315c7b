import { randomBytes } from "node:crypto";
import type { FrameWords, MessageWords } from "./case.ts";
import { WordError } from "./words.ts";

const opcodes = { continuation: 0x0, text: 0x1, binary: 0x2, close: 0x8, ping: 0x9 } as const;

/** Messages as a client sends them (RFC 6455 §5.2). */
export const framesOf = (messages: readonly MessageWords[] = []): readonly Buffer[] =>
  messages.flatMap((message): readonly Buffer[] => {
    if (typeof message === "string") return [frame(opcodes.text, message)];
    const { binary, ping, fragments = [] } = message;
    return [
      ...(ping === undefined ? [] : [frame(opcodes.ping, ping)]),
      ...(binary === undefined ? [] : [frame(opcodes.binary, binary)]),
      ...fragments.map((text, index) =>
        frame(
          index === 0 ? opcodes.text : opcodes.continuation,
          text,
          index === fragments.length - 1,
        ),
      ),
    ];
  });

/** Frames as they are described, fit or not. */
export const sketchedFrames = (sketches: readonly FrameWords[]): readonly Buffer[] =>
  sketches.flatMap((sketch) => {
    const { opcode, hex, bytes = 0, fin = true, reserved = 0, masked = true, times = 1 } = sketch;
    const payload =
      hex === undefined ? Buffer.from(sketch.text ?? "x".repeat(bytes)) : Buffer.from(hex, "hex");
    const head = headOf({
      first: (fin ? 0x80 : 0) | (reserved << 4) | opcode,
      length: sketch.length === undefined ? BigInt(payload.length) : bigLength(sketch.length),
      width: sketch.lengthBytes,
      masked,
    });
    const one = Buffer.concat([head, ...(masked ? maskedOf(payload) : [payload])]);
    return new Array<Buffer>(times).fill(one);
  });

function bigLength(text: string): bigint {
  const [, base, exponent = "1", less = "0"] = /^(\d+)(?:\^(\d+))?(?:-(\d+))?$/.exec(text) ?? [];
  if (base === undefined) throw new WordError(`frames: no length: "${text}"`);
  return BigInt(base) ** BigInt(exponent) - BigInt(less);
}

interface Head {
  readonly first: number;
  readonly length: bigint;
  /** In how many bytes more the length is announced. Default: the fewest. */
  readonly width?: number | undefined;
  readonly masked: boolean;
}

function headOf({ first, length, width, masked }: Head): Buffer {
  const more = width ?? (length < 126n ? 0 : length < 65_536n ? 2 : 8);
  const head = Buffer.alloc(2 + more);
  const short = more === 0 ? Number(length) : more === 2 ? 126 : 127;
  head[0] = first;
  head[1] = (masked ? 0x80 : 0) | short;
  if (more === 2) head.writeUInt16BE(Number(length), 2);
  if (more === 8) head.writeBigUInt64BE(length, 2);
  return head;
}

function maskedOf(payload: Buffer): readonly [mask: Buffer, payload: Buffer] {
  const mask = randomBytes(4);
  return [mask, Buffer.from(payload.map((byte, index) => byte ^ (mask[index & 3] as number)))];
}

function frame(opcode: number, text: string, isLast = true): Buffer {
  const payload = Buffer.from(text);
  const first = (isLast ? 0x80 : 0) | opcode;
  const head = headOf({ first, length: BigInt(payload.length), masked: true });
  return Buffer.concat([head, ...maskedOf(payload)]);
}

/** What the server says first, pongs aside: a message, or a close with its code. Undefined while nothing has come. */
export function firstAnswerIn(bytes: Buffer): "spoken to" | number | undefined {
  for (const { opcode, payload } of serverFramesIn(bytes)) {
    if (opcode === opcodes.text) return "spoken to";
    if (opcode === opcodes.close) return closeOf(payload).code;
  }
  return undefined;
}

/** All texts that a server has sent, and how it has closed. */
export function saidIn(bytes: Buffer): {
  readonly texts: readonly string[];
  readonly close: { readonly code: number; readonly reason: string } | undefined;
} {
  const frames = serverFramesIn(bytes);
  const close = frames.find(({ opcode }) => opcode === opcodes.close);
  return {
    texts: frames
      .filter(({ opcode }) => opcode === opcodes.text)
      .map(({ payload }) => payload.toString()),
    close: close && closeOf(close.payload),
  };
}

const closeOf = (payload: Buffer): { readonly code: number; readonly reason: string } => ({
  code: payload.length < 2 ? 1005 : payload.readUInt16BE(0),
  reason: payload.toString("utf8", 2),
});

/** The whole frames of a server, which are not masked. */
function serverFramesIn(
  bytes: Buffer,
): readonly { readonly opcode: number; readonly payload: Buffer }[] {
  const frames: { opcode: number; payload: Buffer }[] = [];
  for (let at = 0; at + 2 <= bytes.length; ) {
    const opcode = (bytes[at] as number) & 0x0f;
    const short = (bytes[at + 1] as number) & 0x7f;
    const start = at + (short < 126 ? 2 : short === 126 ? 4 : 10);
    if (start > bytes.length) break;
    const length =
      short < 126
        ? short
        : short === 126
          ? bytes.readUInt16BE(at + 2)
          : Number(bytes.readBigUInt64BE(at + 2));
    at = start + length;
    if (at > bytes.length) break;
    frames.push({ opcode, payload: bytes.subarray(start, at) });
  }
  return frames;
}
