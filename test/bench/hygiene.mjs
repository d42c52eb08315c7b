import { startChild } from "./child.mjs";
import { orderOf } from "./measure.mjs";
import { printGoals, printGroup } from "./report.mjs";

const perRound = 10_000;
const warmUpRounds = 4;

const contendersFor = (shape, most) => {
  const goal = most === undefined ? undefined : { most };
  const made = (label, contender, library, aim) => ({
    label,
    contender,
    options: { library, shape },
    goal: aim,
  });
  return [
    { label: "bare ws", contender: "bare" },
    { label: "bare ws, again", contender: "bare" },
    { label: "ws, JSON.parse", contender: "JSON.parse" },
    made("ws, JSON.parse, ajv", "by hand", "ajv"),
    made("ws, JSON.parse, zod", "by hand", "zod"),
    made("@firmshake/messages, typebox", "firmshake", "typebox", goal),
    made("@firmshake/messages, ajv", "firmshake", "ajv", goal),
    made("@firmshake/messages, zod", "firmshake", "zod"),
  ];
};

/** What is compared: messages of 1 KiB, and answers of as much. The first contender of each group is the floor. */
const groups = [
  {
    name: "hygiene",
    title: "Messages of 1 KiB, one long text",
    shape: "text",
    contenders: contendersFor("text", 1.15),
  },
  {
    name: "hygiene-fields",
    title: "Messages of 1 KiB, 80 small fields",
    shape: "fields",
    contenders: contendersFor("fields"),
  },
];

/** The names that `--only` takes. */
export const hygieneNames = groups.map(({ name }) => name);

/**
 * Measures what looking into messages costs a server, by CPU time for one message over 64 connections with one message in flight each.
 * Every contender is a process of its own; they take turns as in the other groups.
 */
export async function measureHygiene(names, cores, forMs) {
  const results = [];
  for (const group of groups.filter(({ name }) => names.includes(name))) {
    const measured = await measure(group, cores, performance.now() + forMs);
    printGroup(group, measured);
    results.push({ group, measured });
  }
  printGoals(results);
  return results;
}

async function measure({ contenders, shape }, { serverCore, loadCore }, endsAt) {
  const load = startChild("./hygiene-load-process.mjs", loadCore);
  const servers = [];
  try {
    for (const entry of contenders) {
      const child = startChild("./hygiene-server-process.mjs", serverCore);
      const { contender, options } = entry;
      servers.push({
        entry,
        child,
        ...(await child.ask("start", { contender, options })),
        rounds: [],
      });
    }
    for (const { port } of servers) await load.ask("open", { port });
    for (let count = -warmUpRounds; count < 2 || performance.now() < endsAt; count++) {
      for (const { child, port, rounds } of orderOf(servers, Math.max(count, 0))) {
        await child.ask("begin");
        await load.ask("say", { port, shape, count: perRound });
        const { microseconds } = await child.ask("end");
        if (count >= 0) rounds.push(microseconds / perRound);
      }
    }
  } finally {
    await Promise.all([...servers.map(({ child }) => child.stop()), load.stop()]);
  }
  return servers.map(({ entry, rounds }) => ({ ...entry, rounds }));
}
