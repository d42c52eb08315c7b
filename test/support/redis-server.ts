import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { createInterface } from "node:readline";

export const redisServerPath = "/usr/bin/redis-server";

/** A real Redis on a port of 127.0.0.1 that keeps nothing on disk. */
export interface RedisServer {
  readonly url: string;
  /** Ends it at once, with all that it holds. */
  readonly stop: () => Promise<void>;
  /** Starts it again, on the same port and empty. */
  readonly start: () => Promise<void>;
  /** It still takes connections and commands, and answers nothing until {@link RedisServer.thaw}. */
  readonly freeze: () => void;
  readonly thaw: () => void;
}

export async function startRedisServer(attempts = 3): Promise<RedisServer> {
  const port = await freePort();
  let child = await startAt(port).catch((error: unknown) => {
    if (attempts === 1) throw error;
    return undefined;
  });
  // Somebody else may have taken the port in between.
  if (child === undefined) return startRedisServer(attempts - 1);
  return {
    url: `redis://127.0.0.1:${port}`,
    stop: async () => {
      const ended = child;
      child = undefined;
      if (ended !== undefined) await end(ended);
    },
    start: async () => {
      child ??= await startAt(port);
    },
    freeze: () => void child?.kill("SIGSTOP"),
    thaw: () => void child?.kill("SIGCONT"),
  };
}

async function startAt(port: number): Promise<ChildProcess> {
  const args = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
  const child = spawn(redisServerPath, args, { stdio: ["ignore", "pipe", "ignore"] });
  process.once("exit", () => child.kill("SIGKILL"));
  const lines: string[] = [];
  for await (const line of createInterface(child.stdout)) {
    lines.push(line);
    if (!line.includes("Ready to accept connections")) continue;
    child.stdout.resume();
    return child;
  }
  throw new Error(`redis-server did not start:\n${lines.join("\n")}`);
}

/** It has nothing to write, and while it is frozen it would hear of nothing else. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
