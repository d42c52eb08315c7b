import { pinnableCores, startChild } from "./child.mjs";
import { quartilesOf } from "./quartiles.mjs";
import { makeKeys, makeToken } from "./requests.mjs";

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

/** In a process of its own each. What has a token keeps its claims, by hand as well: those are the application's. */
const idle = [
  { label: "bare ws", contender: "bare ws" },
  { label: "bare ws, again", contender: "bare ws" },
  { label: "ws behind the gate", contender: "ws behind the gate" },
  { label: "the same, with rates", contender: "the same, with rates" },
  { label: "claims by hand", contender: "claims by hand", hasTokens: true },
  { label: "rates and expiry", contender: "rates and expiry", hasTokens: true, of: 4 },
];
/** Enough for what is made once for all of them, compiled code above all, to be there before anything is weighed. */
const warmUp = 2_000;

/** Prints what an idle connection weighs after a collection: goal 250 B more than without a gate. */
export async function measureIdle(count = 5_000) {
  const { serverCore, loadCore } = pinnableCores();
  const load = startChild("./frames-load-process.mjs", loadCore);
  const keys = makeKeys();
  const weights = [];
  try {
    for (const { label, contender, hasTokens = false, of = 0 } of idle) {
      const child = startChild("./frames-process.mjs", serverCore, ["--expose-gc"]);
      const { port } = await child.ask("start", { contender, secret: keys.secret });
      const open = (some) => {
        const tokens = hasTokens
          ? Array.from({ length: some }, () => makeToken(keys, "HS256"))
          : undefined;
        return load.ask("open", { port, count: some, tokens });
      };
      await open(warmUp);
      await load.ask("close");
      const empty = await child.ask("heap", { open: 0 });
      await open(count);
      const full = await child.ask("heap", { open: count });
      const bytes = (full.heapUsed - empty.heapUsed) / count;
      weights.push(bytes);
      const more = (bytes - weights[of]).toFixed(0);
      const difference = weights.length === 1 ? "" : `, ${more} more than ${idle[of].label}`;
      console.log(`  ${label.padEnd(24)} ${bytes.toFixed(0)} B of heap${difference}`);
      await load.ask("close");
      await child.stop();
    }
  } finally {
    await load.stop();
  }
}
