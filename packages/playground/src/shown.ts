import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The package's sources, the same seen from the sources and from what is compiled. */
const sources = new URL("../src/", import.meta.url);

/** The marked part of a source file, so that nothing is shown that is not so. */
export function shownPart(file: string): string {
  const text = readFileSync(fileURLToPath(new URL(file, sources)), "utf8");
  const part = /^ *\/\/ #region shown\n([\s\S]*?)\n *\/\/ #endregion$/m.exec(text)?.[1];
  if (part === undefined) throw new Error(`${file} shows no part of itself.`);
  const lines = part.split("\n");
  const indent = Math.min(
    ...lines.filter((line) => line.trim() !== "").map((line) => line.search(/\S/)),
  );
  return lines.map((line) => line.slice(indent)).join("\n");
}
