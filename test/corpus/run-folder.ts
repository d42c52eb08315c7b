import { readFolder } from "./read-cases.ts";
import { reportLines } from "./report.ts";
import { type Result, runCase } from "./run-case.ts";
import { builderOf } from "./tokens.ts";

/** What is printed of a folder, and what the process answers. */
export interface FolderReport {
  readonly lines: readonly string[];
  /** 1 where a case failed, or none was found; pending cases alone are no failure. */
  readonly exitCode: 0 | 1;
}

/** Runs every case of a folder, one after the other: they watch the whole process. */
export async function runFolder(folder: string): Promise<FolderReport> {
  const builder = await builderOf(folder);
  const results: Result[] = [];
  for (const entry of readFolder(folder)) results.push(await runCase(entry, builder));
  const hasFailed = results.length === 0 || results.some(({ status }) => status === "failed");
  return { lines: reportLines(results), exitCode: hasFailed ? 1 : 0 };
}
