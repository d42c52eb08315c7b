import { randomBytes } from "node:crypto";
import {
  compressedBit,
  type Frame,
  type FrameSketch,
  frameBytes,
  opcodes,
  readFrame,
} from "./frame.ts";
import type { Wire } from "./wire.ts";

/** What a WebSocket connection showed while it was listened to. */
export interface Heard {
  /** Text messages and, as `[binary, n bytes]`, others. */
  readonly messages: readonly string[];
  readonly bytes: number;
  /** Whether the server has closed it, or sent what it must not. */
  readonly isOver: boolean;
  readonly closeCode?: number | undefined;
  readonly closeReason?: string | undefined;
}

/** A connection after 101. */
export interface Connection {
  readonly wire: Wire;
  readonly send: (frame: FrameSketch) => void;
  readonly sendText: (text: string) => void;
  /** Listens until a message is wanted, or for that long. Pings of the server are answered. */
  readonly listen: (
    timeoutMs: number,
    isWanted?: (message: string) => boolean,
  ) => Promise<string | undefined>;
  /** Whether a ping is answered in time. */
  readonly ping: (timeoutMs: number) => Promise<boolean>;
  readonly heard: () => Heard;
  readonly isOver: () => boolean;
  /** Whether the server ends the connection in time, by a close frame or without. */
  readonly isClosedWithin: (timeoutMs: number) => Promise<boolean>;
  readonly close: () => Promise<void>;
}

const maxPayloadBytes = 65_536;
const maxKeptMessages = 20;
const maxFramesAtOnce = 512;
/** A server that pings more often than that is not answered any further. */
const maxPongs = 10_000;

/** What was agreed on before the first frame. */
export interface Agreement {
  /** Engine.IO's ping and pong are messages of their own. */
  readonly isEngineIo: boolean;
  /** Compressed messages are taken, and never inflated. */
  readonly isCompressed: boolean;
}

export function openConnection(wire: Wire, { isEngineIo, isCompressed }: Agreement): Connection {
  const allowedBits = isCompressed ? compressedBit : 0;
  const messages: string[] = [];
  let bytes = 0;
  let closeCode: number | undefined;
  let closeReason: string | undefined;
  let isOver = false;
  let pongs = 0;

  const send = (frame: FrameSketch): void => wire.send(frameBytes(frame));
  const sendText = (text: string): void => send({ opcode: opcodes.text, payload: text });

  const next = async (timeoutMs: number): Promise<Frame | undefined> => {
    const found = await wire.wait(
      (kept) => readFrame(kept, maxPayloadBytes, allowedBits),
      timeoutMs,
    );
    if (found === "timeout") return undefined;
    if (found === "ended" || found === "overfull" || found === "invalid") {
      isOver = true;
      return undefined;
    }
    bytes += found.size;
    if (await discard(found.size, timeoutMs)) return found.frame;
    isOver = wire.isEnded();
    return undefined;
  };

  /** Takes what has arrived of these bytes, and the rest as it comes. */
  const discard = async (size: number, timeoutMs: number): Promise<boolean> => {
    for (let left = size; ; ) {
      const taken = Math.min(left, wire.peek().length);
      wire.take(taken);
      left -= taken;
      if (left === 0) return true;
      const more = await wire.wait((kept) => (kept.length > 0 ? true : undefined), timeoutMs);
      if (more !== true) return false;
    }
  };

  /** Ends with what was wanted, with undefined when the time is up or the connection is over. */
  const read = async <Value>(
    timeoutMs: number,
    look: (frame: Frame, text: string | undefined) => Value | undefined,
  ): Promise<Value | undefined> => {
    const until = performance.now() + timeoutMs;
    for (let frames = 1; !isOver; frames++) {
      // Frames that have arrived are read without a pause: timers, the run's own among them, need one.
      if (frames % maxFramesAtOnce === 0) await new Promise((resolve) => setImmediate(resolve));
      const leftMs = until - performance.now();
      if (leftMs <= 0) return undefined;
      const frame = await next(leftMs);
      if (frame === undefined) return undefined;
      const text = messageIn(frame);
      if (frame.opcode === opcodes.close) {
        isOver = true;
        if (frame.payload.length >= 2) {
          closeCode = frame.payload.readUInt16BE(0);
          closeReason = frame.payload.subarray(2).toString();
        }
      } else if (frame.opcode === opcodes.ping) {
        if (pongs++ < maxPongs) send({ opcode: opcodes.pong, payload: frame.payload });
      } else if (isEngineIo && text === "2") {
        sendText("3");
      } else if (text !== undefined && messages.length < maxKeptMessages) {
        messages.push(text);
      }
      const found = look(frame, text);
      if (found !== undefined) return found;
    }
    return undefined;
  };

  return {
    wire,
    send,
    sendText,
    listen: (timeoutMs, isWanted = () => false) =>
      read(timeoutMs, (_, text) => (text !== undefined && isWanted(text) ? text : undefined)),
    ping: async (timeoutMs) => {
      const payload = randomBytes(8);
      send({ opcode: opcodes.ping, payload });
      const pong = await read(timeoutMs, (frame) =>
        frame.opcode === opcodes.pong && frame.payload.equals(payload) ? true : undefined,
      );
      return pong === true;
    },
    heard: () => ({ messages, bytes, isOver, closeCode, closeReason }),
    isOver: () => isOver || wire.isEnded(),
    isClosedWithin: async (timeoutMs) => {
      await read(timeoutMs, () => undefined);
      return isOver;
    },
    close: () =>
      wire.close(
        isOver ? undefined : frameBytes({ opcode: opcodes.close, payload: normalClosure }),
      ),
  };
}

/** RFC 6455 §7.4.1. */
const normalClosure = Buffer.from([0x03, 0xe8]);

function messageIn({ opcode, payload, reservedBits }: Frame): string | undefined {
  if (reservedBits !== 0) return `[compressed, ${payload.length} bytes]`;
  if (opcode === opcodes.text) return payload.toString("utf8", 0, 8_192);
  return opcode === opcodes.binary || opcode === opcodes.continuation
    ? `[binary, ${payload.length} bytes]`
    : undefined;
}
