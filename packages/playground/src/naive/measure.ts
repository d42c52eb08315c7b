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
/** Several, since a busy machine may not have begun, or be done. */
const momentsMs = [30, 60, 90, 120, 150];

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
    const signal = AbortSignal.timeout(patienceMs);
    const said = textOf(child);
    const [port] = (await once(child, "message", { signal })) as [number];
    const closed = once(child, "close", { signal });
    const target = { port, host: `127.0.0.1:${port}`, library };
    const opening = openingOf(sketch, target, "naive");
    await Promise.all(momentsMs.map((ms) => shakeHandsAndReset(target, opening, ms)));
    const [exitCode] = (await closed) as [number | null];
    const error = /\b(E[A-Z]{4,})\b/.exec(said())?.[1] ?? "an error";
    return {
      isStopped: false,
      text: `process dead: ${error}, exit code ${exitCode}`,
      detail: "A reset during hand-written async authentication, in a process of its own.",
    };
  } catch {
    return { isStopped: true, text: "the process was still alive" };
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
