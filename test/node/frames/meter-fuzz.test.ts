import { Duplex } from "node:stream";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { closingOf } from "../../../packages/node/src/frames/close-socket.ts";
import { FrameMeter, meterOf } from "../../../packages/node/src/frames/frame-meter.ts";
import { type FrameRules, frameRulesFor } from "../../../packages/node/src/frames/frame-rules.ts";
import { guardFrames } from "../../../packages/node/src/frames/guard-frames.ts";
import { readFrames, reading } from "../../../packages/node/src/frames/read-frames.ts";
import { cutBy, cuts, frameBytes, rules as randomRules, streams } from "./random-frames.ts";
import { type Outcome, type ReferenceRules, referenceOutcome } from "./reference.ts";

/** How many random streams; a million with METER_RUNS=1000000. */
const numRuns = Number(process.env.METER_RUNS ?? 3_000);
/** A stream of some 10 frames takes a tenth of a millisecond. */
const timeoutMs = 20_000 + numRuns;

const rulesFrom = ({ deflates, ...rules }: ReferenceRules): FrameRules => ({
  ...frameRulesFor({}, []),
  ...rules,
  countsMessages: rules.messages !== undefined || rules.bytes !== undefined,
  compression: deflates ? "allow" : "off",
});

/** The meter alone, given what it has asked to be given again, as a socket does. */
function meteredOutcome(chunks: readonly Buffer[], rules: ReferenceRules): Outcome {
  const meter = new FrameMeter(rulesFrom(rules), rules.deflates ? 4 : 0);
  let held = Buffer.alloc(0);
  let passed = 0;
  let frames = 0;
  for (const chunk of chunks) {
    const bytes = Buffer.concat([held, chunk]);
    const end = readFrames(meter, bytes);
    passed += end;
    frames += reading.frames;
    if (reading.violation !== undefined) {
      return { passed, reason: reading.violation, frames };
    }
    held = bytes.subarray(end);
  }
  return { passed, reason: undefined, frames };
}

describe("the meter agrees with the reference", () => {
  it("whatever the frames, and however they are cut", { timeout: timeoutMs }, () => {
    fc.assert(
      fc.property(streams, randomRules, cuts, (bytes, rules, sizes) => {
        const expected = referenceOutcome(bytes, rules);
        expect(meteredOutcome([bytes], rules)).toEqual(expected);
        expect(meteredOutcome(cutBy(bytes, sizes), rules)).toEqual(expected);
      }),
      { numRuns },
    );
  });

  it("on bytes without any sense", { timeout: timeoutMs }, () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), randomRules, cuts, (bytes, rules, sizes) => {
        const chunks = cutBy(Buffer.from(bytes), sizes);
        expect(meteredOutcome(chunks, rules)).toEqual(referenceOutcome(Buffer.from(bytes), rules));
      }),
      { numRuns },
    );
  });

  it("on a short stream, cut in every way that there is", () => {
    const rules: ReferenceRules = {
      maxMessageBytes: 300,
      maxFragments: 2,
      messages: undefined,
      bytes: undefined,
      controlFrames: undefined,
      deflates: false,
    };
    const text = (payload: Uint8Array) =>
      frameBytes({ fin: true, reserved: 0, opcode: 1, isMasked: true, payload });
    const short = [
      Buffer.concat([text(Buffer.from("ab")), Buffer.from([0x89, 0x80, 1, 2, 3, 4])]),
      Buffer.concat([text(Buffer.from("a")), Buffer.from([0xc1, 0x80, 1, 2])]),
      Buffer.from([0x88, 0x82, 0, 0, 0, 0, 3, 232, 0x81]),
      Buffer.from([0x88, 0x82, 0, 0, 0, 0, 3, 238, 0x81]),
      Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 9]),
    ];
    for (const bytes of short) {
      const expected = referenceOutcome(bytes, rules);
      for (let mask = 0; mask < 2 ** (bytes.length - 1); mask++) {
        const chunks: Buffer[] = [];
        let from = 0;
        for (let at = 1; at <= bytes.length; at++) {
          if (at < bytes.length && (mask & (1 << (at - 1))) === 0) continue;
          chunks.push(bytes.subarray(from, at));
          from = at;
        }
        expect(meteredOutcome(chunks, rules)).toEqual(expected);
      }
    }
  });
});

/** A socket without a network: what a library reads from it, and what it would have sent. */
class Pipe extends Duplex {
  override _read(): void {}
  override _write(_chunk: unknown, _encoding: unknown, callback: () => void): void {
    callback();
  }
}

describe("a socket gives a library", () => {
  it("exactly the bytes that the reference lets pass, whatever the chunks and the head", async () => {
    await fc.assert(
      fc.asyncProperty(
        streams,
        randomRules,
        cuts,
        fc.nat(40),
        async (bytes, rules, sizes, headLength) => {
          const expected = referenceOutcome(bytes, { ...rules, deflates: false });
          const socket = new Pipe();
          socket.on("error", () => undefined);
          const head = bytes.subarray(0, headLength);
          const seen: Buffer[] = [];
          const passed = guardFrames(socket, head, rulesFrom({ ...rules, deflates: false }));
          seen.push(passed ?? expect.fail());
          socket.on("data", (chunk: Buffer) => seen.push(chunk));
          // By then it flows, and gives out at once what comes.
          await new Promise(setImmediate);
          for (const chunk of cutBy(bytes.subarray(headLength), sizes)) socket.push(chunk);
          // Nothing is lost, either: what is held back belongs to the end of a header that has not come.
          expect(Buffer.concat(seen).equals(bytes.subarray(0, expected.passed))).toBe(true);
          expect(closingOf(socket)?.reason).toBe(expected.reason);
          expect(meterOf.of(socket)).toBeDefined();
          socket.destroy();
        },
      ),
      { numRuns: Math.min(numRuns, 20_000) },
    );
  });
});
