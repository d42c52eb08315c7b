import { describe, expect, it } from "vitest";
import { type Entry, readFolder } from "../corpus/read-cases.ts";
import { runCase } from "../corpus/run-case.ts";
import { builderOf } from "../corpus/tokens.ts";

const folder = import.meta.dirname;
const entries = readFolder(folder);
const builder = await builderOf(folder);

describe.each(byFile(entries))("%s", (_, cases) => {
  it.each(cases.map((entry) => [titleOf(entry), entry] as const))("%s", async (_, entry) => {
    const { status, details } = await runCase(entry, builder);
    expect({ status, details }).toEqual({ status: "passed", details: [] });
  });

  it("lets good handshakes in, so that refusing everything would not pass", () => {
    const allowed = cases.filter(({ found }) => !(found instanceof Error) && isAllowed(found));
    expect(allowed.length).toBeGreaterThan(0);
  });
});

function byFile(all: readonly Entry[]): readonly (readonly [string, readonly Entry[]])[] {
  const files = [...new Set(all.map(({ file }) => file))];
  return files.map((file) => [file, all.filter((entry) => entry.file === file)]);
}

function titleOf({ id, found }: Entry): string {
  // vitest fills in what follows a percent sign.
  return found instanceof Error ? id : `${id} ${found.reason}`.replaceAll("%", "%%");
}

function isAllowed({ expect: expected, given }: Exclude<Entry["found"], Error>): boolean {
  return expected === "allow" || (given.steps?.some((step) => step.expect === "allow") ?? false);
}
