import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { libraries } from "./all.ts";
import { behaviours } from "./behaviours.ts";
import { frameBehaviours } from "./frame-behaviours.ts";
import { versionOf } from "./library.ts";
import { compatibilityPage, nodeVersionIn, type Row } from "./table.ts";
import { verifyAll } from "./verify-all.ts";

const rows = libraries.map(
  (library): Row => ({ library: library.name, version: versionOf(library), lacks: library.lacks }),
);

verifyAll(behaviours);

it("docs/compatibility.md shows these libraries, versions, behaviours and reasons", ({ task }) => {
  const pageOf = (nodeVersion: string): string =>
    compatibilityPage([...behaviours, ...frameBehaviours], rows, nodeVersion);
  task.meta.page = pageOf(process.versions.node);
  const committed = readFileSync(new URL("../../docs/compatibility.md", import.meta.url), "utf8");
  expect(committed).toBe(pageOf(nodeVersionIn(committed)));
});
