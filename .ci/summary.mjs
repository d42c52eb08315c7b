/**
 * Prints how each gate ended, how long it took, and last the counts. A gate that left reports counts with its tests, another as one; one
 * that failed though no test of it did counts as a failure too.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const [results] = process.argv.slice(2);
const gates = readFileSync(join(results, "gates.tsv"), "utf8").trim().split("\n").map(readGate);

const sum = { passed: 0, failed: 0, skipped: 0 };
console.log("");
for (const { name, hasFailed, seconds, counts } of gates) {
  for (const key of Object.keys(sum)) sum[key] += counts[key];
  console.log(`${hasFailed ? "FAILED" : "ok    "} ${name.padEnd(14)} ${seconds.padStart(4)} s`);
}
const skipped = sum.skipped === 0 ? "" : `, ${sum.skipped} skipped`;
console.log(`\n${sum.passed} passed, ${sum.failed} failed${skipped}`);
process.exitCode = sum.failed === 0 ? 0 : 1;

function readGate(line) {
  const [name, code, seconds] = line.split("\t");
  const hasFailed = code !== "0";
  const counts = countsOf(reportsOf(name));
  if (counts.passed + counts.failed === 0 && !hasFailed) counts.passed = 1;
  if (counts.failed === 0 && hasFailed) counts.failed = 1;
  return { name, hasFailed, seconds, counts };
}

function reportsOf(gate) {
  const folder = join(results, gate);
  const files = existsSync(folder) ? readdirSync(folder) : [];
  return files.map((file) => JSON.parse(readFileSync(join(folder, file), "utf8")));
}

function countsOf(reports) {
  const total = (key) => reports.reduce((sum, report) => sum + report[key], 0);
  return {
    passed: total("numPassedTests"),
    failed: total("numFailedTests"),
    skipped: total("numPendingTests") + total("numTodoTests"),
  };
}
