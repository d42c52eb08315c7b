import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const page = readFileSync(fileURLToPath(new URL("../../docs/attacks.md", import.meta.url)), "utf8");
const folder = fileURLToPath(new URL("../attacks/", import.meta.url));
const files = readdirSync(folder).filter((name) => name.endsWith(".json"));

/** The first column of every row. */
const ids = new Set(
  [...page.matchAll(/^\| (T\d\d(?:, T\d\d)*) \|/gm)].flatMap(([, cell = ""]) => cell.split(", ")),
);

describe.each(files)("%s", (file) => {
  it("is linked from the page that says what it proves", () => {
    expect(page).toContain(`(../test/attacks/${file})`);
  });

  it("names threats that the page knows", () => {
    const { about } = JSON.parse(readFileSync(folder + file, "utf8")) as { readonly about: string };
    const named = about.match(/\bT\d\d\b/g) ?? [];
    expect(named.filter((id) => !ids.has(id))).toEqual([]);
  });
});
