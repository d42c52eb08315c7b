import pc from "picocolors";
import { count } from "../formats/in-words.ts";
import { printable } from "../formats/printable.ts";
import type { Terminal } from "./terminal.ts";
import { type FoundGuard, loadGuards } from "./user-module.ts";

/**
 * Draws each guard that a module exports, with what is weak in it marked.
 *
 * @returns the exit code: 1 where something is weak.
 */
export async function checkConfigCommand(
  file: string,
  { json = false }: { readonly json?: boolean },
  { out, hasColors }: Terminal,
): Promise<number> {
  const guards = (await loadGuards(file)).map(explained);
  const total = guards.reduce((sum, { weaknesses }) => sum + weaknesses.length, 0);
  if (json) {
    out(`${JSON.stringify({ formatVersion: 1, file, guards }, undefined, 2)}\n`);
    return total === 0 ? 0 : 1;
  }
  const paint = pc.createColors(hasColors);
  for (const { name, lines, weaknesses } of guards) {
    out(`${paint.bold(printable(name))}\n`);
    for (const { text, isWeak } of lines) out(`${isWeak ? paint.yellow(text) : text}\n`);
    if (weaknesses.length === 0) out(paint.green("nothing in it is marked as weak\n"));
    out("\n");
  }
  const found = `${count(guards.length, "guard", "guards")}, ${count(total, "weakness", "weaknesses")}.`;
  out(`${total === 0 ? paint.green(found) : paint.yellow(found)}\n`);
  return total === 0 ? 0 : 1;
}

interface Explained {
  readonly name: string;
  readonly path?: string;
  readonly label?: string;
  readonly mode?: string;
  readonly explanation: string;
  readonly weaknesses: readonly string[];
  readonly lines: readonly Line[];
}

interface Line {
  readonly text: string;
  readonly isWeak: boolean;
}

function explained({ name, path, guard }: FoundGuard): Explained {
  const explanation = guard.explain();
  const lines = explanation.split("\n").map((text) => ({
    text: printable(text),
    isWeak: weaknessIn(text) !== undefined,
  }));
  const made = {
    name,
    ...(path === undefined ? {} : { path }),
    ...(guard.label === undefined ? {} : { label: guard.label }),
    ...(guard.mode === undefined ? {} : { mode: guard.mode }),
    explanation,
    weaknesses: explanation.split("\n").flatMap((line) => weaknessIn(line) ?? []),
  };
  // For the terminal alone: the JSON has the text as it is.
  return Object.defineProperty({ ...made, lines }, "lines", { enumerable: false });
}

/** `explain()` marks what is weaker than the default with `!`; a guard that only reports says so in its first line. */
function weaknessIn(line: string): string | undefined {
  const marked = /^[│ ]*[├└]─ ! (.+)$/.exec(line)?.[1];
  if (marked !== undefined) return marked;
  return /^guard\b.*\(report only: refuses nothing\)$/.test(line)
    ? "report only: refuses nothing"
    : undefined;
}
