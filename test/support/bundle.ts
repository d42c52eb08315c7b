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
export async function bundled(name: string): Promise<string> {
  const input = fileURLToPath(new URL(`../../packages/${name}/src/index.ts`, import.meta.url));
  const { build } = await bundler();
  const { output } = await build({ input, write: false, output: { minify: true, format: "esm" } });
  return output[0].code;
}
