import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, onTestFinished, vi } from "vitest";
import { makeExampleFolder } from "../docs/example-folder.ts";
import { giveFreePorts } from "../support/free-ports.ts";
import { type Issuer, startIssuer } from "./issuer.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = makeExampleFolder();
let written = 0;

afterAll(folder.remove);

/** A recipe of the guide that runs in this process, until the test is over. */
export interface Running<Exported> {
  readonly issuer: Issuer;
  /** What the recipe calls so, though it exports nothing. */
  readonly its: Exported;
  /** The port that it got instead of the one it asks for. */
  readonly insteadOf: (asked: number) => number;
}

export interface RunOptions {
  /** The top-level names of the recipe that the test needs. */
  readonly names: readonly string[];
  /** Text to be replaced before it runs. */
  readonly changes?: Readonly<Record<string, string>>;
}

/** Runs a block of a page as it is printed there; only the keys come from an issuer of the test's own. */
export async function runRecipe<Exported>(
  block: string,
  { names, changes = {} }: RunOptions,
): Promise<Running<Exported>> {
  const issuer = await startIssuer();
  const code = changed(block, { [printedKeys]: issuer.jwksUri, ...changes });
  const url = folder.write(`recipe-${++written}.ts`, `${code}export { ${names.join(", ")} };\n`);
  const { insteadOf } = giveFreePorts();
  onTestFinished(() => void vi.restoreAllMocks());
  const its = (await import(url)) as Exported;
  return { issuer, its, insteadOf };
}

const printedKeys = "https://id.example.com/jwks.json";

/** The block of a page that holds all of these words. */
export function blockWith(page: string, ...words: readonly string[]): string {
  const text = readFileSync(`${root}/${page}`, "utf8");
  const blocks = [...text.matchAll(/^```(?:ts|js)(?: no-run)?\n([\s\S]*?)^```$/gm)].map(
    ([, code = ""]) => code,
  );
  const found = blocks.filter((code) => words.every((word) => code.includes(word)));
  if (found.length !== 1) throw new Error(`${page} has ${found.length} blocks of that kind.`);
  return found[0] as string;
}

/** The code with those texts replaced; the keys of the token's issuer may be absent, all others may not. */
export function changed(code: string, changes: Readonly<Record<string, string>>): string {
  return Object.entries(changes).reduce((text, [from, to]) => {
    if (from !== printedKeys && !text.includes(from)) throw new Error(`The page lacks ${from}.`);
    return text.replaceAll(from, to);
  }, code);
}
