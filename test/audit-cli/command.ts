import { type ChildProcess, execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { runCommand } from "../../packages/audit/src/cli/run-command.ts";
import { deferred } from "../support/server.ts";

const program = fileURLToPath(new URL("../../packages/audit/dist/cli/main.js", import.meta.url));

/** What a run of the command came to. */
export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs the command as it is installed, compiled, to its end. */
export function firmshake(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  return start(args, env).end;
}

/** The same in this process, for what ends before a server is asked, or says no more of it than another would. */
export async function firmshakeHere(args: readonly string[]): Promise<Ran> {
  let [out, err] = ["", ""];
  const terminal = {
    out: (text: string) => {
      out += text;
    },
    err: (text: string) => {
      err += text;
    },
    width: 80,
    hasColors: false,
    isWatched: false,
  };
  const code = await runCommand(args, terminal);
  return { code, out, err };
}

/** A command that is running. */
export interface Running {
  readonly child: ChildProcess;
  readonly end: Promise<Ran>;
}

export function start(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Running {
  return run(process.execPath, [program, ...args], env);
}

/** The same with a terminal of 100 columns, made by script(1); what it shows is all in `out`. */
export function firmshakeOnTerminal(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  const command = [process.execPath, program, ...args].map((word) => `'${word}'`).join(" ");
  return run("script", ["-qefc", `stty cols 100; ${command}`, "/dev/null"], {
    TERM: "xterm-256color",
    ...env,
  }).end;
}

function run(
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Running {
  // Neither the test runner's wishes for colours nor that it runs in CI are those of the user.
  const { FORCE_COLOR, NO_COLOR, CI, ...own } = process.env;
  const options = { env: { ...own, ...env }, maxBuffer: 32 * 1_024 * 1_024 };
  const { promise: end, resolve } = deferred<Ran>();
  const child = execFile(file, args, options, (_error, out, err) =>
    resolve({ code: child.exitCode ?? -1, out, err }),
  );
  child.stdin?.end();
  return { child, end };
}
