import { quartilesOf } from "./quartiles.mjs";

/** The quartiles of a contender's quotients to another one, taken round by round. */
function quotients(measured, label, of) {
  const rounds = roundsOf(measured, label);
  const base = roundsOf(measured, of);
  return quartilesOf(rounds.map((microseconds, index) => microseconds / base[index]));
}

const roundsOf = (measured, label) => measured.find((one) => one.label === label).rounds;

/** A table of one group. Microseconds stand last, since they say more of the machine than of the contender. */
export function printGroup(group, measured) {
  const [floor] = measured;
  console.log(`\n${group.title} (--only ${group.name}; ${floor.rounds.length} rounds)`);
  for (const { label, rounds } of measured) {
    const [low, middle, high] = quotients(measured, label, floor.label);
    const [, microseconds] = quartilesOf(rounds);
    const ratio =
      label === floor.label
        ? "1.00  floor".padEnd(19)
        : `${middle.toFixed(2)}  [${low.toFixed(2)}, ${high.toFixed(2)}]`.padEnd(19);
    console.log(`  ${label.padEnd(46)} ${ratio} ${microseconds.toFixed(0).padStart(5)} µs`);
  }
}

/** What was aimed for. A reading that misses within its own quartiles is no finding, and the other way round. */
export function printGoals(results) {
  const lines = results.flatMap(({ group, measured }) =>
    measured
      .filter(({ goal }) => goal !== undefined)
      .map(({ label, goal: { most, of = measured[0].label } }) => {
        const [low, middle, high] = quotients(measured, label, of);
        const verdict = middle > most ? "missed" : "reached";
        const doubt = low <= most && most <= high ? ", within the noise" : "";
        return `  ${group.name.padEnd(11)} ${label} against ${of}: goal ${most.toFixed(2)}, measured ${middle.toFixed(2)} [${low.toFixed(2)}, ${high.toFixed(2)}]: ${verdict}${doubt}`;
      }),
  );
  if (lines.length > 0) console.log(["\nGoals", ...lines].join("\n"));
}
