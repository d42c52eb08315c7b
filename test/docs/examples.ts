import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** A fenced block of code from a TSDoc comment or a Markdown page. */
export interface Example {
  /** Where it stands, such as `docs/errors.md:12`. */
  readonly place: string;
  readonly language: "ts" | "js";
  /** What follows the language on the opening fence: `no-run`, or `throws CODE`. */
  readonly flags: readonly string[];
  readonly code: string;
}

/** Every example that a reader may copy: of the packages' sources, and of all pages. */
export function allExamples(): readonly Example[] {
  const sources = packageFolders().flatMap((folder) => filesBelow(`${folder}/src`, ".ts"));
  return [...pages(), ...sources].flatMap((file) =>
    examplesIn(file, readFileSync(join(root, file), "utf8")),
  );
}

/** The Markdown that people read: at the top, in each package, and below `docs/`. Changelogs are made by a tool. */
export function pages(): readonly string[] {
  return ["", ...packageFolders().map((folder) => `${folder}/`)]
    .flatMap((folder) => readdirSync(join(root, folder)).map((name) => `${folder}${name}`))
    .filter((file) => file.endsWith(".md") && !file.endsWith("CHANGELOG.md"))
    .concat(filesBelow("docs", ".md"));
}

function packageFolders(): readonly string[] {
  return readdirSync(join(root, "packages")).map((name) => `packages/${name}`);
}

/** Blocks marked `ts`, and those marked `js throws CODE`; what is fenced otherwise is not meant to be run. */
export function examplesIn(file: string, text: string): readonly Example[] {
  const lines = text.split("\n").map(file.endsWith(".ts") ? commentText : String);
  const examples: Example[] = [];
  let open: { info: readonly string[]; start: number } | undefined;
  lines.forEach((line, index) => {
    const fence = /^\s*```(.*)$/.exec(line);
    if (fence === null) return;
    if (open === undefined) {
      open = { info: (fence[1] ?? "").trim().split(/\s+/), start: index };
      return;
    }
    const [language, ...flags] = open.info;
    const code = `${lines.slice(open.start + 1, index).join("\n")}\n`;
    if (language === "ts" || (language === "js" && flags[0] === "throws")) {
      examples.push({ place: `${file}:${open.start + 1}`, language, flags, code });
    }
    open = undefined;
  });
  return examples;
}

/** What a line of a TSDoc comment says; nothing for a line of code. */
function commentText(line: string): string {
  return /^\s*\* ?(.*)$/.exec(line)?.[1] ?? "";
}

function filesBelow(folder: string, ending: string): readonly string[] {
  const path = join(root, folder);
  if (!existsSync(path)) return [];
  return readdirSync(path, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(ending) && !name.includes("node_modules"))
    .map((name) => `${folder}/${name}`)
    .sort();
}
