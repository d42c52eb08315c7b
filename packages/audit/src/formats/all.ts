import type { Assessment } from "./assessment.ts";
import { htmlOf } from "./html/page.ts";
import { jsonOf } from "./json.ts";
import { junitOf } from "./junit.ts";
import { prettyOf } from "./pretty.ts";
import { sarifOf } from "./sarif.ts";

/** What the formats are called. */
export const formatNames = ["pretty", "json", "sarif", "junit", "html"] as const;

/** One of {@link formatNames}. */
export type FormatName = (typeof formatNames)[number];

/** What some of the formats take besides the run. */
export interface FormatOptions {
  /** In characters. */
  readonly width: number;
  readonly hasColors: boolean;
  readonly location?: string;
}

/** Writes a run in a format: the same run, the same text. */
export function write(format: FormatName, run: Assessment, options: FormatOptions): string {
  switch (format) {
    case "pretty":
      return prettyOf(run, options);
    case "json":
      return jsonOf(run);
    case "sarif":
      return sarifOf(run, options);
    case "junit":
      return junitOf(run);
    case "html":
      return htmlOf(run);
  }
}

/** The format that a file's ending stands for. */
export function formatOfFile(path: string): FormatName | undefined {
  const ending = /\.([a-z]+)$/i.exec(path)?.[1]?.toLowerCase() ?? "";
  return endings.get(ending);
}

const endings: ReadonlyMap<string, FormatName> = new Map([
  ["txt", "pretty"],
  ["json", "json"],
  ["sarif", "sarif"],
  ["xml", "junit"],
  ["html", "html"],
  ["htm", "html"],
]);
