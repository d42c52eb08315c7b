import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { requirement } from "../support/requirement.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const installed = fileURLToPath(new URL("node_modules", import.meta.url));

/** What runs a recipe. */
export interface Runtime {
  readonly name: string;
  readonly isMissing: boolean;
  readonly program: string;
  readonly args: readonly string[];
}

const ofSources = "--conditions=@firmshake/source";

/** Those that can run the sources themselves do; Node runs what the build made of them. */
export const node: Runtime = {
  name: "Node",
  ...requirement("crossws and srvx (npm ci --prefix test/runtimes)", join(installed, "srvx")),
  program: process.execPath,
  args: [],
};
export const bun: Runtime = runtime("Bun", "@oven/bun-linux-x64/bin/bun", ["run", ofSources]);
export const deno: Runtime = runtime("Deno", "@deno/linux-x64-glibc/deno", [
  "run",
  ofSources,
  "--allow-net",
  "--allow-env",
  "--allow-read",
  "--no-check",
  "--node-modules-dir=manual",
  "--quiet",
]);

function runtime(name: string, path: string, args: readonly string[]): Runtime {
  const program = join(installed, path);
  return {
    name,
    program,
    args,
    ...requirement(`${name} (npm ci --prefix test/runtimes)`, program),
  };
}

export interface Started {
  readonly port: number;
  readonly child: ChildProcess;
  /** Everything that it wrote. */
  readonly said: () => string;
}

/**
 * Runs a recipe in a process of the runtime until the test is over.
 *
 * @param port - The expression by which the recipe's port is told.
 */
export async function start(
  { program, args }: Runtime,
  code: string,
  port: string,
): Promise<Started> {
  const folder = makeFolder();
  const file = join(folder, "recipe.mjs");
  writeFileSync(file, `${code}\nconsole.log("port", ${port});\n`);
  const child = spawn(program, [...args, file], {
    cwd: folder,
    // Deno writes colours wherever the variable is set, whatever it says.
    env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined, DENO_NO_UPDATE_CHECK: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => {
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true });
  });
  let text = "";
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`ended with ${code}: ${text}`)));
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
        const found = /^port (\d+)$/m.exec(text);
        if (found !== null) resolve({ port: Number(found[1]), child, said: () => text });
      });
    }
  });
}

/** A project that has installed the packages. */
function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "firmshake-runtime-"));
  const modules = join(folder, "node_modules");
  mkdirSync(modules);
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }));
  symlinkSync(join(root, "node_modules/@firmshake"), join(modules, "@firmshake"));
  for (const name of ["crossws", "srvx"]) symlinkSync(join(installed, name), join(modules, name));
  return folder;
}
