import { ConfigError, memoryRateLimitStore } from "@firmshake/core";
import type { PolicyWords, Step } from "./case.ts";
import { type LoadedPolicy, loadPolicy } from "./policy.ts";
import { type FullRequest, fullRequest, hostOf } from "./request.ts";
import { runInProcess } from "./run-in-process.ts";
import { buildToken, type TokenBuilder } from "./tokens.ts";
import { WordError } from "./words.ts";

/** What a sequence came to. */
export interface SequenceOutcome {
  /** Why it cannot run yet. */
  readonly pending: readonly string[];
  readonly failures: readonly string[];
  readonly notes: readonly string[];
}

const runnable = ["open", "close"];
const later = ["issue-ticket", "expect-closed", "expect-open", "logout", "send"];

/** Runs the steps on a faked clock, in process; sequences about what comes after the handshake are pending. */
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

  let seconds = 0;
  const store = memoryRateLimitStore({ now: () => seconds * 1_000 });
  const load = loadOnce(() =>
    loadPolicy(policy, {
      builder,
      requestedHost: hostOf(fullRequest({})),
      tokenType: undefined,
      store,
    }),
  );
  const failures: string[] = [];
  const notes: string[] = [];
  for (const step of steps) {
    if (step.at < seconds) throw new WordError("steps: time goes back");
    seconds = step.at;
    if (step.do !== "open") continue;
    const outcome = await runInProcess(load, await requestOf(step, policy, builder));
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
