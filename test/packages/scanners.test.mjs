import { describe, expect, it } from "vitest";
import { linesWithAny } from "./declarations.mjs";
import { isBuiltin, packageOf, specifiersIn } from "./imports.mjs";

describe("specifiersIn", () => {
  it("finds every way of asking for a module", () => {
    const code = [
      `import { a } from "one";`,
      `import type { B } from "@scope/two/sub";`,
      `import {`,
      `  c,`,
      `} from "./three.js";`,
      `import "four";`,
      `export * from "node:fs";`,
      `export type Five = import("five").Five;`,
      `const six = await import("six");`,
      `const seven = require("seven");`,
    ].join("\n");
    expect(specifiersIn(code).sort()).toEqual(
      ["one", "@scope/two/sub", "./three.js", "four", "node:fs", "five", "six", "seven"].sort(),
    );
  });

  it("does not take the example in a comment for an import", () => {
    const code = [
      `/**`,
      ` * import { guard } from "example";`,
      ` * const lazy = import("example");`,
      ` */`,
      `export const none = "import from";`,
    ].join("\n");
    expect(specifiersIn(code)).toEqual([]);
  });

  it("tells packages and builtins apart", () => {
    expect(packageOf("@firmshake/core/gate")).toBe("@firmshake/core");
    expect(packageOf("jose/errors")).toBe("jose");
    expect(isBuiltin("node:net")).toBe(true);
    expect(isBuiltin("fs/promises")).toBe(true);
    expect(isBuiltin("ws")).toBe(false);
  });
});

describe("linesWithAny", () => {
  it.each([
    "export declare const a: any;",
    "export declare function a(b: any): void;",
    "export declare function a(): Map<string, any>;",
    "export type A<B = any> = B;",
    "export type A = string | any[];",
    "export type A = (b: string) => any;",
    "export declare function a<B extends any>(): B;",
  ])("finds it in %s", (line) => {
    expect(linesWithAny(`/** any: any */\n${line}`)).toEqual([2]);
  });

  it.each([
    "export declare function any<const Checks extends object>(...checks: Checks): void;",
    `export { all, any, when } from "./combine.ts";`,
    "/** One of any: any of them. */",
    "// : any",
    `export type A = "all" | ": any";`,
    "export declare const anything: string;",
  ])("leaves %s alone", (line) => {
    expect(linesWithAny(line)).toEqual([]);
  });
});
