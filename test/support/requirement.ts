import { existsSync } from "node:fs";
import { describe, it } from "vitest";

/** A program that tests need beyond npm's packages. */
export interface Requirement {
  readonly path: string;
  /** For `describe.skipIf(...)` and `it.skipIf(...)`. */
  readonly isMissing: boolean;
}

/**
 * Names what the tests of a file need beyond npm's packages. Where it is absent the report says so, in a skipped test of that name;
 * with `CI=true` that test fails, so that no gate is green because nothing ran.
 *
 * @example
 * ```ts
 * const chromium = requirement("chromium", "/usr/bin/chromium");
 *
 * describe.skipIf(chromium.isMissing)("the playground's page", () => {});
 * ```
 */
export function requirement(name: string, path: string): Requirement {
  const isMissing = !existsSync(path);
  describe("requirement", () => {
    it(name, ({ skip }) => {
      if (!isMissing) return;
      if (process.env.CI !== "true") skip(`${path} is absent`);
      throw new Error(`${path} is absent, and CI must run every test.`);
    });
  });
  return { path, isMissing };
}
