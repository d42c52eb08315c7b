/** A frame of a server (RFC 6455 §5.2), whole or cut off. */
export interface ServerFrame {
  readonly opcode: number;
  readonly payload: Buffer;
}

/** The whole frames behind the head of an answer, all as Latin-1 text. */
export function serverFramesIn(received: string): readonly ServerFrame[] {
  const headEnd = received.indexOf("\r\n\r\n");
  let rest = Buffer.from(received.slice(headEnd + 4), "latin1");
  const frames: ServerFrame[] = [];
  while (rest.length >= 2) {
    const short = rest.readUInt8(1) & 127;
    const start = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (rest.length < start) break;
    const length =
      short < 126 ? short : short === 126 ? rest.readUInt16BE(2) : Number(rest.readBigUInt64BE(2));
    if (rest.length < start + length) break;
    frames.push({ opcode: rest.readUInt8(0) & 15, payload: rest.subarray(start, start + length) });
    rest = rest.subarray(start + length);
  }
  return frames;
}

/** How the last of them closes: the code and the reason. */
export function closeIn(received: string): readonly [code: number, reason: string] | undefined {
  const last = serverFramesIn(received).at(-1);
  if (last?.opcode !== 8 || last.payload.length < 2) return undefined;
  return [last.payload.readUInt16BE(0), last.payload.subarray(2).toString()];
}
