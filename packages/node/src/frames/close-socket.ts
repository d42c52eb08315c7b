import { Buffer } from "node:buffer";
import type { Duplex } from "node:stream";
import { ignore, linger } from "../answer-on-socket.ts";
import { makeStamp } from "../stamp.ts";
import { type FrameMeter, meterOf, phases, rareOf } from "./frame-meter.ts";

// Taken at load: tests of applications replace the globals by faked ones.
const { nextTick } = globalThis.process;

/** RFC 6455 §5.5: what a control frame may hold, without the close code. */
const maxReasonBytes = 123;

/** Why a socket is closed. */
export interface Closing {
  readonly code: number;
  readonly reason: string;
}

const closings = makeStamp<Closing>();

/** Why {@link closeSocket} has closed that socket, if it has. */
export const closingOf = (socket: object): Closing | undefined => closings.of(socket);

/**
 * Closes an accepted WebSocket below its library: one close frame (RFC 6455 §5.5.1), at the next end of a frame of the library's, then the end of
 * this side. From then on nothing that the library writes goes out, though it is told that all went well, and nothing that the client
 * sends comes in; the library sees the socket close. Destroyed after a second at most.
 *
 * @returns whether the socket is closed by this call; false where it was closing already.
 */
export function closeSocket(socket: Duplex, code: number, reason: string): boolean {
  if (socket.destroyed || closings.of(socket) !== undefined) return false;
  closings.put(socket, { code, reason });
  socket.on("error", ignore);
  linger(socket, "always");
  shutOut(socket);
  const meter = meterOf.of(socket);
  if (meter === undefined || isBetweenFrames(meter)) {
    finish(socket, code, reason);
  } else {
    rareOf(meter).atBoundary = () => finish(socket, code, reason);
  }
  return true;
}

const isBetweenFrames = ({ outPhase }: FrameMeter): boolean =>
  outPhase === phases.between || outPhase === phases.closed || outPhase === phases.unknown;

function finish(socket: Duplex, code: number, reason: string): void {
  const phase = meterOf.of(socket)?.outPhase ?? phases.between;
  // An answer that accepts nothing: its rest is the library's to write.
  if (phase === phases.unknown) return;
  const { write, end } = socket;
  silence(socket);
  if (socket.destroyed || !socket.writable) return;
  // RFC 6455 §5.5.1: nothing comes behind a close frame, and the library may have sent its own.
  if (phase === phases.between) Reflect.apply(write, socket, [closeFrame(code, reason)]);
  Reflect.apply(end, socket, []);
}

/** Not masked: a server's. */
function closeFrame(code: number, reason: string): Buffer {
  const text = Buffer.from(reason).subarray(0, maxReasonBytes);
  const head = Buffer.from([0x88, 2 + text.length, code >> 8, code & 0xff]);
  return Buffer.concat([head, text]);
}

/** What the client sends is read on, or its end would not be seen, and dropped. */
function shutOut(socket: Duplex): void {
  const { push, emit } = socket;
  override(socket, {
    push: (chunk: unknown) => chunk !== null || push.call(socket, null),
    emit: (event: string, ...args: unknown[]) => {
      if (event === "data") return true;
      if (event === "readable") {
        while (socket.read() !== null);
        return true;
      }
      return Reflect.apply(emit, socket, [event, ...args]);
    },
  });
  socket.resume();
}

/** What the library writes is taken, and goes nowhere. */
function silence(socket: Duplex): void {
  const swallow = (...args: unknown[]): void => {
    const callback = args.find((one) => typeof one === "function");
    if (callback !== undefined) nextTick(callback);
  };
  override(socket, {
    write: (...args: unknown[]) => {
      swallow(...args);
      return true;
    },
    end: (...args: unknown[]) => {
      swallow(...args);
      return socket;
    },
  });
}

function override(socket: Duplex, methods: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(methods)) {
    Object.defineProperty(socket, name, {
      value,
      writable: true,
      configurable: true,
      enumerable: false,
    });
  }
}
