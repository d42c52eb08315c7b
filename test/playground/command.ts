import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("../../packages/playground/dist/main.js", import.meta.url));

/** The playground's command as `npm start` runs it, compiled. */
export function start(...args: readonly string[]): { child: ChildProcess; said: () => string } {
  const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
  }
  return { child, said: () => text };
}

/** Runs it to its end. */
export async function run(
  ...args: readonly string[]
): Promise<{ code: number | null; text: string }> {
  const { child, said } = start(...args);
  const [code] = (await once(child, "close")) as [number | null];
  return { code, text: said() };
}
