/**
 * Uses the packages as others will: packed, installed into a folder outside of the repository, from JavaScript and TypeScript, as ES
 * modules and as CommonJS. Each consumer guards a server, is let in once and refused once; one has its servers audited by the command. All
 * on the Node at hand, and on the oldest releases that the packages' `engines` allow.
 *
 *     npm run check:consumers
 *     npm run check:consumers -- --results FILE    also writes the counts, as vitest's JSON reporter names them
 */
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { isMatrixMachine, nodeReleases } from "../matrix/releases.mjs";
import { pack, publishedPackages, readJson, root } from "../packages/pack.mjs";

const consumers = [
  { name: "cli", main: "consumer.js" },
  { name: "js-esm", main: "consumer.js" },
  { name: "js-cjs", main: "consumer.js" },
  { name: "ts-esm", main: "out/consumer.js", isCompiled: true },
  { name: "ts-cjs", main: "out/consumer.js", isCompiled: true },
];

/** What a user's own project has beside ours, in the versions that the tests run with. */
const neighbours = [
  ...["express", "koa", "fastify", "ws"],
  ...["@types/express", "@types/node", "@types/ws"],
];

const compiler = join(root, "node_modules/typescript/bin/tsc");
const { values: options } = parseArgs({ options: { results: { type: "string" } } });

const folder = mkdtempSync(join(tmpdir(), "firmshake-consumers-"));
try {
  install();
  const outcomes = consumers.flatMap(use);
  for (const { title, fault } of outcomes) {
    console.log(fault === undefined ? `passed  ${title}` : `FAILED  ${title}\n${fault}`);
  }
  const failed = outcomes.filter(({ fault }) => fault !== undefined).length;
  const counts = {
    numPassedTests: outcomes.length - failed,
    numFailedTests: failed,
    numPendingTests: 0,
    numTodoTests: 0,
  };
  if (options.results !== undefined) writeFileSync(options.results, JSON.stringify(counts));
  process.exitCode = failed === 0 ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true });
}

/** One installation for all: each consumer is a folder inside, and finds it as Node and TypeScript find packages. */
function install() {
  const tarballs = pack(publishedPackages(), folder);
  const dependencies = Object.fromEntries([
    ...tarballs.map(({ manifest, tarball }) => [manifest.name, `file:${tarball}`]),
    ...neighbours.map((name) => [
      name,
      readJson(join(root, "node_modules", name, "package.json")).version,
    ]),
  ]);
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, dependencies }));
  const flags = [
    "--prefer-offline",
    "--no-audit",
    "--no-fund",
    "--ignore-scripts",
    "--no-package-lock",
  ];
  execFileSync("npm", ["install", ...flags], {
    cwd: folder,
    stdio: ["ignore", "ignore", "inherit"],
  });
  for (const { name } of consumers) {
    cpSync(join(root, "test/consumers", name), join(folder, name), { recursive: true });
  }
}

function use({ name, main, isCompiled = false }) {
  const cwd = join(folder, name);
  const fault = isCompiled
    ? faultOf(process.execPath, cwd, [compiler, "-p", "tsconfig.json"])
    : undefined;
  return runtimes().map(({ version, binary }) => ({
    title: `${name} on Node ${version}`,
    fault: fault ?? faultOf(binary, cwd, [main]),
  }));
}

function runtimes() {
  const here = { version: process.versions.node, binary: process.execPath };
  return isMatrixMachine ? [here, ...nodeReleases().oldest] : [here];
}

/** What was printed, where the program did not exit with 0 in time. */
function faultOf(binary, cwd, args) {
  const { status, stdout, stderr, signal } = spawnSync(binary, args, {
    cwd,
    encoding: "utf8",
    timeout: 60_000,
    stdio: ["ignore", "pipe", "pipe"],
  });
  return status === 0
    ? undefined
    : `${args.join(" ")}: ${signal ?? `exit code ${status}`}\n${stdout}${stderr}`;
}
