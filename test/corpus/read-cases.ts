import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Case, readCase } from "./case.ts";
import { list, object, optional, record, text } from "./words.ts";

/** One case of a file; where it could not be understood, why not. */
export interface Entry {
  readonly file: string;
  readonly id: string;
  readonly found: Case | Error;
}

/** Every case of every `*.json` in the folder, in order. What cannot be read is an entry too: nothing is passed over. */
export function readFolder(folder: string): readonly Entry[] {
  const files = readdirSync(folder)
    .filter((name) => name.endsWith(".json"))
    .sort();
  return refuseRepeats(files.flatMap((file) => readCaseFile(folder, file)));
}

function readCaseFile(folder: string, file: string): readonly Entry[] {
  try {
    const { cases } = corpus(JSON.parse(readFileSync(join(folder, file), "utf8")), file);
    return cases.map((value, index) => readEntry(file, value, index));
  } catch (error) {
    return [{ file, id: file, found: asError(error) }];
  }
}

interface Corpus {
  readonly corpus: string;
  readonly half: string | undefined;
  readonly about: string | undefined;
  readonly cases: readonly Readonly<Record<string, unknown>>[];
}

const corpus = record<Corpus>({
  corpus: text,
  half: optional(text),
  about: optional(text),
  cases: list(object),
});

function readEntry(file: string, value: Readonly<Record<string, unknown>>, index: number): Entry {
  const id = typeof value.id === "string" ? value.id : `case ${index + 1} of ${file}`;
  try {
    return { file, id, found: readCase(value, id) };
  } catch (error) {
    return { file, id, found: asError(error) };
  }
}

/** Two cases of one id would hide each other in the report. */
function refuseRepeats(entries: readonly Entry[]): readonly Entry[] {
  const seen = new Set<string>();
  return entries.map((entry) => {
    if (seen.has(entry.id))
      return { ...entry, found: new Error(`the id ${entry.id} is used twice`) };
    seen.add(entry.id);
    return entry;
  });
}

const asError = (error: unknown): Error =>
  error instanceof Error ? error : new Error(String(error));
