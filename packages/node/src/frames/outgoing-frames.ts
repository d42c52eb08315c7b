/** Where a library is in what it writes: its answer to the handshake, then frames (RFC 6455 §5.2). */
export interface Outgoing {
  /** One of {@link phases}. */
  outPhase: number;
  /** Of the payload; while the length is read, what is read of it. */
  outLeft: number;
  /** The head of the answer, as long as it is not whole. */
  answer: string | undefined;
  /** What the answer has agreed to. */
  extension: "none" | "deflate" | "other";
}

export const phases = {
  answer: 0,
  /** An answer that does not accept, or what is no answer: nothing is known of what follows. */
  unknown: 1,
  between: 2,
  /** Behind a close frame. */
  closed: 3,
  length: 4,
  /** That many bytes of an extended length are still to come, up to 8. */
  extended: 5,
  payload: 14,
  /** Added within a close frame. */
  ofClose: 16,
} as const;

const { answer, unknown, between, closed, length, extended, payload, ofClose } = phases;

/** Beyond, it is no answer to a handshake. */
const maxAnswerLength = 65_536;

/**
 * Follows what is written.
 *
 * @param stops - Whether to stop where a frame has ended.
 * @returns up to where it was followed.
 */
export function followOutgoing(state: Outgoing, bytes: Uint8Array, stops: boolean): number {
  const { length: end } = bytes;
  let at = 0;
  while (at < end) {
    const phase = state.outPhase;
    if (phase === unknown || phase === closed) return end;
    if (phase === answer) {
      at = followAnswer(state, bytes);
      if (stops && state.outPhase === between) return at;
      continue;
    }
    if ((phase & 15) === payload) {
      const taken = Math.min(end - at, state.outLeft);
      at += taken;
      state.outLeft -= taken;
      if (state.outLeft > 0) return end;
      endFrame(state);
      if (stops) return at;
      continue;
    }
    const byte = bytes[at] as number;
    at++;
    if (phase === between) {
      state.outPhase = length | ((byte & 15) === 8 ? ofClose : 0);
    } else if ((phase & 15) === length) {
      const short = byte & 127;
      // Servers do not mask; what does is followed all the same.
      const maskBytes = byte > 127 ? 4 : 0;
      const base = phase & ofClose;
      if (short < 126) {
        state.outLeft = short + maskBytes;
        if (state.outLeft > 0) state.outPhase = base | payload;
        else endFrame(state);
      } else {
        state.outLeft = 0;
        state.outPhase = base | (extended + (short === 126 ? 2 : 8));
      }
    } else {
      state.outLeft = state.outLeft * 256 + byte;
      state.outPhase--;
      if ((state.outPhase & 15) === extended) {
        if (state.outLeft > 0) state.outPhase = (phase & ofClose) | payload;
        else endFrame(state);
      }
    }
    if (stops && (state.outPhase === between || state.outPhase === closed)) return at;
  }
  return at;
}

function endFrame(state: Outgoing): void {
  state.outPhase = (state.outPhase & ofClose) === 0 ? between : closed;
}

/** Up to the end of its head, in whatever pieces it comes. */
function followAnswer(state: Outgoing, bytes: Uint8Array): number {
  const before = state.answer ?? "";
  const text =
    before + Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
  const headEnd = text.indexOf("\r\n\r\n");
  if (headEnd === -1) {
    const isAnswer = text.length < maxAnswerLength;
    state.answer = isAnswer ? text : undefined;
    if (!isAnswer) state.outPhase = unknown;
    return bytes.length;
  }
  state.answer = undefined;
  const head = text.slice(0, headEnd);
  const accepts = /^HTTP\/1\.1 101[ \r]/.test(`${head}\r`);
  state.outPhase = accepts ? between : unknown;
  const agreed = /\r\nsec-websocket-extensions:[ \t]*([^\r\n]*)/i.exec(head)?.[1] ?? "";
  state.extension =
    agreed === "" ? "none" : /^permessage-deflate[^,]*$/i.test(agreed) ? "deflate" : "other";
  return headEnd + 4 - before.length;
}
