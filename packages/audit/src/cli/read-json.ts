import * as v from "valibot";
import { readText } from "./secret-text.ts";
import { sentenceOf, UsageError } from "./usage-error.ts";

/**
 * Reads a JSON file that must be as its schema says.
 *
 * @throws {@link UsageError} that names the file, the place in it and what is expected there.
 */
export function readJson<Output>(
  option: string,
  path: string,
  schema: v.GenericSchema<unknown, Output>,
): Output {
  const result = v.safeParse(schema, parse(option, path));
  if (result.success) return result.output;
  const [issue] = result.issues;
  const place = v.getDotPath(issue);
  throw new UsageError(
    `${option}: ${path}${place === null ? "" : `, at ${place}`}: ${issue.message}`,
  );
}

function parse(option: string, path: string): unknown {
  const text = readText(option, path);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UsageError(`${option}: ${path} is not JSON: ${sentenceOf(error)}.`);
  }
}
