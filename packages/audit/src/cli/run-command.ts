import { CommanderError } from "commander";
import { printable } from "../formats/printable.ts";
import { program } from "./program.ts";
import type { Terminal } from "./terminal.ts";
import { sentenceOf } from "./usage-error.ts";

/** Whatever else goes wrong, nothing was concluded. */
const failed = 2;

/**
 * Does what a command line says.
 *
 * @param words - Those behind the command's name.
 * @returns the exit code.
 */
export async function runCommand(words: readonly string[], terminal: Terminal): Promise<number> {
  let exitCode = failed;
  try {
    await program(terminal, (code) => {
      exitCode = code;
    }).parseAsync(words, { from: "user" });
  } catch (error) {
    exitCode = complain(error, terminal);
  }
  return exitCode;
}

function complain(error: unknown, terminal: Terminal): number {
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
