import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readFolder } from "../corpus/read-cases.ts";
import { runCase } from "../corpus/run-case.ts";
import type { Serve } from "../corpus/run-over-socket.ts";
import { builderOf } from "../corpus/tokens.ts";
import { everywhere, type Framework, frameworks } from "./frameworks.ts";

const folder = join(import.meta.dirname, "../attacks");
const entries = readFolder(folder);
const builder = await builderOf(folder);

/** Bare Node has them in test/attacks. */
describe.each(frameworks.slice(1))("$name", (framework) => {
  it.each(files(entries))("answers the attacks of %s as they deserve", async (_, cases) => {
    const serve = serveWith(framework);
    for (const entry of cases) {
      const { status, details } = await runCase(entry, builder, serve);
      expect({ status, details }, entry.id).toEqual({ status: "passed", details: [] });
    }
  });
});

const serveWith =
  ({ serve }: Framework): Serve =>
  ({ checks, paths = [everywhere], trustProxy }, onDecision, more) =>
    serve({
      guards: Object.fromEntries(paths.map((path) => [path, { checks }])),
      options: {
        onDecision,
        ...(more === undefined ? {} : { clock: more.clock }),
        ...(trustProxy === undefined ? {} : { trustProxy }),
      },
      ...(more === undefined ? {} : { onGate: more.onGate }),
    });

type Entries = typeof entries;

const files = (all: Entries): readonly (readonly [string, Entries])[] =>
  [...new Set(all.map(({ file }) => file))].map((file) => [
    file,
    all.filter((entry) => entry.file === file),
  ]);
