import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { type HandshakeSketch, openingOf } from "../attacks/attack.ts";
import { shakeHandsAndReset } from "../handshake-client.ts";
import { jwksUriOf, type Lab } from "../lab.ts";
import type { Library } from "../libraries/library.ts";
import type { Measured } from "../protocol.ts";

/** The compiled file, also where this one runs as a source. */
const program = fileURLToPath(new URL("../../dist/naive/server.js", import.meta.url));
const patienceMs = 5_000;
/** How long after its handshake each connection is reset. */
const momentsMs = [20, 40, 60, 80, 100];
/** On a busy machine authentication may not have begun at any of the moments, or be over. */
const rounds = 20;

/** Starts a server with authentication written by hand, resets connections in the middle of it, and looks what became of the process. */
export async function measureNaiveServer(
  lab: Lab,
  library: Library,
  sketch: HandshakeSketch,
): Promise<Measured> {
  const child = fork(program, [library.name, jwksUriOf(lab), lab.issuer.url], {
    execArgv: [],
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  try {
    const said = textOf(child);
    const signal = AbortSignal.timeout(patienceMs);
    const [port] = (await once(child, "message", { signal })) as [number];
    const closed = once(child, "close");
    const target = { port, host: `127.0.0.1:${port}`, library };
    const opening = openingOf(sketch, target, "naive");
    for (let round = 0; round < rounds && child.exitCode === null; round++) {
      await Promise.allSettled(momentsMs.map((ms) => shakeHandsAndReset(target, opening, ms)));
    }
    if (child.exitCode === null) return { isStopped: true, text: "the process was still alive" };
    const [exitCode] = (await closed) as [number | null];
    const error = /\b(E[A-Z]{4,})\b/.exec(said())?.[1] ?? "an error";
    return {
      isStopped: false,
      text: `process dead: ${error}, exit code ${exitCode}`,
      detail: "A reset during hand-written async authentication, in a process of its own.",
    };
  } catch {
    return { isStopped: false, text: "the process did not start" };
  } finally {
    child.kill("SIGKILL");
  }
}

function textOf({ stderr }: ChildProcess): () => string {
  let text = "";
  stderr?.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  return () => text;
}
