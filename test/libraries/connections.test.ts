import { attach, type CloseEvent, guard, insecureAnyOrigin } from "@firmshake/node";
import { describe, expect, it, onTestFinished } from "vitest";
import { fakeClock } from "../corpus/fake-clock.ts";
import { dial } from "../support/raw-client.ts";
import { listen } from "../support/server.ts";
import { captureThrown } from "../support/thrown.ts";
import { libraries } from "./all.ts";
import type { Library } from "./library.ts";
import { handshakeFor, sayByHand } from "./serve.ts";

/** The library behind a gate that goes by a faked clock. */
async function serve(library: Library) {
  const clock = fakeClock();
  const log: string[] = [];
  const closes: CloseEvent[] = [];
  const started = await library.start(
    {
      connected: () => void log.push("connection"),
      said: (text) => void log.push(`message ${text}`),
      left: () => void log.push("close"),
    },
    () => undefined,
  );
  const { server } = started;
  const gate = attach(
    server,
    { [library.path]: guard(insecureAnyOrigin()) },
    { clock, onClose: (event) => closes.push(event) },
  );
  onTestFinished(async () => {
    await Promise.resolve(started.close()).then(undefined, () => undefined);
  });
  return { clock, log, closes, gate, port: await listen(server) };
}

const often = { interval: 2, timeout: 5_000 };
const ping = "\x89\x00";
/** With a mask of nothing, as clients must (RFC 6455 §5.3). */
const pong = Buffer.from([0x8a, 0x80, 0, 0, 0, 0]);

// What polls has no socket of its own to be closed.
describe.each(libraries.filter(({ polls }) => !polls))("$name", (library) => {
  it("is not disturbed by pings and pongs that are not its own, and loses who does not answer", async () => {
    const thrown = captureThrown();
    const { clock, log, closes, gate, port } = await serve(library);
    const client = await dial(port);
    client.send(handshakeFor(library));
    await sayByHand(client, library, "hello");
    /** A second goes by each time that somebody looks, and what is on the way arrives in between. */
    const passing =
      <Value>(look: () => Value) =>
      (): Value => {
        clock.advance(1_000);
        return look();
      };
    for (let turn = 0; turn < 3; turn++) {
      const before = client.received().length;
      await expect
        .poll(
          passing(() => client.received().slice(before)),
          often,
        )
        .toContain(ping);
      client.send(pong);
      client.send(library.frameOf(`turn ${turn}`));
      await client.until(`turn ${turn}`);
    }
    await expect
      .poll(
        passing(() => closes.length),
        often,
      )
      .toBe(1);
    await client.ended;
    expect(closes.map(({ code }) => code)).toEqual(["ping_timeout"]);
    await expect.poll(() => gate.connections.size).toBe(0);
    await expect.poll(() => log.at(-1)).toBe("close");
    expect(thrown).toEqual([]);
  });

  it("sees an ordinary end where the gate closes, and its client sees why", async () => {
    const thrown = captureThrown();
    const { gate, port, log } = await serve(library);
    const client = await library.connect(port);
    expect(await client.say("hello")).toBe("hello");
    const [connection] = gate.connections;
    expect(connection?.close(4001, "gone")).toBe(true);
    await client.ended;
    await expect.poll(() => gate.connections.size).toBe(0);
    await expect.poll(() => log.at(-1)).toBe("close");
    expect(thrown).toEqual([]);
  });

  it("is drained", async () => {
    const { gate, port } = await serve(library);
    const clients = await Promise.all([library.connect(port), library.connect(port)]);
    for (const client of clients) await client.say("hello");
    const { size } = gate.connections;
    expect(await gate.drain()).toEqual({ open: size, closed: size, terminated: 0 });
    await Promise.all(clients.map(({ ended }) => ended));
  });
});
