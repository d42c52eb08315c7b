import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** A folder outside of the project where examples find its packages as a reader's own project would. */
export interface ExampleFolder {
  readonly path: string;
  /** Writes a file, and answers with its URL. */
  readonly write: (name: string, code: string) => string;
  readonly remove: () => void;
}

export function makeExampleFolder(): ExampleFolder {
  const path = mkdtempSync(join(tmpdir(), "firmshake-examples-"));
  const write = (name: string, code: string): string => {
    const file = join(path, name);
    writeFileSync(file, code);
    return pathToFileURL(file).href;
  };
  symlinkSync(join(root, "node_modules"), join(path, "node_modules"));
  write("package.json", JSON.stringify({ type: "module" }));
  write("tsconfig.json", JSON.stringify(compilerConfig));
  return { path, write, remove: () => rmSync(path, { recursive: true }) };
}

const compilerConfig = {
  extends: join(root, "test/tsconfig.json"),
  compilerOptions: {
    noUnusedLocals: false,
    noUnusedParameters: false,
    // What every Nest project has.
    experimentalDecorators: true,
    emitDecoratorMetadata: true,
  },
  include: ["*.ts"],
  exclude: [],
};
