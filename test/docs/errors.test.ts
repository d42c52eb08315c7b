import { readFileSync } from "node:fs";
import { isRetryable } from "@firmshake/client";
import {
  type CloseCode,
  closeKinds,
  configErrorCodes,
  type RefusalCode,
  refusalKinds,
} from "@firmshake/core";
import { type MessageErrorCode, messageErrors } from "@firmshake/messages";
import { describe, expect, it } from "vitest";
import { examplesIn } from "./examples.ts";

const page = readFileSync(new URL("../../docs/errors.md", import.meta.url), "utf8");
const refusalCodes = Object.keys(refusalKinds) as readonly RefusalCode[];
const closeCodes = Object.keys(closeKinds) as readonly CloseCode[];
const messageCodes = Object.keys(messageErrors) as readonly MessageErrorCode[];
const codes: readonly string[] = [
  ...refusalCodes,
  ...closeCodes,
  ...messageCodes,
  ...configErrorCodes,
];

describe("docs/errors.md", () => {
  it("has one heading for each code, in the order of the tables in the packages", () => {
    const headings = [...page.matchAll(/^### `([^`]+)`$/gm)].map(([, code]) => code);
    expect(headings).toEqual(codes);
  });

  it("has one table row for each code, with a link to its heading", () => {
    const rows = [...page.matchAll(/^\| \[`([^`]+)`\]\(#([^)]+)\) \|/gm)];
    expect(rows.map(([, code]) => code)).toEqual(codes);
    expect(rows.map(([, , anchor]) => anchor)).toEqual(codes.map((code) => code.toLowerCase()));
  });

  it("says of each close code whether it is retryable, as the table does", () => {
    const [, retryable = ""] = /^\| retryable \| ([^|]+) \|/m.exec(page) ?? [];
    const band = new Set(retryable.match(/\d+/g)?.map(Number));
    const inBand = Object.values(refusalKinds).filter(({ closeCode }) => band.has(closeCode));
    expect(inBand).toEqual(Object.values(refusalKinds).filter((kind) => kind.retryable));
  });

  describe.each(refusalCodes)("%s", (code) => {
    const { status, closeCode, retryable, title } = refusalKinds[code];
    const again = retryable ? "retryable" : "terminal";

    it("is in the table as core has it", () => {
      const row = `| [\`${code}\`](#${code}) | ${status} | ${closeCode} | ${again} | ${title} |`;
      expect(page.split("\n")).toContain(row);
    });

    it("is described as core has it, with its cause and what to do", () => {
      const [summary, ...list] = sectionOf(code)
        .split("\n")
        .filter((line) => line !== "");
      expect(summary).toBe(`${status}, close code ${closeCode}, ${again}: “${title}”`);
      expect(list.map((line) => /^- \*\*(\w+):\*\* .+\.$/.exec(line)?.[1])).toEqual([
        "Cause",
        "Operator",
        "Client",
      ]);
    });
  });

  it.each(Object.entries({ ...closeKinds, ...messageErrors }))(
    "says of %s what its table does, with its cause and what to do",
    (code, { closeCode, retryable, title }) => {
      const again = retryable ? "retryable" : "terminal";
      const row = `| [\`${code}\`](#${code}) | ${closeCode} | ${again} | ${title} |`;
      expect(page.split("\n")).toContain(row);
      const [summary, ...list] = sectionOf(code)
        .split("\n")
        .filter((line) => line !== "");
      expect(summary).toBe(`Close code ${closeCode}, ${again}: “${title}”`);
      expect(list.map((line) => /^- \*\*(\w+):\*\* .+\.$/.exec(line)?.[1])).toEqual([
        "Cause",
        "Operator",
        "Client",
      ]);
    },
  );

  it.each(configErrorCodes)("shows what throws %s, and nothing else under its heading", (code) => {
    const thrown = examplesIn("errors.md", sectionOf(code))
      .filter(({ flags }) => flags[0] === "throws")
      .map(({ flags }) => flags[1]);
    expect(thrown.filter((other) => other !== code)).toEqual([]);
    if (!codesWithoutShortExample.has(code)) expect(thrown).toHaveLength(1);
  });
});

describe("the closes", () => {
  it.each(closeCodes)("say by %s to the client what they say to the reader", (code) => {
    const { closeCode, retryable } = closeKinds[code];
    // A token that has expired is worth a new one: so the reason says, which the client reads as well.
    const reason = code === "token_expired" ? `${code};retry=0` : code;
    expect(isRetryable({ code: closeCode, reason })).toBe(retryable);
  });
});

/** Thrown by a running server alone; the tests of the packages see to them. */
const codesWithoutShortExample = new Set<string>(["ERR_FIRMSHAKE_NOT_ATTACHED"]);

/** What stands between the code's heading and the next. */
function sectionOf(code: string): string {
  const [, behind = ""] = page.split(`\n### \`${code}\`\n`);
  return behind.split(/\n#{2,3} /)[0] ?? "";
}
