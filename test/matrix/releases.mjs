import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));

export const isMatrixMachine = process.platform === "linux" && process.arch === "x64";

/**
 * The releases that package.json beside this file pins, installed if they are not: `newest` of each line, and the `oldest` that the
 * packages' `engines` allow. They come from the registry like every other package, with their integrity, outside of the workspaces.
 */
export function nodeReleases() {
  if (!isMatrixMachine) {
    throw new Error("The pinned Node releases are made for Linux on x64; this machine is another.");
  }
  install();
  const found = Object.keys(readJson("package.json").dependencies).map((name) => {
    const binary = join(here, "node_modules", name, "bin/node");
    const { version } = readJson("node_modules", name, "package.json");
    return { name, binary, version: version.replace(/^v/, "") };
  });
  return {
    newest: found.filter(({ name }) => !name.endsWith("-floor")),
    oldest: found.filter(({ name }) => name.endsWith("-floor")),
  };
}

function install() {
  const { "": _, ...locked } = readJson("package-lock.json").packages;
  if (JSON.stringify(installed()) === JSON.stringify(locked)) return;
  const flags = ["--prefer-offline", "--no-audit", "--no-fund"];
  execFileSync("npm", ["ci", "--prefix", here, ...flags], { cwd: here, stdio: "inherit" });
}

function installed() {
  try {
    return readJson("node_modules/.package-lock.json").packages;
  } catch {
    return undefined;
  }
}

function readJson(...path) {
  return JSON.parse(readFileSync(join(here, ...path), "utf8"));
}
