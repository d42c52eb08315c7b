import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { whenFinished } from "../support/test-scope.ts";

const program = fileURLToPath(new URL("known/mortal-server.mjs", import.meta.url));

export type MortalServer = "express-ws" | "ws-8.16" | "malformed-header";

/** Starts one in a process of its own, which is killed when the test is over, and answers with its URL. */
export async function startMortal(name: MortalServer): Promise<{
  readonly url: string;
  readonly hasDied: () => boolean;
}> {
  const child = spawn(process.execPath, [program, name], { stdio: ["ignore", "pipe", "ignore"] });
  whenFinished(() => void child.kill("SIGKILL"));
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  return { url: String(line).trim(), hasDied: () => child.exitCode !== null };
}
