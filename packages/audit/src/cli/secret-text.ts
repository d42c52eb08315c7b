import { readFileSync } from "node:fs";
import { sentenceOf, UsageError } from "./usage-error.ts";

/**
 * Reads a secret that an option names: `env:NAME` is the variable's value, `@file` the file's text without the line end behind it, and
 * everything else stands for itself. What is named shows neither in the shell's history nor in the list of processes.
 *
 * @throws {@link UsageError} where there is no such variable or file, or it holds several lines. The value is not shown.
 */
export function secretText(option: string, given: string): string {
  const text = secretLines(option, given);
  if (/[\r\n]/.test(text)) {
    throw new UsageError(`${option}: the value has several lines. It must be a single one.`);
  }
  return text;
}

/** As {@link secretText}, where there may be several lines. */
export function secretLines(option: string, given: string): string {
  if (given.startsWith("env:")) return fromEnvironment(option, given.slice(4));
  if (given.startsWith("@")) return readText(option, given.slice(1)).replace(/\r?\n$/, "");
  return given;
}

/** The text of a file that an option names. */
export function readText(option: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new UsageError(`${option}: the file ${path} cannot be read: ${sentenceOf(error)}.`);
  }
}

function fromEnvironment(option: string, name: string): string {
  const value = process.env[name];
  if (value === undefined || value === "") {
    throw new UsageError(
      `${option}: the environment has no variable ${name}. Set it, or write the value in place of env:${name}.`,
    );
  }
  return value;
}
