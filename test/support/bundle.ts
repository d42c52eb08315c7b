import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

interface Bundler {
  readonly build: (options: object) => Promise<{ readonly output: readonly [{ code: string }] }>;
}

/** The bundler that comes with vitest. */
async function bundler(): Promise<Bundler> {
  const ofVitest = createRequire(createRequire(import.meta.url).resolve("vitest/package.json"));
  const ofVite = createRequire(ofVitest.resolve("vite/package.json"));
  return ofVite("rolldown") as Bundler;
}

/** A package as an application's own bundler would ship it: one minified ES module. */
export const bundled = (name: string): Promise<string> =>
  bundledFile(fileURLToPath(new URL(`../../packages/${name}/src/index.ts`, import.meta.url)));

/** The same for any source, with this project's packages as they are in the sources. */
export async function bundledFile(input: string): Promise<string> {
  const { build } = await bundler();
  const resolve = { conditionNames: ["@firmshake/source", "import"] };
  const output = { minify: true, format: "esm" };
  const built = await build({ input, resolve, write: false, output });
  return built.output[0].code;
}
