import { spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Starts a module in a process of its own, on one core where that can be had. It ends with this process. */
export function startChild(name, core, nodeOptions = []) {
  const module = fileURLToPath(new URL(name, import.meta.url));
  const command = [process.execPath, ...nodeOptions, module];
  const [program, ...args] = core === undefined ? command : ["taskset", "-c", core, ...command];
  const child = spawn(program, args, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  let settle;
  child.on("message", (answer) => settle?.resolve(answer));
  child.on("exit", (code) => settle?.reject(new Error(`${name} ended with ${code}.`)));

  return {
    /** One order at a time; resolves with what the child made of it. */
    ask: async (order, details = {}) => {
      const answered = new Promise((resolve, reject) => {
        settle = { resolve, reject };
      });
      child.send({ order, details });
      const { result, error } = await answered;
      if (error !== undefined) throw new Error(`${name}, ${order}: ${error}`);
      return result;
    },
    stop: () =>
      new Promise((resolve) => {
        settle = undefined;
        child.once("exit", resolve);
        child.disconnect();
      }),
  };
}

/** A core for the server and one for the load; undefined where processes cannot be pinned. */
export function pinnableCores() {
  if (spawnSync("taskset", ["-c", "-p", String(process.pid)]).status !== 0) return {};
  const status = readFileSync("/proc/self/status", "latin1");
  const cores = (/^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1] ?? "")
    .split(",")
    .flatMap((range) => {
      const [first, last = first] = range.split("-").map(Number);
      return Array.from({ length: last - first + 1 }, (_, index) => String(first + index));
    });
  return cores.length < 2 ? {} : { serverCore: cores[0], loadCore: cores[1] };
}
