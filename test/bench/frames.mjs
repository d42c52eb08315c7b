import { pinnableCores, startChild } from "./child.mjs";
import { quartilesOf } from "./quartiles.mjs";

const contenders = ["bare ws", "bare ws", "ws behind the gate", "the same, with rates"];
const labels = ["bare ws", "bare ws, again", "ws behind the gate", "the same, with rates"];
const connections = 32;

/** Goals are the highest ratio to the floor. */
const loads = [
  { title: "64 B, one in flight", payloadBytes: 64, perPacket: 1, packets: 120, most: 1.03 },
  { title: "1 KiB, one in flight", payloadBytes: 1_024, perPacket: 1, packets: 120, most: 1.03 },
  { title: "64 KiB, one in flight", payloadBytes: 65_536, perPacket: 1, packets: 12, most: 1.03 },
  { title: "bursts of 16, 64 B", payloadBytes: 64, perPacket: 16, packets: 25, most: 0.6 },
  { title: "bursts of 16, 1 KiB", payloadBytes: 1_024, perPacket: 16, packets: 25 },
];

/** Prints what the server spends on one echoed message, as a ratio to bare `ws` in the same run. */
export async function measureMessages(rounds = 41) {
  const { serverCore, loadCore } = pinnableCores();
  const load = startChild("./frames-load-process.mjs", loadCore);
  try {
    for (const { title, most, ...talk } of loads) {
      const servers = [];
      for (const [index, contender] of contenders.entries()) {
        const child = startChild("./frames-process.mjs", serverCore);
        const { port } = await child.ask("start", { contender });
        servers.push({ label: labels[index], child, port, rounds: [] });
      }
      const round = async ({ child, port }) => {
        await load.ask("open", { port, count: connections });
        await load.ask("talk", { ...talk, packets: 3 });
        await child.ask("begin");
        await load.ask("talk", talk);
        const { microseconds } = await child.ask("end");
        await load.ask("close");
        return microseconds / (connections * talk.packets * talk.perPacket);
      };
      for (const server of servers) for (let warm = 0; warm < 5; warm++) await round(server);
      for (let count = 0; count < rounds; count++) {
        const order = count % 2 === 0 ? servers : servers.toReversed();
        for (const server of order) server.rounds.push(await round(server));
      }
      await Promise.all(servers.map(({ child }) => child.stop()));
      const [floor] = servers;
      console.log(`\n${title}${most === undefined ? "" : `: goal ${most}`}`);
      for (const { label, rounds: times } of servers) {
        const quotients = times.map((time, index) => time / floor.rounds[index]);
        const [low, middle, high] = quartilesOf(quotients).map((one) => one.toFixed(3));
        const [, cost] = quartilesOf(times);
        console.log(`  ${label.padEnd(24)} ${middle} [${low}, ${high}] ${cost.toFixed(1)} µs`);
      }
    }
  } finally {
    await load.stop();
  }
}

/** Prints what an idle connection weighs after a collection. */
export async function measureIdle(count = 5_000) {
  const { serverCore, loadCore } = pinnableCores();
  const load = startChild("./frames-load-process.mjs", loadCore);
  let floor;
  try {
    for (const [index, contender] of contenders.entries()) {
      const child = startChild("./frames-process.mjs", serverCore, ["--expose-gc"]);
      const { port } = await child.ask("start", { contender });
      // What is made once for all of them is there before.
      await load.ask("open", { port, count: 200 });
      await load.ask("close");
      const empty = await child.ask("heap", { open: 0 });
      await load.ask("open", { port, count });
      const full = await child.ask("heap", { open: count });
      const bytes = (full.heapUsed - empty.heapUsed) / count;
      floor ??= bytes;
      const difference = index === 0 ? "" : `, ${(bytes - floor).toFixed(0)} more`;
      console.log(`  ${labels[index].padEnd(24)} ${bytes.toFixed(0)} B of heap${difference}`);
      await load.ask("close");
      await child.stop();
    }
  } finally {
    await load.stop();
  }
}
