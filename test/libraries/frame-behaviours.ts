import { expect } from "vitest";
import { frameBytes } from "../node/frames/random-frames.ts";
import { answerIn, dial, type RawClient } from "../support/raw-client.ts";
import { connectionsOf } from "../support/server.ts";
import { closeIn, serverFramesIn } from "../support/server-frames.ts";
import { captureThrown } from "../support/thrown.ts";
import type { Behaviour } from "./behaviours.ts";
import type { Library } from "./library.ts";
import { closeFrame, handshakeFor, sayByHand, serve } from "./serve.ts";

const sketch = {
  fin: true,
  reserved: 0,
  opcode: 2,
  isMasked: true,
  payload: Buffer.from("x"),
} as const;

/** What no client may send, and what killed processes. */
const malformed: readonly (readonly [name: string, frame: Buffer])[] = [
  ["RSV1", frameBytes({ ...sketch, reserved: 4 })],
  ["RSV2 and RSV3", frameBytes({ ...sketch, reserved: 3 })],
  ["an opcode that nobody knows", frameBytes({ ...sketch, opcode: 3 })],
  ["a control frame that nobody knows", frameBytes({ ...sketch, opcode: 11 })],
  ["not masked", frameBytes({ ...sketch, isMasked: false })],
  ["a ping in fragments", frameBytes({ ...sketch, opcode: 9, fin: false })],
  ["a ping of 126 bytes", frameBytes({ ...sketch, opcode: 9, payload: Buffer.alloc(126) })],
  ["a continuation of nothing", frameBytes({ ...sketch, opcode: 0 })],
  ["a length of 2^62", frameBytes({ ...sketch, length: 2n ** 62n })],
  ["a length of 2^64 - 1", frameBytes({ ...sketch, length: 2n ** 64n - 1n })],
  ["a length in more bytes than it needs", frameBytes({ ...sketch, width: 8 })],
  ["a close frame of one byte", frameBytes({ ...sketch, opcode: 8 })],
  [
    "a close code that nobody may send",
    frameBytes({ ...sketch, opcode: 8, payload: Buffer.from([3, 238]) }),
  ],
  [
    "a close reason that is no text",
    frameBytes({ ...sketch, opcode: 8, payload: Buffer.from([3, 232, 0xff]) }),
  ],
];

/** A client that does everything by hand, with what the application has been told until then. */
async function openByHand(library: Library, port: number, isDeaf = false): Promise<RawClient> {
  const client = await dial(port, { isDeaf: false, keepsOpen: isDeaf });
  client.send(
    handshakeFor(library, { headers: { "Sec-WebSocket-Extensions": "permessage-deflate" } }),
  );
  await sayByHand(client, library, "hello");
  if (isDeaf) client.socket.pause();
  return client;
}

/** Behind what the library says, the meter closes. */
async function expectClose(client: RawClient, code: number, reason: string): Promise<void> {
  expect(closeIn(await client.ended)).toEqual([code, reason]);
}

const leaversIn = (log: readonly string[]): number =>
  log.filter((entry) => entry.startsWith("close")).length;

/** And everybody else is served on. */
async function expectServed(library: Library, port: number): Promise<void> {
  expect(await (await library.connect(port)).say("still")).toBe("still");
}

/** What holds of the frames with every library, in the order of the table's columns. */
export const frameBehaviours: readonly Behaviour[] = [
  {
    id: "malformed",
    heading: "malformed frames",
    title: `frames that no client may send (reserved bits and opcodes, not masked, bad close frames, lengths of 2^62) close the connection with 1002 before the library sees them, and nothing else`,
    verify: async (library) => {
      const thrown = captureThrown();
      const { port, log } = await serve(library);
      for (const [name, frame] of malformed) {
        const before = log.length;
        const client = await openByHand(library, port);
        client.send(Buffer.concat([library.frameOf("before"), frame, library.frameOf("behind")]));
        expect([name, closeIn(await client.ended)]).toEqual([name, [1002, "protocol_error"]]);
        await expect.poll(() => log.slice(before).at(-1)).toMatch(/^close/);
        expect(`${client.received()} ${log.slice(before)}`).not.toContain("behind");
      }
      await expectServed(library, port);
      expect(thrown).toEqual([]);
    },
  },
  {
    id: "notText",
    heading: "bad text",
    title: "a text message that is no UTF-8 ends its connection at most",
    verify: async (library) => {
      const thrown = captureThrown();
      const { port } = await serve(library);
      const client = await openByHand(library, port);
      client.send(frameBytes({ ...sketch, opcode: 1, payload: Buffer.from([0xc3, 0x28]) }));
      client.send(closeFrame);
      await client.ended;
      await expectServed(library, port);
      expect(thrown).toEqual([]);
    },
  },
  {
    id: "sizes",
    heading: "sizes",
    title:
      "messages that are too long, announced or in fragments without end, are closed with 1009 or 1008 before the library has buffered them",
    verify: async (library) => {
      const { port, log } = await serve(library);
      const long = await openByHand(library, port);
      long.send(frameBytes({ ...sketch, length: 65_537n }));
      await expectClose(long, 1009, "message_too_big");

      const fragments = await openByHand(library, port);
      const part = frameBytes({ ...sketch, fin: false, opcode: 0, payload: Buffer.alloc(1_000) });
      fragments.send(
        Buffer.concat([
          frameBytes({ ...sketch, fin: false }),
          ...Array.from({ length: 100 }, () => part),
        ]),
      );
      await expectClose(fragments, 1009, "message_too_big");

      const endless = await openByHand(library, port);
      const empty = frameBytes({ ...sketch, fin: false, opcode: 0, payload: Buffer.alloc(0) });
      endless.send(
        Buffer.concat([
          frameBytes({ ...sketch, fin: false }),
          ...Array.from({ length: 2_000 }, () => empty),
        ]),
      );
      await expectClose(endless, 1008, "too_many_fragments");
      await expectServed(library, port);
      const heard = log.filter((entry) => entry.startsWith("message"));
      expect(heard.filter((entry) => !/^message (hello|still)$/.test(entry))).toEqual([]);
    },
  },
  {
    id: "pings",
    heading: "ping floods",
    title:
      "pings without end, by a client that does not read what they are answered, are closed with 1008",
    verify: async (library) => {
      const { port, log } = await serve(library);
      const ping = frameBytes({ ...sketch, opcode: 9, payload: Buffer.alloc(125) });
      const reader = await openByHand(library, port);
      reader.send(Buffer.concat(Array.from({ length: 51 }, () => ping)));
      await expectClose(reader, 1008, "control_rate_exceeded");
      const client = await openByHand(library, port, true);
      const before = process.memoryUsage().rss;
      client.send(Buffer.concat(Array.from({ length: 100_000 }, () => ping)));
      await expect.poll(() => leaversIn(log), { timeout: 5_000 }).toBe(2);
      expect(process.memoryUsage().rss - before).toBeLessThan(150_000_000);
      await expectServed(library, port);
    },
  },
  {
    id: "bombs",
    heading: "compression bombs",
    title: "compression is not agreed to, and a compressed message closes the connection",
    verify: async (library) => {
      const { port } = await serve(library);
      const client = await openByHand(library, port);
      expect(answerIn(client.received()).headers["sec-websocket-extensions"]).toBeUndefined();
      client.send(frameBytes({ ...sketch, reserved: 4, payload: Buffer.from([0xaa, 0x02, 0x00]) }));
      await expectClose(client, 1002, "protocol_error");
    },
  },
  {
    id: "bursts",
    heading: "bursts",
    title: "many messages in one packet are answered each, in their order, as without a gate",
    verify: async (library) => {
      const texts = Array.from({ length: 40 }, (_, index) => `burst-${index}-`);
      const said: number[] = [];
      for (const attached of ["never", "after"] as const) {
        const { port } = await serve(library, { attached });
        const client = await openByHand(library, port);
        client.send(Buffer.concat(texts.map(library.frameOf)));
        await client.until("burst-39-");
        const answers = serverFramesIn(client.received())
          .map(({ payload }) => /burst-\d+-/.exec(payload.toString("latin1"))?.[0])
          .filter((text) => text !== undefined);
        expect(answers).toEqual(texts);
        // Closed within a burst.
        client.send(Buffer.concat([...texts.slice(0, 3).map(library.frameOf), closeFrame]));
        const { length } = serverFramesIn(await client.ended).filter(({ payload }) =>
          payload.toString("latin1").includes("burst-"),
        );
        said.push(length);
      }
      // Some answer a little later, and it is too late then with or without a gate.
      expect(said[1]).toBe(said[0]);
    },
  },
  {
    id: "slow",
    heading: "slow readers",
    title: "a client that does not read while the application writes on is closed",
    verify: async (library) => {
      const { server, port, closes } = await serve(library, {
        limits: { maxBufferedBytes: 500_000, bufferedGraceMs: 200 },
      });
      const client = await openByHand(library, port, true);
      const long = library.frameOf("x".repeat(10_000));
      const text = Buffer.concat(Array.from({ length: 20 }, () => long));
      const sending = setInterval(() => client.socket.write(text), 1);
      // Behind a proxy the application may hear of it much later.
      await expect.poll(() => connectionsOf(server), { timeout: 10_000 }).toBe(0);
      clearInterval(sending);
      expect(closes.map(({ code }) => code)).toEqual(["slow_consumer"]);
      await expectServed(library, port);
    },
  },
];
