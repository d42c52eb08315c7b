import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { libraries } from "./all.ts";
import { behaviours } from "./behaviours.ts";
import { versionOf } from "./library.ts";
import { compatibilityPage, nodeVersionIn, type Row } from "./table.ts";

const rows = libraries.map(
  (library): Row => ({ library: library.name, version: versionOf(library), lacks: library.lacks }),
);

describe.each(libraries)("$name", (library) => {
  for (const { id, title, verify } of behaviours) {
    if (library.lacks[id] === undefined) it(title, () => verify(library));
  }
});

it("docs/compatibility.md shows these libraries, versions, behaviours and reasons", () => {
  const page = readFileSync(new URL("../../docs/compatibility.md", import.meta.url), "utf8");
  expect(page).toBe(compatibilityPage(behaviours, rows, nodeVersionIn(page)));
});
