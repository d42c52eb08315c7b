/**
 * Runs the tests on the newest release of each supported line of Node, and prints what came of it.
 *
 *     npm run test:matrix                      all tests on all releases
 *     npm run test:matrix -- --only 26 core    those that vitest finds for "core", on Node 26
 *     npm run test:matrix -- --results DIR     keeps vitest's reports
 */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { nodeReleases } from "./releases.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const vitest = join(root, "node_modules/vitest/vitest.mjs");

const { values: options, positionals: filters } = parseArgs({
  options: { only: { type: "string" }, results: { type: "string" } },
  allowPositionals: true,
});
const { newest } = nodeReleases();
const releases = newest.filter(
  ({ name }) => options.only === undefined || name === `node-${options.only}`,
);
if (releases.length === 0) {
  throw new Error(
    `--only ${options.only}: there are ${newest.map(({ name }) => name).join(", ")}.`,
  );
}

const results = options.results ?? mkdtempSync(join(tmpdir(), "firmshake-matrix-"));
mkdirSync(results, { recursive: true });
const outcomes = [];
for (const release of releases) outcomes.push(await testOn(release));
if (options.results === undefined) rmSync(results, { recursive: true });

console.log("");
for (const outcome of outcomes) console.log(lineOf(`Node ${outcome.version}`, outcome));
console.log(lineOf("all", outcomes.reduce(added)));
process.exitCode = outcomes.every(({ isOk }) => isOk) ? 0 : 1;

async function testOn({ name, version, binary }) {
  const report = join(results, `${name}.json`);
  rmSync(report, { force: true });
  console.log(`\nNode ${version}`);
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const started = performance.now();
  const isOk = await succeeds(binary, [vitest, "run", ...reporters, ...filters]);
  return { version, isOk, seconds: (performance.now() - started) / 1000, ...countsIn(report) };
}

function succeeds(binary, args) {
  return new Promise((resolve) => {
    const child = spawn(binary, args, { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
    child.once("error", () => resolve(false));
    child.once("exit", (code) => resolve(code === 0));
  });
}

/** Without a report vitest itself did not come up: one failure that no test could tell of. */
function countsIn(report) {
  try {
    const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(
      readFileSync(report, "utf8"),
    );
    return { passed: numPassedTests, failed: numFailedTests, skipped: numPendingTests };
  } catch {
    return { passed: 0, failed: 1, skipped: 0 };
  }
}

function added(left, right) {
  return {
    isOk: left.isOk && right.isOk,
    seconds: left.seconds + right.seconds,
    passed: left.passed + right.passed,
    failed: left.failed + right.failed,
    skipped: left.skipped + right.skipped,
  };
}

function lineOf(title, { isOk, passed, failed, skipped, seconds }) {
  const total = passed + failed + skipped;
  const counts = `passed ${passed}, failed ${failed}, skipped ${skipped}, total ${total}`;
  return `${title.padEnd(14)}${counts} (${seconds.toFixed(1)} s)${isOk ? "" : "  FAILED"}`;
}
