/**
 * Measures what guarding a handshake costs the server, in CPU time, against a floor and against the usual ways to do the same.
 *
 *     npm run bench                         everything, in three minutes
 *     npm run bench -- --quick              what has a goal, with fewer rounds, in 40 seconds
 *     npm run bench -- --only express       one group; may be given more than once
 *     npm run bench -- --only hygiene       what looking into messages costs; so hygiene-fields
 *     npm run bench -- --passes 5           everything five times, each in new processes; rounds are taken together
 *     npm run bench -- --checks             one decision of each check, in this process and without a network
 *     npm run bench -- --only messages      what an echoed message costs, bare and behind the gate
 *     npm run bench -- --only idle          what an idle connection weighs
 *     npm run bench -- --profile DIR        writes a CPU profile of each server
 *     npm run bench -- --json FILE          writes every round
 */

import { writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { parseArgs } from "node:util";
import { measureChecks } from "./checks.mjs";
import { pinnableCores } from "./child.mjs";
import { measureIdle, measureMessages } from "./frames.mjs";
import { groups } from "./groups.mjs";
import { hygieneNames, measureHygiene } from "./hygiene.mjs";
import { measureGroup, startLoad } from "./measure.mjs";
import { printGoals, printGroup } from "./report.mjs";
import { makeKeys } from "./requests.mjs";

const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string", multiple: true },
    checks: { type: "boolean", default: false },
    profile: { type: "string" },
    json: { type: "string" },
    passes: { type: "string", default: "1" },
  },
});

const messageGroups = hygieneNames.filter((name) => options.only?.includes(name));
if (options.checks) await measureChecks();
else if (options.only?.includes("messages")) await measureMessages();
else if (options.only?.includes("idle")) await measureIdle();
else if (messageGroups.length > 0) await measureInside();
else await measureHandshakes();

/** They are asked for by name: what they count is no handshake. */
async function measureInside() {
  const cores = pinnableCores();
  printHead(cores, "message");
  const results = await measureHygiene(messageGroups, cores, options.quick ? 15_000 : 40_000);
  if (options.json !== undefined) {
    writeFileSync(options.json, JSON.stringify(results, undefined, 2));
  }
}

async function measureHandshakes() {
  const chosen = (options.quick ? groups.map(onlyWithGoals) : groups).filter(
    ({ name, contenders }) =>
      contenders.length > 1 && (options.only === undefined || options.only.includes(name)),
  );
  if (chosen.length === 0) {
    throw new Error(
      `--only takes ${[...groups.map(({ name }) => name), ...hygieneNames].join(", ")}.`,
    );
  }
  const startedAt = performance.now();
  const cores = pinnableCores();
  printHead(cores);

  const setting = { cores, load: startLoad(cores), keys: makeKeys(), profileTo: options.profile };
  const results = chosen.map((group) => ({ group, measured: undefined }));
  const passes = Number(options.passes);
  try {
    for (let pass = 1; pass <= passes; pass++) {
      const end = performance.now() + (options.quick ? 36_000 : 170_000);
      for (const [index, result] of results.entries()) {
        const { group } = result;
        const share = group.contenders.length / contendersIn(chosen.slice(index));
        const endsAt = performance.now() + (end - performance.now()) * share;
        result.measured = joined(
          result.measured,
          await measureGroup(group, { ...setting, endsAt }),
        );
        if (pass === passes) printGroup(group, result.measured);
      }
    }
  } finally {
    await setting.load.stop();
  }
  printGoals(results);
  if (options.json !== undefined) {
    writeFileSync(options.json, JSON.stringify(results, undefined, 2));
  }
  console.log(`\nTook ${Math.round((performance.now() - startedAt) / 1000)} s.`);
}

function printHead({ serverCore, loadCore }, what = "handshake") {
  const [processor] = cpus();
  const date = new Date().toISOString().slice(0, 10);
  console.log(
    [
      `Node ${process.version}, ${processor?.model.trim()}, ${availableParallelism()} cores, ${date}.`,
      serverCore === undefined
        ? "Not pinned to cores."
        : `Server on core ${serverCore}, load on core ${loadCore}.`,
      `CPU (user and system) of the server for one ${what}, as a ratio to the floor: median of the rounds' quotients, [quartiles].`,
    ].join("\n"),
  );
}

/** The rounds of one more pass put behind those before. */
function joined(before, now) {
  if (before === undefined) return now;
  return now.map((one, index) => ({ ...one, rounds: [...before[index].rounds, ...one.rounds] }));
}

/** A group without those that neither have a goal nor are what a goal is measured by. */
function onlyWithGoals(group) {
  const goals = group.contenders.filter(({ goal }) => goal !== undefined);
  const needed = new Set(goals.flatMap(({ label, goal }) => [label, goal.of]));
  const contenders = group.contenders.filter(
    ({ label }, index) => (index === 0 && goals.length > 0) || needed.has(label),
  );
  return { ...group, contenders };
}

function contendersIn(some) {
  return some.reduce((sum, { contenders }) => sum + contenders.length, 0);
}
