import { randomBytes } from "node:crypto";
import type { MessageWords } from "./case.ts";

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

function frame(opcode: number, text: string, isLast = true): Buffer {
  const payload = Buffer.from(text);
  const mask = randomBytes(4);
  const length = payload.length;
  const head = length < 126 ? Buffer.alloc(2) : Buffer.alloc(4);
  head[0] = (isLast ? 0x80 : 0) | opcode;
  head[1] = 0x80 | (length < 126 ? length : 126);
  if (length >= 126) head.writeUInt16BE(length, 2);
  return Buffer.concat([
    head,
    mask,
    payload.map((byte, index) => byte ^ (mask[index % 4] as number)),
  ]);
}

/** What the server says first, pongs aside: a message, or a close with its code. Undefined while nothing has come. */
export function firstAnswerIn(bytes: Buffer): "spoken to" | number | undefined {
  let at = 0;
  while (at + 2 <= bytes.length) {
    const opcode = (bytes[at] as number) & 0x0f;
    const length = (bytes[at + 1] as number) & 0x7f;
    if (opcode === opcodes.text) return "spoken to";
    if (at + 2 + length > bytes.length) return undefined;
    if (opcode === opcodes.close) return length < 2 ? 1005 : bytes.readUInt16BE(at + 2);
    at += 2 + length;
  }
  return undefined;
}
