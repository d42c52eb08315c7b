import { writeFileSync } from "node:fs";
import { type FormatName, formatOfFile, write } from "../formats/all.ts";
import { exitCodes, type JudgedOrigin } from "../formats/assessment.ts";
import { verdictOf } from "../formats/in-words.ts";
import { printable } from "../formats/printable.ts";
import { type AuditOptions, audit, type Severity } from "../index.ts";
import { readAcceptances } from "./acceptances.ts";
import { assess, type Result } from "./assess.ts";
import { type AuditFlags, auditOptions, inFlags, placeOf, targetUrl } from "./audit-flags.ts";
import { type Expectations, readExpectations } from "./expectations.ts";
import { showProgress } from "./progress.ts";
import type { Terminal } from "./terminal.ts";
import { sentenceOf, UsageError } from "./usage-error.ts";
import { version } from "./version.ts";

/** What stood on the command line of `firmshake audit`. */
export interface AuditCommandFlags extends AuditFlags {
  readonly expect?: string;
  readonly baseline?: string;
  readonly failOn: Severity;
  readonly format?: FormatName;
  readonly output: readonly string[];
  readonly location?: string;
  readonly quiet?: boolean;
}

/**
 * Tests each of the targets, one after the other, and writes the reports.
 *
 * @returns the exit code.
 * @throws {@link UsageError} before anything is sent.
 */
export async function auditCommand(
  given: readonly string[],
  flags: AuditCommandFlags,
  terminal: Terminal,
): Promise<number> {
  const urls = given.map((text) => targetUrl(text, flags.query));
  const options = auditOptions(flags);
  const rules = {
    failOn: flags.failOn,
    expectations: flags.expect === undefined ? {} : readExpectations(flags.expect),
    acceptances: flags.baseline === undefined ? [] : readAcceptances(flags.baseline),
    now: new Date(),
  };
  const outputs = outputsOf(flags);
  if (flags.public === true)
    terminal.err(`${whatIsSent(flags)} Send that only to what is yours.\n`);

  const results: Result[] = [];
  const interrupt = interruption();
  for (const url of urls) {
    results.push(
      await auditOne(url, { ...options, signal: interrupt.signal }, rules.expectations, terminal),
    );
  }
  interrupt.dispose();

  const run = assess(results, rules, version());
  const formatOptions = { width: terminal.width, ...location(flags) };
  for (const { path, format } of outputs) {
    writeOut(path, write(format, run, { ...formatOptions, hasColors: false }));
  }
  if (flags.quiet === true) {
    for (const target of run.targets) {
      terminal.out(`${printable(target.target)}: ${verdictOf(target)}\n`);
    }
  } else {
    const format = outputs.length > 0 ? "pretty" : (flags.format ?? "pretty");
    terminal.out(write(format, run, { ...formatOptions, hasColors: terminal.hasColors }));
  }
  return exitCodes[run.outcome];
}

async function auditOne(
  url: string,
  options: AuditOptions,
  expectations: Expectations,
  terminal: Terminal,
): Promise<Result> {
  const target = placeOf(url);
  const progress = showProgress(target, terminal.isWatched);
  try {
    const report = await audit(url, { ...options, onProgress: progress.on });
    return { target, report, origins: await tryOrigins(url, options, expectations) };
  } catch (error) {
    if (isWrongOption(error)) throw new UsageError(inFlags(sentenceOf(error)));
    return { target, problem: problemOf(error, target), origins: [] };
  } finally {
    progress.end();
  }
}

/** One handshake for each origin, with all else as the user's own client does it. */
async function tryOrigins(
  url: string,
  options: AuditOptions,
  { origins: { accepted = [], refused = [] } = {} }: Expectations,
): Promise<readonly JudgedOrigin[]> {
  const expected = [
    ...accepted.map((origin) => ({ origin, expected: "accepted" as const })),
    ...refused.map((origin) => ({ origin, expected: "refused" as const })),
  ];
  const judged: JudgedOrigin[] = [];
  for (const one of expected) {
    const { baseline } = await audit(url, { ...options, origin: one.origin, only: [] });
    const { observation, outcome } = baseline.evidence;
    const isKnown = outcome !== undefined && outcome !== "unreachable" && outcome !== "silent";
    judged.push({
      ...one,
      isMet: isKnown ? baseline.isAccepted === (one.expected === "accepted") : undefined,
      observation,
    });
  }
  return judged;
}

function problemOf(error: unknown, target: string): string {
  const { code } = error as { readonly code?: unknown };
  if (code === "ERR_FIRMSHAKE_TARGET_PUBLIC") {
    return `${target} has a public address, so nothing was sent. ${whatIsSent({})} If it is yours, add --public.`;
  }
  return inFlags(sentenceOf(error));
}

/** What the engine says of an option would be the same of every target. */
const isWrongOption = (error: unknown): boolean =>
  /^ERR_FIRMSHAKE_OPTIONS?_/.test(String((error as { readonly code?: unknown }).code));

function whatIsSent({ maxHandshakes = 400, intrusive }: Partial<AuditFlags>): string {
  const risky = intrusive === true ? ", and malformed data that may end a weak server" : "";
  return `An audit sends the target up to ${maxHandshakes} handshakes from this machine, some with foreign origins and host names, forged tokens, forwarding headers and broken framing${risky}, besides the credentials that you give.`;
}

interface Output {
  readonly path: string;
  readonly format: FormatName;
}

function outputsOf({ output, format }: AuditCommandFlags): readonly Output[] {
  if (format !== undefined && output.length > 1) {
    throw new UsageError(
      "With several --output the ending of each says its format (.html, .sarif, .xml, .json, .txt). Leave --format out.",
    );
  }
  return output.map((path) => {
    const chosen = format ?? formatOfFile(path);
    if (chosen !== undefined) return { path, format: chosen };
    throw new UsageError(
      `--output: the ending of ${path} does not say which format it is to be. End it with .html, .sarif, .xml (JUnit), .json or .txt, or add --format.`,
    );
  });
}

function writeOut(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (error) {
    throw new UsageError(`--output: ${path} cannot be written: ${sentenceOf(error)}.`);
  }
}

/** The first Ctrl-C ends the run with what was found so far; the second ends the process. */
function interruption(): { readonly signal: AbortSignal; readonly dispose: () => void } {
  const controller = new AbortController();
  const stop = (): void => controller.abort();
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
  return {
    signal: controller.signal,
    dispose: () => {
      process.off("SIGINT", stop);
      process.off("SIGTERM", stop);
    },
  };
}

const location = ({ location }: AuditCommandFlags): { readonly location?: string } =>
  location === undefined ? {} : { location };
