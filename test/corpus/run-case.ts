import { isIP } from "node:net";
import { type RefusalCode, refusalKinds } from "@firmshake/core";
import type { Case, MessageWords, RawWords, RequestWords } from "./case.ts";
import { type Outcome, unseen } from "./outcome.ts";
import { type LoadedPolicy, loadPolicy } from "./policy.ts";
import type { Entry } from "./read-cases.ts";
import { fullRequest, hostOf } from "./request.ts";
import { runInProcess } from "./run-in-process.ts";
import { liveWords } from "./run-live-sequence.ts";
import {
  bytesOf,
  canBeSaid,
  rawBytes,
  runOverSocket,
  type Sent,
  type Serve,
} from "./run-over-socket.ts";
import { runSequence, type SequenceSurroundings } from "./run-sequence.ts";
import { startServices } from "./services.ts";
import { buildCredentials, type TokenBuilder, tokenTypeOf } from "./tokens.ts";
import { WordError } from "./words.ts";

/** What became of one case. */
export interface Result {
  readonly id: string;
  readonly file: string;
  readonly status: "passed" | "failed" | "pending";
  /** What was expected and what came instead, or what a pending case waits for. */
  readonly details: readonly string[];
  readonly notes: readonly string[];
  readonly reason: string;
}

/**
 * Runs a case in every way it can be run; it passes where each of them agrees. Never throws.
 *
 * @param serve - How a server is made; then the way over a socket is all that counts, where there is one. Default: both, by Node alone.
 */
export async function runCase(
  { id, file, found }: Entry,
  builder: TokenBuilder,
  serve?: Serve,
): Promise<Result> {
  if (found instanceof Error) {
    return { id, file, status: "failed", details: [found.message], notes: [], reason: "" };
  }
  const crashes = watchForCrashes();
  const { reason } = found;
  try {
    const { pending, failures, notes } = await runWithServices(found, builder, serve);
    const details = [...failures, ...(await crashes.seen())];
    if (details.length > 0) return { id, file, status: "failed", details, notes, reason };
    const status = pending.length > 0 ? "pending" : "passed";
    return { id, file, status, details: pending, notes, reason };
  } catch (error) {
    const details = [error instanceof Error ? `${error.name}: ${error.message}` : String(error)];
    return {
      id,
      file,
      status: "failed",
      details: [...details, ...(await crashes.seen())],
      notes: [],
      reason,
    };
  } finally {
    crashes.stop();
  }
}

interface Ran {
  readonly pending: readonly string[];
  readonly failures: readonly string[];
  readonly notes: readonly string[];
}

async function runWithServices(
  found: Case,
  builder: TokenBuilder,
  serve: Serve | undefined,
): Promise<Ran> {
  const services = await startServices(found.given.policy);
  try {
    const ran = await runWays(found, { builder, services, serve });
    return { ...ran, failures: [...ran.failures, ...services.complaints()] };
  } finally {
    await services.close();
  }
}

async function runWays(found: Case, surroundings: SequenceSurroundings): Promise<Ran> {
  const { policy, steps } = found.given;
  if (steps !== undefined) {
    if (found.expect !== "as-steps") throw new WordError("a case with steps expects as-steps");
    return runSequence(policy, steps, surroundings);
  }
  if (found.expect === "as-steps") throw new WordError("as-steps without steps");
  const ofSequences = ["ticket", "csrf", ...liveWords] as const;
  const [later] = [...policy.later, ...ofSequences.filter((word) => policy[word] !== undefined)];
  if (later !== undefined) throw new WordError(`policy: "${later}" is for sequences`);

  const failures: string[] = [];
  const notes = new Set<string>();
  for (const { name, run } of await waysOf(found, surroundings)) {
    const outcome = await run();
    failures.push(...disagreements(found, outcome).map((what) => `${name}: ${what}`));
    if (outcome.note !== undefined) notes.add(outcome.note);
    if (outcome.code === "check_failed") notes.add("a check threw");
  }
  return { pending: [], failures, notes: [...notes] };
}

interface Way {
  readonly name: string;
  readonly run: () => Promise<Outcome>;
}

async function waysOf(
  { given }: Case,
  { serve, ...surroundings }: SequenceSurroundings,
): Promise<readonly Way[]> {
  const { policy, messages } = given;
  const words: Partial<RequestWords> = given.request ?? {};
  if (words.raw !== undefined) {
    const requestedHost = hostIn(words.raw);
    const load = (): LoadedPolicy =>
      loadPolicy(policy, { ...surroundings, requestedHost, tokenType: undefined });
    // What only a parser can answer is asked over a socket alone.
    return [overSocket({ load, peer: fullRequest(words), bytes: rawBytes(words.raw) }, serve)];
  }
  const isLifeLimited =
    typeof policy.jwt === "object" && policy.jwt.maxLifetimeSeconds !== undefined;
  const credentials = await buildCredentials(surroundings.builder, given, isLifeLimited);
  const { token } = credentials;
  const tokenType = token === undefined ? undefined : tokenTypeOf(token);
  if (policy.firstMessage !== undefined) {
    const request = fullRequest(words);
    const load = (): LoadedPolicy =>
      loadPolicy(policy, { ...surroundings, requestedHost: hostOf(request), tokenType });
    const sent = { load, peer: request, bytes: bytesOf(request) };
    return [overSocket({ ...sent, messages: messages?.map(withToken(token ?? "")) }, serve)];
  }
  if (messages !== undefined) throw new WordError("messages without policy.firstMessage");
  const request = fullRequest(words, credentials);
  const load = (): LoadedPolicy =>
    loadPolicy(policy, { ...surroundings, requestedHost: hostOf(request), tokenType });
  const inProcess = { name: "in process", run: () => runInProcess(load, request) };
  if (!canBeSaid(request)) return [inProcess];
  const onSocket = overSocket({ load, peer: request, bytes: bytesOf(request) }, serve);
  // In process all servers are the same.
  return serve === undefined ? [inProcess, onSocket] : [onSocket];
}

const hostIn = ({ lines }: RawWords): string | undefined =>
  lines.map((line) => /^host:[ \t]*(.*?)[ \t]*$/i.exec(line)).find(Boolean)?.[1];

/** `{token}` in messages stands for it, `{token-start}` and `{token-end}` for its halves. */
const withToken =
  (token: string) =>
  (message: MessageWords): MessageWords => {
    const half = Math.floor(token.length / 2);
    const place = (text: string): string =>
      text
        .replaceAll("{token}", token)
        .replaceAll("{token-start}", token.slice(0, half))
        .replaceAll("{token-end}", token.slice(half));
    if (typeof message === "string") return place(message);
    const { binary, ping, fragments } = message;
    return { binary: binary && place(binary), ping, fragments: fragments?.map(place) };
  };

const overSocket = (sent: Sent, serve: Serve | undefined): Way => ({
  name: "over a socket",
  run: () => runOverSocket(sent, serve),
});

function disagreements({ expect, clientIp, code }: Case, outcome: Outcome): readonly string[] {
  const got = `${outcome.answer}${outcome.code === undefined ? "" : ` (${outcome.code})`}`;
  const wrong: string[] = [];
  if (outcome.answer !== expect) wrong.push(`expected ${expect}, got ${got}`);
  else if (code !== undefined && !isSameCode(outcome.code, code)) {
    wrong.push(`expected ${code}, got ${got}`);
  }
  if (clientIp !== undefined && !isSameAddress(outcome.clientIp, clientIp)) {
    wrong.push(
      `expected the client to be ${clientIp ?? "unknown"}, got ${String(outcome.clientIp)}`,
    );
  }
  return wrong;
}

/** Newer versions of Node refuse some requests themselves, before any upgrade: then the status has to be the same. */
function isSameCode(got: string | undefined, expected: string): boolean {
  if (got === expected) return true;
  const kind = Object.hasOwn(refusalKinds, expected)
    ? refusalKinds[expected as RefusalCode]
    : undefined;
  return kind !== undefined && got === `http_${kind.status}`;
}

function isSameAddress(seen: Outcome["clientIp"], expected: string | null): boolean {
  // No check ran, so none saw a wrong address: a policy that was not loaded denies by itself.
  if (seen === unseen) return true;
  if (expected === null || seen === undefined) return expected === null && seen === undefined;
  return seen === canonical(expected);
}

/** Another spelling of an IPv6 address names the same client. */
function canonical(address: string): string {
  return isIP(address) === 6 ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address;
}

/** An exception that reaches the process is a failure, whatever was expected. */
function watchForCrashes(): { seen: () => Promise<readonly string[]>; stop: () => void } {
  const crashes: string[] = [];
  const note = (error: unknown): void => {
    crashes.push(
      `an exception reached the process: ${error instanceof Error ? error.message : String(error)}`,
    );
  };
  process.on("uncaughtException", note).on("unhandledRejection", note);
  return {
    seen: async () => {
      await new Promise((resolve) => setImmediate(resolve));
      return crashes;
    },
    stop: () => process.off("uncaughtException", note).off("unhandledRejection", note),
  };
}
