import { ConfigError, memoryRateLimitStore, type Tickets, tickets } from "@firmshake/core";
import type { PolicyWords, Step, TicketWords } from "./case.ts";
import { type LoadedPolicy, loadPolicy } from "./policy.ts";
import { type FullRequest, fullRequest, hostOf } from "./request.ts";
import { runInProcess } from "./run-in-process.ts";
import { isLive, liveVerbs, runLiveSequence } from "./run-live-sequence.ts";
import { buildToken, type TokenBuilder } from "./tokens.ts";
import { WordError } from "./words.ts";

/** What a sequence came to. */
export interface SequenceOutcome {
  /** Why it cannot run yet. */
  readonly pending: readonly string[];
  readonly failures: readonly string[];
  readonly notes: readonly string[];
}

const runnable = ["open", "close", "issue-ticket", ...liveVerbs];
const later = ["send"];

/** Runs the steps on a faked clock: in process, or over sockets where they are about what comes after the handshake. */
export async function runSequence(
  policy: PolicyWords,
  steps: readonly Step[],
  builder: TokenBuilder,
): Promise<SequenceOutcome> {
  for (const step of steps) refuseUnknown(step);
  const pending = [
    ...policy.later.map((word) => `policy.${word}`),
    ...steps.map((step) => step.do).filter((verb) => later.includes(verb)),
  ];
  if (pending.length > 0) return { pending: [...new Set(pending)], failures: [], notes: [] };

  if (isLive(policy, steps)) {
    const requests = new Map<Step, FullRequest>();
    for (const step of steps) {
      if (step.do === "open") requests.set(step, await requestOf(step, policy, builder));
    }
    return { pending: [], ...(await runLiveSequence(policy, steps, requests, builder)) };
  }

  let seconds = 0;
  const store = memoryRateLimitStore({ now: () => seconds * 1_000 });
  const desk = policy.ticket && ticketDesk(policy.ticket, () => seconds * 1_000);
  const load = loadOnce(() =>
    loadPolicy(policy, {
      builder,
      requestedHost: hostOf(fullRequest({})),
      tokenType: undefined,
      store,
      tickets: desk?.entry,
    }),
  );
  const failures: string[] = [];
  const notes: string[] = [];
  for (const step of steps) {
    if (step.at < seconds) throw new WordError("steps: time goes back");
    seconds = step.at;
    if (step.do === "issue-ticket") await issueTo(desk, step);
    if (step.do !== "open") continue;
    const asked = withTicket(step, desk);
    const outcome = await runInProcess(load, await requestOf(asked, policy, builder));
    if (outcome.note !== undefined) notes.push(outcome.note);
    if (outcome.answer === step.expect) continue;
    failures.push(
      `at ${step.at} s ${step.as ?? "open"}: expected ${step.expect}, got ${outcome.answer}${outcome.code === undefined ? "" : ` (${outcome.code})`}`,
    );
  }
  return { pending: [], failures, notes };
}

function refuseUnknown(step: Step): void {
  if (![...runnable, ...later].includes(step.do))
    throw new WordError(`steps: unknown verb "${step.do}"`);
  if (step.do === "open" && step.expect === undefined)
    throw new WordError("steps: open without expect");
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

/** The page that asks is the one that the step's headers name. */
async function issueTo(desk: TicketDesk | undefined, step: Step): Promise<void> {
  if (desk === undefined) throw new WordError("steps: issue-ticket without policy.ticket");
  const { target, headers, remoteAddress } = fullRequest({ ...step, headers: headersOf(step) });
  const [path = ""] = target.split("?");
  const { ticket } = await desk.entry.issue({
    subject: step.user ?? "u1",
    path,
    origin: headers.find(([name]) => name === "Origin")?.[1],
    address: remoteAddress,
  });
  desk.issued.set(step.as ?? "", ticket);
}

/** The step with its ticket in the query, unless it says {ticket} itself where it goes. */
function withTicket(step: Step, desk: TicketDesk | undefined): Step {
  if (step.ticket === undefined) return step;
  const ticket = desk?.issued.get(step.ticket);
  if (ticket === undefined) throw new WordError(`steps: unknown ticket "${step.ticket}"`);
  const { url = "/ws" } = step;
  const place = (text: string): string => text.replaceAll("{ticket}", ticket);
  const headers = headersOf(step).map(([name, value]) => [name, place(value)] as const);
  const isPlaced = [url, ...headersOf(step).flat()].some((text) => text.includes("{ticket}"));
  const target = isPlaced ? place(url) : `${url}${url.includes("?") ? "&" : "?"}ticket=${ticket}`;
  return { ...step, url: target, headers };
}

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
  if (key === undefined) return fullRequest({ ...step, headers });
  if (typeof key !== "string") throw new WordError("policy.jwt: sequences name a key");
  // The token's clock is the real one; the sequence's stands at `at` by now.
  const livesFor = step.jwtExp === undefined ? 300 : step.jwtExp - step.at;
  const token = {
    header: { alg: "HS256", typ: "JWT" },
    payload: {
      iss: "https://id.example.com",
      aud: "ws.example.com",
      sub: step.user ?? "u1",
      exp: `@now${livesFor < 0 ? "" : "+"}${livesFor}`,
    },
    sign: { key, alg: "HS256" },
  };
  return fullRequest({ ...step, headers }, await buildToken(builder, token));
}
