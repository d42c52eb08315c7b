import { Buffer } from "node:buffer";
import { type FrameMeter, flags, phases, rareOf } from "./frame-meter.ts";

const { answer, unknown, between, closed, length, extended, payload, ofClose } = phases;

/** Beyond, it is no answer to a handshake. */
const maxAnswerLength = 65_536;

/**
 * Follows what a library writes.
 *
 * @param stops - Whether to stop where a frame has ended.
 * @returns up to where it was followed.
 */
export function followOutgoing(meter: FrameMeter, bytes: Uint8Array, stops: boolean): number {
  const { length: end } = bytes;
  let at = 0;
  while (at < end) {
    const phase = meter.outPhase;
    if (phase === unknown || phase === closed) return end;
    if (phase === answer) {
      at = followAnswer(meter, bytes);
      if (stops && meter.outPhase === between) return at;
      continue;
    }
    if ((phase & 15) === payload) {
      const taken = Math.min(end - at, meter.outLeft);
      at += taken;
      meter.outLeft -= taken;
      if (meter.outLeft > 0) return end;
      endFrame(meter);
      if (stops) return at;
      continue;
    }
    const byte = bytes[at] as number;
    at++;
    if (phase === between) {
      meter.outPhase = length | ((byte & 15) === 8 ? ofClose : 0);
    } else if ((phase & 15) === length) {
      const short = byte & 127;
      // Servers do not mask; what does is followed all the same.
      const maskBytes = byte > 127 ? 4 : 0;
      const base = phase & ofClose;
      if (short < 126) {
        meter.outLeft = short + maskBytes;
        if (meter.outLeft > 0) meter.outPhase = base | payload;
        else endFrame(meter);
      } else {
        meter.outLeft = 0;
        meter.outPhase = base | (extended + (short === 126 ? 2 : 8));
      }
    } else {
      meter.outLeft = meter.outLeft * 256 + byte;
      meter.outPhase--;
      if ((meter.outPhase & 15) === extended) {
        if (meter.outLeft > 0) meter.outPhase = (phase & ofClose) | payload;
        else endFrame(meter);
      }
    }
    if (stops && (meter.outPhase === between || meter.outPhase === closed)) return at;
  }
  return at;
}

function endFrame(meter: FrameMeter): void {
  meter.outPhase = (meter.outPhase & ofClose) === 0 ? between : closed;
}

/** Up to the end of its head, in whatever pieces it comes. */
function followAnswer(meter: FrameMeter, bytes: Uint8Array): number {
  const before = meter.rare?.answer ?? "";
  const { buffer, byteOffset, length: byteLength } = bytes;
  const text = before + Buffer.from(buffer, byteOffset, byteLength).toString("latin1");
  // A socket that was HTTP's may carry the answer to a request before this one.
  const isDormant = (meter.flags & flags.dormant) !== 0;
  if (isDormant && !accepts.test(text)) return bytes.length;
  const headEnd = text.indexOf("\r\n\r\n");
  if (headEnd === -1) {
    const isAnswer = text.length < maxAnswerLength;
    rareOf(meter).answer = isAnswer ? text : undefined;
    if (!isAnswer) meter.outPhase = unknown;
    return bytes.length;
  }
  if (meter.rare !== undefined) meter.rare.answer = undefined;
  const head = text.slice(0, headEnd + 2);
  meter.outPhase = accepts.test(head) ? between : unknown;
  meter.flags = (meter.flags & ~flags.dormant) | agreedIn(head);
  return headEnd + 4 - before.length;
}

const accepts = /^HTTP\/1\.1 101[ \r]/;

/** RFC 6455 §9.1: what may change the frames from here on. */
function agreedIn(head: string): number {
  const agreed = /\r\nsec-websocket-extensions:[ \t]*([^\r]+)/i.exec(head)?.[1];
  if (agreed === undefined) return 0;
  return /^permessage-deflate[^,]*$/i.test(agreed) ? flags.deflate : flags.extended;
}
