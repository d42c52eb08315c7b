import { gzipSync } from "node:zlib";
import { expect, it } from "vitest";
import { bundled } from "../support/bundle.ts";

it("the whole package is 3 kB at most, minified and gzipped, and imports nothing", async () => {
  const code = await bundled("client");
  expect(code).not.toMatch(/\bimport\b/);
  expect(code).toMatch(/FirmSocket/);
  expect(gzipSync(code, { level: 9 }).length).toBeLessThanOrEqual(3_000);
});
