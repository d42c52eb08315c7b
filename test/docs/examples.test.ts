import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { allExamples, type Example, examplesIn } from "./examples.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const examples = allExamples();
const folder = mkdtempSync(join(tmpdir(), "firmshake-examples-"));

beforeAll(() => {
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }));
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(compilerConfig));
  for (const example of examples) {
    // Without an import or export a file would be a script, and share its names with all others.
    writeFileSync(join(folder, fileOf(example)), `${example.code}export {};\n`);
  }
});

afterAll(() => rmSync(folder, { recursive: true }));

describe("examples", () => {
  it("are found in sources and pages", () => {
    const places = examples.map(({ place }) => place);
    expect(places).toContainEqual(expect.stringMatching(/^packages\/core\/src\//));
    expect(places).toContainEqual(expect.stringMatching(/^docs\/errors\.md:/));
  });

  it("type-check, all of them", async () => {
    expect(await complaintsOfCompiler()).toBe("");
  });

  describe("run", () => {
    const servers = new Set<Server>();

    beforeEach(() => {
      for (const method of ["log", "info", "warn", "error"] as const) {
        vi.spyOn(console, method).mockReturnValue(undefined);
      }
      // Whatever port an example names, it gets a free one; its server is closed behind it.
      const listen = Server.prototype.listen;
      vi.spyOn(Server.prototype, "listen").mockImplementation(function (
        this: Server,
        ...args: readonly unknown[]
      ) {
        servers.add(this);
        const callback = args.find((argument) => typeof argument === "function");
        return Reflect.apply(listen, this, [0, "127.0.0.1", callback]);
      });
    });

    afterEach(() => {
      vi.restoreAllMocks();
      for (const server of servers) server.close();
      servers.clear();
    });

    const runnable = examples.filter(({ flags }) => flags[0] !== "no-run");

    it.each(runnable.map((example) => [example.place, example] as const))(
      "%s",
      async (_, example) => {
        const [flag, code] = example.flags;
        const run = import(pathToFileURL(join(folder, fileOf(example))).href);
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

const compilerConfig = {
  extends: join(root, "test/tsconfig.json"),
  compilerOptions: { noUnusedLocals: false, noUnusedParameters: false },
  // Libraries that bring no types, and that pages name.
  include: ["*.ts", join(root, "test/composition/untyped.d.ts")],
  exclude: [],
};

function fileOf({ place, language }: Example): string {
  return `${place.replaceAll("/", "__").replace(":", "__line-").replaceAll(".", "-")}.${language}`;
}

function complaintsOfCompiler(): Promise<string> {
  const compiler = join(root, "node_modules/typescript/bin/tsc");
  return new Promise((resolve) => {
    execFile(process.execPath, [compiler, "-p", folder], (error, stdout, stderr) => {
      resolve(error === null ? "" : `${stdout}${stderr}` || String(error));
    });
  });
}
