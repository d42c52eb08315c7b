import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { libraries } from "./all.ts";
import { behaviours } from "./behaviours.ts";
import { type BehaviourId, versionOf } from "./library.ts";
import { compatibilityPage, nodeVersionIn, type Row } from "./table.ts";

const rows = libraries.map(
  (library): Row => ({ library: library.name, version: versionOf(library), lacks: library.lacks }),
);

declare module "vitest" {
  /** What `npm run compatibility` reads in the report. */
  interface TaskMeta {
    cell?: { readonly library: string; readonly behaviour: BehaviourId };
    page?: string;
  }
}

describe.each(libraries)("$name", (library) => {
  for (const { id, title, verify } of behaviours) {
    if (library.lacks[id] !== undefined) continue;
    it(title, ({ task }) => {
      task.meta.cell = { library: library.name, behaviour: id };
      return verify(library);
    });
  }
});

it("docs/compatibility.md shows these libraries, versions, behaviours and reasons", ({ task }) => {
  const pageOf = (nodeVersion: string): string => compatibilityPage(behaviours, rows, nodeVersion);
  task.meta.page = pageOf(process.versions.node);
  const committed = readFileSync(new URL("../../docs/compatibility.md", import.meta.url), "utf8");
  expect(committed).toBe(pageOf(nodeVersionIn(committed)));
});
