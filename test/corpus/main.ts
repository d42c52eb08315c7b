import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { runFolder } from "./run-folder.ts";

/** `npm run corpus -- DIR`: every case of a folder through the guard. */
async function main(folder: string | undefined): Promise<number> {
  if (folder === undefined) {
    console.error("Say which folder: npm run corpus -- DIR");
    return 2;
  }
  // npm runs scripts in the repository's root; the path was typed where the user stands.
  const path = resolve(process.env.INIT_CWD ?? ".", folder);
  if (!existsSync(path)) {
    console.error(`There is no folder ${path}.`);
    return 2;
  }
  const { lines, exitCode } = await runFolder(path);
  for (const line of lines) console.log(line);
  return exitCode;
}

process.exitCode = await main(process.argv[2]);
