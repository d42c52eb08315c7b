import { ConfigError, memoryRateLimitStore } from "@firmshake/core";
import type { Step } from "./case.ts";
import { type CsrfDesk, csrfDesk } from "./csrf-desk.ts";
import type { Outcome } from "./outcome.ts";
import { type LoadedPolicy, loadPolicy } from "./policy.ts";
import type { PolicyWords } from "./policy-words.ts";
import { type FullRequest, fullRequest, hostOf } from "./request.ts";
import { runInProcess } from "./run-in-process.ts";
import { isLive, liveVerbs, opens, runLiveSequence } from "./run-live-sequence.ts";
import { bytesOf, canBeSaid, openServer, type Serve } from "./run-over-socket.ts";
import type { Services } from "./services.ts";
import { type TicketDesk, ticketDesk } from "./ticket-desk.ts";
import { buildCredentials, type CredentialWords, type TokenBuilder } from "./tokens.ts";
import { WordError } from "./words.ts";

/** What a sequence came to. */
export interface SequenceOutcome {
  /** Why it cannot run yet. */
  readonly pending: readonly string[];
  readonly failures: readonly string[];
  readonly notes: readonly string[];
}

/** What steps are run with. */
export interface SequenceSurroundings {
  readonly builder: TokenBuilder;
  readonly services: Services;
  readonly serve: Serve | undefined;
}

const verbs = ["open", "open-at-once", "close", "issue-ticket", "issue-csrf", ...liveVerbs];

/** Runs the steps on a faked clock: in process and over sockets, or over sockets alone where they are about what comes after the handshake. */
export async function runSequence(
  policy: PolicyWords,
  steps: readonly Step[],
  surroundings: SequenceSurroundings,
): Promise<SequenceOutcome> {
  for (const step of steps) refuseUnknown(step);
  const pending = policy.later.map((word) => `policy.${word}`);
  if (pending.length > 0) return { pending, failures: [], notes: [] };
  if (isLive(policy, steps)) {
    const requests = new Map<Step, FullRequest>();
    for (const step of steps) {
      if (!opens(step)) continue;
      requests.set(step, await requestOf(step, policy, surroundings.builder));
    }
    return { pending: [], ...(await runLiveSequence(policy, steps, requests, surroundings)) };
  }
  const ways = ["in process", "over a socket"] as const;
  const runs: Omit<SequenceOutcome, "pending">[] = [];
  // In process all servers are the same.
  for (const way of surroundings.serve === undefined ? ways : ways.slice(1)) {
    runs.push(await runSteps(policy, steps, surroundings, way));
  }
  return {
    pending: [],
    failures: runs.flatMap(({ failures }) => failures),
    notes: [...new Set(runs.flatMap(({ notes }) => notes))],
  };
}

function refuseUnknown(step: Step): void {
  if (!verbs.includes(step.do)) throw new WordError(`steps: unknown verb "${step.do}"`);
  if (step.do === "open" && step.expect === undefined)
    throw new WordError("steps: open without expect");
  if (step.do === "open-at-once" && (step.times === undefined || step.allowed === undefined))
    throw new WordError("steps: open-at-once without times and allowed");
}

/** Where handshakes are shown to the guard: so many of them at once. */
interface Entrance {
  readonly enter: (request: FullRequest, times: number) => Promise<readonly Outcome[]>;
  readonly close: () => Promise<void>;
}

function inThisProcess(load: () => LoadedPolicy): Entrance {
  const loaded = loadOnce(load);
  return {
    enter: (request, times) =>
      Promise.all(Array.from({ length: times }, () => runInProcess(loaded, request))),
    close: async () => undefined,
  };
}

async function onServer(load: () => LoadedPolicy, serve: Serve | undefined): Promise<Entrance> {
  const { askAtOnce, close } = await openServer(load, serve);
  return {
    enter: (request, times) => askAtOnce({ peer: request, bytes: bytesOf(request) }, times),
    close,
  };
}

async function runSteps(
  policy: PolicyWords,
  steps: readonly Step[],
  { builder, services, serve }: SequenceSurroundings,
  way: "in process" | "over a socket",
): Promise<Omit<SequenceOutcome, "pending">> {
  let seconds = 0;
  const now = (): number => seconds * 1_000;
  const store = memoryRateLimitStore({ now });
  const desks = desksOf(policy, builder, now);
  const load = (): LoadedPolicy =>
    loadPolicy(policy, {
      builder,
      services,
      requestedHost: hostOf(fullRequest({})),
      tokenType: undefined,
      store,
      tickets: desks.ticket?.entry,
      more: desks.csrf === undefined ? [] : [desks.csrf.check],
    });
  const entrance = way === "in process" ? inThisProcess(load) : await onServer(load, serve);
  const requests = new Map<string, FullRequest>();
  const failures: string[] = [];
  const notes: string[] = [];
  try {
    for (const step of steps) {
      if (step.at < seconds) throw new WordError("steps: time goes back");
      seconds = step.at;
      if (step.do === "issue-ticket") await deskFor(step, desks.ticket).issue(withHeaders(step));
      if (step.do === "issue-csrf") await deskFor(step, desks.csrf).issue(step);
      if (step.do !== "open" && step.do !== "open-at-once") continue;
      const request =
        repeated(step, requests) ?? (await requestOf(placed(step, desks), policy, builder));
      if (step.as !== undefined) requests.set(step.as, request);
      // The rest would be another sequence.
      if (way === "over a socket" && !canBeSaid(request)) break;
      const outcomes = await entrance.enter(request, step.times ?? 1);
      notes.push(...outcomes.flatMap(({ note }) => note ?? []));
      const wrong = disagreement(step, outcomes);
      if (wrong !== undefined) {
        failures.push(`${way}: at ${step.at} s ${step.as ?? step.do}: ${wrong}`);
      }
    }
  } finally {
    await entrance.close();
  }
  return { failures, notes };
}

function disagreement(step: Step, outcomes: readonly Outcome[]): string | undefined {
  if (step.do === "open-at-once") {
    const allowed = outcomes.filter(({ answer }) => answer === "allow").length;
    return allowed === step.allowed
      ? undefined
      : `expected ${step.allowed} of ${outcomes.length} to pass, got ${allowed}`;
  }
  const [{ answer, code } = { answer: "none", code: undefined }] = outcomes;
  const got = `${answer}${code === undefined ? "" : ` (${code})`}`;
  if (answer !== step.expect) return `expected ${step.expect}, got ${got}`;
  return step.code === undefined || step.code === code
    ? undefined
    : `expected ${step.code}, got ${got}`;
}

/** The handshake of another step, perhaps from elsewhere. */
function repeated(
  { again, remoteAddress, certificate }: Step,
  requests: ReadonlyMap<string, FullRequest>,
): FullRequest | undefined {
  if (again === undefined) return undefined;
  const request = requests.get(again);
  if (request === undefined) throw new WordError(`steps: unknown step "${again}"`);
  const peer = fullRequest({ remoteAddress, certificate, tls: request.isTls, headers: [] });
  return {
    ...request,
    ...(remoteAddress === undefined ? {} : { remoteAddress: peer.remoteAddress }),
    ...(certificate === undefined ? {} : { certificate: peer.certificate }),
  };
}

interface Desks {
  readonly ticket: TicketDesk | undefined;
  readonly csrf: CsrfDesk | undefined;
}

const desksOf = (
  { ticket, csrf }: PolicyWords,
  builder: TokenBuilder,
  now: () => number,
): Desks => ({
  ticket: ticket && ticketDesk(ticket, builder, now),
  csrf: csrf && csrfDesk(csrf, now),
});

function deskFor<Desk>({ do: verb }: Step, desk: Desk | undefined): Desk {
  if (desk === undefined) throw new WordError(`steps: ${verb} without such a policy`);
  return desk;
}

/** The step with what was issued for it. */
function placed(step: Step, { ticket, csrf }: Desks): Step {
  const full = withHeaders(step);
  const ticketed = step.ticket === undefined ? full : deskFor(step, ticket).place(full);
  return csrf === undefined ? ticketed : csrf.place(ticketed);
}

const withHeaders = (step: Step): Step => ({ ...step, headers: step.headers ?? goodHeaders });

/** One guard serves the whole sequence, or the same error. */
function loadOnce(load: () => LoadedPolicy): () => LoadedPolicy {
  let loaded: LoadedPolicy | ConfigError | undefined;
  return () => {
    if (loaded === undefined) {
      try {
        loaded = load();
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        loaded = error;
      }
    }
    if (loaded instanceof ConfigError) throw loaded;
    return loaded;
  };
}

const goodHeaders = [
  ["Host", "app.example.com"],
  ["Origin", "https://app.example.com"],
] as const;

async function requestOf(
  { headers = goodHeaders, ...step }: Step,
  { jwt: key }: PolicyWords,
  builder: TokenBuilder,
): Promise<FullRequest> {
  const isNamed = typeof key === "string" && step.token === undefined;
  const credentials = isNamed ? { token: userToken(step, key), proof: undefined } : step;
  return fullRequest({ ...step, headers }, await buildCredentials(builder, credentials));
}

function userToken(
  { at, user, jwtExp }: Omit<Step, "headers">,
  key: string,
): CredentialWords["token"] {
  // The token's clock is the real one; the sequence's stands at `at` by now.
  const livesFor = jwtExp === undefined ? 300 : jwtExp - at;
  return {
    header: { alg: "HS256", typ: "JWT" },
    payload: {
      iss: "https://id.example.com",
      aud: "ws.example.com",
      sub: user ?? "u1",
      exp: `@now${livesFor < 0 ? "" : "+"}${livesFor}`,
    },
    sign: { key, alg: "HS256" },
  };
}
