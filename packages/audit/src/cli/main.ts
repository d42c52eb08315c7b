#!/usr/bin/env node
import { CommanderError } from "commander";
import { printable } from "../formats/printable.ts";
import { program } from "./program.ts";
import { processTerminal } from "./terminal.ts";
import { sentenceOf } from "./usage-error.ts";

/** Whatever else goes wrong, nothing was concluded. */
const failed = 2;

const terminal = processTerminal();
let exitCode = failed;
try {
  await program(terminal, (code) => {
    exitCode = code;
  }).parseAsync(process.argv);
} catch (error) {
  exitCode = complain(error);
}
// A user's module may hold the process open, with a server or a timer; what was written is let out first.
process.stdout.write("", () => process.stderr.write("", () => process.exit(exitCode)));

function complain(error: unknown): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0;
    const text =
      error.code === "commander.help"
        ? "Say what to do: audit, check-config, try, checks or schema; --help tells more."
        : error.message.replace(/^error: /, "").replaceAll("\n", " ");
    terminal.err(`firmshake: ${printable(text)}\n`);
    return failed;
  }
  terminal.err(`firmshake: ${printable(sentenceOf(error))}\n`);
  return failed;
}
