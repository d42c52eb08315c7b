/**
 * Runs the tests of the libraries and writes what came of it to docs/compatibility.md.
 *
 *     npm run compatibility
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const page = join(root, "docs/compatibility.md");

const tests = run();
const cells = tests.filter(({ meta }) => meta.cell !== undefined);
const failed = cells.filter(({ status }) => status !== "passed");
const made = tests.find(({ meta }) => meta.page !== undefined)?.meta.page;
if (failed.length > 0 || made === undefined || countOf(made) !== cells.length) {
  for (const { fullName } of failed) console.error(`failed: ${fullName}`);
  console.error("The page was not written.");
  process.exitCode = 1;
} else {
  writeFileSync(page, made);
  console.log(`${cells.length} tests passed; docs/compatibility.md is written.`);
}

/** The tests as vitest's JSON report has them. */
function run() {
  const folder = mkdtempSync(join(tmpdir(), "firmshake-libraries-"));
  const report = join(folder, "report.json");
  const vitest = join(root, "node_modules/vitest/vitest.mjs");
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  // The one test that compares the page with the run may fail: that is what this program is for.
  spawnSync(process.execPath, [vitest, "run", ...reporters, "test/libraries"], {
    cwd: root,
    stdio: "inherit",
  });
  try {
    const { testResults } = JSON.parse(readFileSync(report, "utf8"));
    return testResults.flatMap(({ assertionResults }) => assertionResults);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** How many cells of the table say that a test passed. */
function countOf(text) {
  return text.match(/ ✓ (?=\|)/g)?.length ?? 0;
}
