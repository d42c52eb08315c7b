import { Buffer } from "node:buffer";
import type { Duplex } from "node:stream";
import type { Identity } from "@firmshake/core";
import type { LimitsTerm } from "@firmshake/core/gate";
import { closeFor, ownerOf } from "../socket-owner.ts";
import { coarseNow } from "./coarse-clock.ts";
import { FrameMeter, flags, meterOf, phases, rareOf } from "./frame-meter.ts";
import { addedRules, type FrameRules, frameRulesFor } from "./frame-rules.ts";
import { followOutgoing } from "./outgoing-frames.ts";
import { readFrames, reading } from "./read-frames.ts";
import { noticeWrite, stopWatching } from "./slow-consumers.ts";
import { surviveErrors } from "./survive-errors.ts";

const { corked, dormant, heard, over } = flags;
// Taken at load: tests of applications replace the globals by faked ones.
const { nextTick } = globalThis.process;

/**
 * Puts a meter on a socket that is about to be handed over: what the client sends is read as frames, below whatever library there is, and the
 * library never sees a byte of a frame that violates the rules. Gates that stand one behind the other have one meter, and their rules add up.
 *
 * @param head - What came behind the handshake.
 * @returns what of it the library may see.
 */
export function guardFrames(
  socket: Duplex,
  head: Buffer | undefined,
  rules: FrameRules,
): Buffer | undefined {
  const before = meterOf.of(socket);
  if (before !== undefined) before.rules = addedRules(before.rules, rules);
  // What the gate in front of this one has let pass is read once more, by the rules of both.
  const meter = new FrameMeter(before?.rules ?? rules, 0);
  if (before === undefined) {
    meterOf.put(socket, meter);
    intercept(socket);
  }
  if (head === undefined || head.length === 0) return head;
  const end = readFrames(meter, head);
  settleRest(socket, meter, head, end);
  return end === head.length ? head : head.subarray(0, end);
}

/**
 * The same for a socket that is HTTP's still: metered once the library has accepted on it.
 *
 * @param isFurther - Whether a gate in front of this one has done so for the same request.
 */
export function guardFramesOnceAccepted(
  socket: Duplex,
  rules: FrameRules,
  isFurther: boolean,
): void {
  const before = meterOf.of(socket);
  const added = isFurther && before !== undefined ? addedRules(before.rules, rules) : rules;
  meterOf.put(socket, new FrameMeter(added, dormant));
  if (before === undefined) intercept(socket);
}

/** Holds a connection to what further guards have said, too. */
export function tightenFrames(socket: Duplex, terms: readonly LimitsTerm[]): void {
  const meter = meterOf.of(socket);
  if (meter === undefined) return;
  const { ofGate, terms: before } = meter.rules;
  meter.rules = frameRulesFor(ofGate, [...new Set([...before, ...terms])]);
}

/** Counts what the socket sends towards what its identity may. */
export function countFor(socket: Duplex, identity: Identity | undefined): void {
  const meter = meterOf.of(socket);
  const { byIdentity } = meter?.rules ?? {};
  if (meter === undefined || byIdentity === undefined || identity === undefined) return;
  leaveBucket(meter);
  rareOf(meter).bucket = byIdentity.enter(identity, coarseNow());
}

function leaveBucket({ rare }: FrameMeter): void {
  if (rare?.bucket === undefined) return;
  rare.bucket.connections--;
  rare.bucket = undefined;
}

/** The methods of a socket that are overridden, as they were. */
interface Base {
  readonly push: Duplex["push"];
  readonly write: (chunk: unknown, encoding?: unknown, callback?: unknown) => boolean;
  readonly destroy: Duplex["destroy"];
}

const names = ["push", "write", "destroy"] as const;
const shared = new WeakMap<object, PropertyDescriptorMap>();

/**
 * By properties of the socket itself, with functions that all sockets of a kind share. A prototype in between would weigh more than a kilobyte on each:
 * V8 gives each object whose prototype is changed a hidden class of its own.
 */
function intercept(socket: Duplex): void {
  const prototype = Object.getPrototypeOf(socket) as object;
  const isOwn = names.some((name) => Object.hasOwn(socket, name));
  let methods = isOwn ? methodsOver(socket as Base) : shared.get(prototype);
  if (methods === undefined) {
    methods = methodsOver(prototype as Base);
    shared.set(prototype, methods);
  }
  Object.defineProperties(socket, methods);
}

/** None is enumerable, as none was. */
function methodsOver({ push, write, destroy }: Base): PropertyDescriptorMap {
  return {
    push: {
      value(this: Duplex, chunk: unknown, encoding?: BufferEncoding): boolean {
        const meter = meterOf.of(this);
        if (meter === undefined || (meter.flags & dormant) !== 0) {
          return push.call(this, chunk, encoding);
        }
        if (chunk === null || chunk === undefined) {
          const held = meter.rare?.held;
          if (held !== undefined) {
            rareOf(meter).held = undefined;
            push.call(this, held);
          }
          return push.call(this, chunk);
        }
        const bytes = withHeld(meter, bytesOf(chunk, encoding) ?? nothing);
        meter.lastByteAt = coarseNow();
        meter.flags |= heard;
        const end = readFrames(meter, bytes);
        if (end === bytes.length) {
          return reading.frames < 2 ? push.call(this, bytes) : pushCorked(this, push, meter, bytes);
        }
        const { frames, violation } = reading;
        reading.frames = frames;
        const passed = bytes.subarray(0, end);
        const goesOn = end === 0 || pushCorked(this, push, meter, passed);
        reading.violation = violation;
        settleRest(this, meter, bytes, end);
        return goesOn;
      },
      writable: true,
      configurable: true,
    },
    write: {
      value(this: Duplex, chunk: unknown, encoding?: unknown, callback?: unknown): boolean {
        const meter = meterOf.of(this);
        const bytes = bytesOf(chunk, encoding);
        if (meter === undefined || bytes === undefined || meter.outPhase === phases.unknown) {
          return write.call(this, chunk, encoding, callback);
        }
        if (meter.rare?.atBoundary !== undefined) {
          return writeUpToBoundary(this, write, meter, bytes, callback ?? encoding);
        }
        const wasAnswer = meter.outPhase === phases.answer;
        followOutgoing(meter, bytes, false);
        if (wasAnswer && meter.outPhase !== phases.answer) nextTick(surviveErrors, this);
        const hasRoom = write.call(this, chunk, encoding, callback);
        noticeWrite(this, meter, bytes.length, hasRoom);
        return hasRoom;
      },
      writable: true,
      configurable: true,
    },
    destroy: {
      value(this: Duplex, error?: Error, callback?: (error: Error | null) => void): Duplex {
        const meter = meterOf.of(this);
        if (meter === undefined) return Reflect.apply(destroy, this, [error, callback]);
        uncork(this, meter);
        leaveBucket(meter);
        stopWatching(this, meter);
        // An error that nobody listens for would end the process.
        const told = this.listenerCount("error") === 0 ? undefined : error;
        Reflect.apply(destroy, this, [told, callback]);
        ownerOf.of(this)?.leave();
        return this;
      },
      writable: true,
      configurable: true,
    },
  };
}

const nothing = Buffer.alloc(0);

function bytesOf(chunk: unknown, encoding: unknown): Uint8Array | undefined {
  if (chunk instanceof Uint8Array) return chunk;
  if (typeof chunk === "string") {
    return Buffer.from(chunk, typeof encoding === "string" ? (encoding as BufferEncoding) : "utf8");
  }
  return ArrayBuffer.isView(chunk)
    ? new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    : undefined;
}

function withHeld(meter: FrameMeter, bytes: Uint8Array): Uint8Array {
  const held = meter.rare?.held;
  if (held === undefined) return bytes;
  rareOf(meter).held = undefined;
  return Buffer.concat([held, bytes]);
}

/** The beginning of a header waits for the rest; what violates a rule, or comes behind the client's close frame, goes nowhere. */
function settleRest(socket: Duplex, meter: FrameMeter, bytes: Uint8Array, end: number): void {
  const { violation } = reading;
  if (violation !== undefined) {
    closeFor(socket, violation);
  } else if (end < bytes.length && (meter.flags & over) === 0) {
    // A copy: the chunk may be large, and the rest of it need not be kept.
    rareOf(meter).held = Uint8Array.prototype.slice.call(bytes, end);
  }
}

/** What the library answers at once to each of several frames leaves in one write. */
function pushCorked(
  socket: Duplex,
  push: Duplex["push"],
  meter: FrameMeter,
  bytes: Uint8Array,
): boolean {
  if (reading.frames < 2 || (meter.flags & corked) !== 0) return push.call(socket, bytes);
  meter.flags |= corked;
  socket.cork();
  try {
    return push.call(socket, bytes);
  } finally {
    uncork(socket, meter);
  }
}

/** Also before the library destroys the socket: what it has written would have left by then. */
function uncork(socket: Duplex, meter: FrameMeter): void {
  if ((meter.flags & corked) === 0) return;
  meter.flags &= ~corked;
  socket.uncork();
}

/** Stops at the next end of a frame, for whoever waits for it. */
function writeUpToBoundary(
  socket: Duplex,
  write: Base["write"],
  meter: FrameMeter,
  bytes: Uint8Array,
  given: unknown,
): boolean {
  const callback = typeof given === "function" ? given : undefined;
  const end = followOutgoing(meter, bytes, true);
  const { outPhase } = meter;
  const isReached =
    outPhase === phases.between || outPhase === phases.closed || outPhase === phases.unknown;
  const isWhole = end === bytes.length;
  const hasRoom = write.call(
    socket,
    isWhole ? bytes : bytes.subarray(0, end),
    undefined,
    isWhole ? callback : undefined,
  );
  if (isReached) {
    const rare = rareOf(meter);
    const { atBoundary } = rare;
    rare.atBoundary = undefined;
    atBoundary?.();
  }
  return isWhole ? hasRoom : (socket as Base).write(bytes.subarray(end), undefined, callback);
}
