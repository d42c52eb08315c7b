import { ConfigError, memoryRateLimitStore, type Tickets, tickets } from "@firmshake/core";
import type { Step } from "./case.ts";
import type { Outcome } from "./outcome.ts";
import { type LoadedPolicy, loadPolicy } from "./policy.ts";
import type { PolicyWords, TicketWords } from "./policy-words.ts";
import { type FullRequest, fullRequest, hostOf } from "./request.ts";
import { runInProcess } from "./run-in-process.ts";
import { isLive, liveVerbs, opens, runLiveSequence } from "./run-live-sequence.ts";
import { bytesOf, canBeSaid, openServer, type Serve } from "./run-over-socket.ts";
import type { Services } from "./services.ts";
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

const verbs = ["open", "open-at-once", "close", "issue-ticket", ...liveVerbs];

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
  const store = memoryRateLimitStore({ now: () => seconds * 1_000 });
  const desk = policy.ticket && ticketDesk(policy.ticket, () => seconds * 1_000);
  const load = (): LoadedPolicy =>
    loadPolicy(policy, {
      builder,
      services,
      requestedHost: hostOf(fullRequest({})),
      tokenType: undefined,
      store,
      tickets: desk?.entry,
    });
  const entrance = way === "in process" ? inThisProcess(load) : await onServer(load, serve);
  const requests = new Map<string, FullRequest>();
  const failures: string[] = [];
  const notes: string[] = [];
  try {
    for (const step of steps) {
      if (step.at < seconds) throw new WordError("steps: time goes back");
      seconds = step.at;
      if (step.do === "issue-ticket") await issueTo(desk, step);
      if (step.do !== "open" && step.do !== "open-at-once") continue;
      const request =
        repeated(step, requests) ?? (await requestOf(withTicket(step, desk), policy, builder));
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

/** Tickets by the names that steps give them. */
interface TicketDesk {
  readonly entry: Tickets;
  readonly issued: Map<string, string>;
}

function ticketDesk(words: TicketWords, now: () => number): TicketDesk {
  const { ttlSeconds = 30, singleUse = true, bindAddress = false } = words;
  if (!singleUse) throw new WordError("policy.ticket.singleUse: there are no others");
  const entry = tickets({ lifetimeMs: ttlSeconds * 1_000, bindAddress, now });
  return { entry, issued: new Map() };
}

/** The page that asks is the one that the step's headers name; `jwtExp` is the end of the session behind it. */
async function issueTo(desk: TicketDesk | undefined, step: Step): Promise<void> {
  if (desk === undefined) throw new WordError("steps: issue-ticket without policy.ticket");
  const { target, headers, remoteAddress } = fullRequest({ ...step, headers: headersOf(step) });
  const [path = ""] = target.split("?");
  const { ticket } = await desk.entry.issue({
    subject: step.user ?? "u1",
    path,
    origin: headers.find(([name]) => name === "Origin")?.[1],
    address: remoteAddress,
    expiresAt: step.jwtExp === undefined ? undefined : step.jwtExp * 1_000,
  });
  desk.issued.set(step.as ?? "", ticket);
}

/** The step with its ticket in the query, unless it says {ticket} itself where it goes. */
function withTicket(step: Step, desk: TicketDesk | undefined): Step {
  if (step.ticket === undefined) return step;
  const ticket = desk?.issued.get(step.ticket);
  if (ticket === undefined) throw new WordError(`steps: unknown ticket "${step.ticket}"`);
  const { url = "/ws" } = step;
  const place = (text: string): string =>
    text
      .replaceAll("{ticket}", ticket)
      .replaceAll("{ticket-start}", ticket.slice(0, -1))
      .replaceAll("{ticket-upper}", ticket.toUpperCase())
      .replaceAll("{ticket-spare-bits}", withSpareBits(ticket))
      .replaceAll("{ticket-percent}", percentEncoded(ticket));
  const headers = headersOf(step).map(([name, value]) => [name, place(value)] as const);
  const isPlaced = [url, ...headersOf(step).flat()].some((text) => text.includes("{ticket"));
  const target = isPlaced ? place(url) : `${url}${url.includes("?") ? "&" : "?"}ticket=${ticket}`;
  return { ...step, url: target, headers };
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** Of the last letter of 43, two bits belong to no byte. */
const withSpareBits = (ticket: string): string =>
  ticket.slice(0, -1) + alphabet.charAt(alphabet.indexOf(ticket.slice(-1)) ^ 1);

const percentEncoded = (text: string): string =>
  [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");

const headersOf = ({ headers = goodHeaders }: Step): NonNullable<Step["headers"]> => headers;

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
