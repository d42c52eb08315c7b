import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Logger } from "@nestjs/common";
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type FreePorts, giveFreePorts } from "../support/free-ports.ts";
import { makeExampleFolder } from "./example-folder.ts";
import { allExamples, type Example, examplesIn } from "./examples.ts";
import { remedyExamples } from "./remedies.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const examples = [...allExamples(), ...remedyExamples()];
const folder = makeExampleFolder();
// Without an import or export a file would be a script, and share its names with all others.
const written = new Map(
  examples.map((example) => [
    example,
    folder.write(fileOf(example), `${example.code}export {};\n`),
  ]),
);

afterAll(folder.remove);

describe("examples", () => {
  it("are found in sources and pages", () => {
    const places = examples.map(({ place }) => place);
    expect(places).toContainEqual(expect.stringMatching(/^packages\/core\/src\//));
    expect(places).toContainEqual(expect.stringMatching(/^docs\/errors\.md:/));
    expect(places).toContainEqual(expect.stringMatching(/^packages\/audit\/src\/remedies\//));
  });

  it("type-check, all of them", async () => {
    expect(await complaintsOfCompiler()).toBe("");
  });

  describe("run", () => {
    let ports: FreePorts;

    beforeEach(() => {
      for (const method of ["log", "info", "warn", "error"] as const) {
        vi.spyOn(console, method).mockReturnValue(undefined);
      }
      Logger.overrideLogger(false);
      ports = giveFreePorts();
    });

    afterEach(() => {
      vi.restoreAllMocks();
      for (const server of ports.servers) server.close();
    });

    const runnable = examples.filter(({ flags }) => flags[0] !== "no-run");

    it.each(runnable.map((example) => [example.place, example] as const))(
      "%s",
      async (_, example) => {
        const [flag, code] = example.flags;
        const run = import(written.get(example) ?? "");
        if (flag === "throws")
          await expect(run).rejects.toMatchObject({ name: "ConfigError", code });
        else await run;
      },
    );
  });
});

describe("examplesIn", () => {
  it("reads the blocks of a page", () => {
    const page =
      "Text\n```ts no-run\nconst a = 1;\n```\n```sh\nnpm ci\n```\n```js throws CODE\nb();\n```\n";
    expect(examplesIn("page.md", page)).toEqual([
      { place: "page.md:2", language: "ts", flags: ["no-run"], code: "const a = 1;\n" },
      { place: "page.md:8", language: "js", flags: ["throws", "CODE"], code: "b();\n" },
    ]);
  });

  it("reads comments alone in a source", () => {
    const source = "/**\n * ```ts\n * a({\n *   b,\n * });\n * ```\n */\nconst text = '```ts';\n";
    expect(examplesIn("source.ts", source)).toEqual([
      { place: "source.ts:2", language: "ts", flags: [], code: "a({\n  b,\n});\n" },
    ]);
  });
});

function fileOf({ place, language }: Example): string {
  const name = place.replaceAll("/", "__").replace(":", "__line-").replaceAll(/[.\s]/g, "-");
  return `${name}.${language}`;
}

function complaintsOfCompiler(): Promise<string> {
  const compiler = join(root, "node_modules/typescript/bin/tsc");
  return new Promise((resolve) => {
    execFile(process.execPath, [compiler, "-p", folder.path], (error, stdout, stderr) => {
      resolve(error === null ? "" : `${stdout}${stderr}` || String(error));
    });
  });
}
