import { Buffer } from "node:buffer";
import type { Duplex } from "node:stream";
import { FrameMeter, meterOf } from "./frame-meter.ts";
import { followOutgoing, phases } from "./outgoing-frames.ts";

/** Puts a meter on the socket that is about to be handed over. */
export function guardFrames(socket: Duplex): void {
  if (meterOf.of(socket) !== undefined) return;
  meterOf.put(socket, new FrameMeter());
  const { write } = socket;
  Object.defineProperty(socket, "write", {
    value(this: Duplex, chunk: unknown, ...rest: unknown[]): boolean {
      const meter = meterOf.of(this);
      if (meter === undefined) return Reflect.apply(write, this, [chunk, ...rest]);
      const bytes = bytesOf(chunk, rest[0]);
      if (meter.closesWith === undefined) {
        followOutgoing(meter, bytes, false);
        return Reflect.apply(write, this, [chunk, ...rest]);
      }
      const end = followOutgoing(meter, bytes, true);
      const isReached = meter.outPhase === phases.between || meter.outPhase === phases.closed;
      Reflect.apply(write, this, [bytes.subarray(0, end), ...rest.filter(isFunction)]);
      if (isReached) meter.closesWith();
      return true;
    },
    writable: true,
    configurable: true,
    enumerable: false,
  });
}

const isFunction = (value: unknown): boolean => typeof value === "function";

function bytesOf(chunk: unknown, encoding: unknown): Uint8Array {
  if (typeof chunk === "string") {
    return Buffer.from(chunk, typeof encoding === "string" ? (encoding as BufferEncoding) : "utf8");
  }
  return chunk instanceof Uint8Array ? chunk : Buffer.alloc(0);
}
