import { readOptions } from "./audit-options.ts";
import { openBudget, RunOver } from "./budget.ts";
import { type Check, type Conclusion, failed, inconclusive, skipped } from "./check.ts";
import { type CheckId, checkIds } from "./check-id.ts";
import { describe } from "./check-list.ts";
import { allChecks } from "./checks/all.ts";
import { readCredentials } from "./credentials.ts";
import { createMask, type Mask } from "./mask.ts";
import type { AuditOptions } from "./options.ts";
import { dialectOf, withEngineIoQuery } from "./probe/dialect.ts";
import { headerOf } from "./probe/http-answer.ts";
import { isAccepted, isAnswered, type Outcome, observationOf } from "./probe/outcome.ts";
import {
  type AuditReport,
  type Baseline,
  type Finding,
  type Summary,
  severities,
  type Verdict,
  verdicts,
} from "./report.ts";
import { createRun, ownHandshake, type Run } from "./run.ts";
import { readTarget, resolveTarget, type Target, type TargetAddress } from "./target.ts";

/**
 * Tests an endpoint and reports what is weak, how that was seen, and how to mend it. Only the target is connected to, and whatever it
 * does the run ends within its limits.
 *
 * The user's own handshake comes first: where it is refused nothing can be concluded, and nothing passes.
 *
 * @param target - A `ws` or `wss` URL of yours.
 * @throws {@link ConfigError} `ERR_FIRMSHAKE_TARGET_INVALID`, `ERR_FIRMSHAKE_TARGET_PUBLIC`, or one of the codes for wrong options.
 * @see {@link https://owasp.org/www-project-application-security-verification-standard/ | OWASP ASVS 5.0}, section 4.4
 *
 * @example
 * ```ts
 * import { audit } from "@firmshake/audit";
 * import { WebSocketServer } from "ws";
 *
 * const server = new WebSocketServer({ port: 8081, host: "127.0.0.1" });
 * server.once("listening", async () => {
 *   const { port } = server.address() as { port: number };
 *   const { findings } = await audit(`ws://127.0.0.1:${port}/`, { only: ["WS-ORIGIN-1"] });
 *   for (const { id, verdict, reason } of findings) console.log(id, verdict, reason);
 *   server.close();
 * });
 * ```
 */
export async function audit(target: string, options: AuditOptions = {}): Promise<AuditReport> {
  const { limits, ...given } = readOptions(options);
  const startedAt = new Date();
  const began = performance.now();
  const read = withEngineIoQuery(readTarget(target));
  const addresses = await resolveTarget(read, given.allowPublic ?? false);
  const credentials = readCredentials(read, given);
  const mask = createMask([
    ...credentials.secrets,
    ...(given.expiredToken === undefined ? [] : [given.expiredToken]),
    ...Object.values(given.wrongTokens ?? {}),
  ]);
  const { waitMs = 0, onProgress = () => undefined } = given;
  const budget = openBudget({
    ...limits,
    // Each of the lifetime checks may wait that long.
    maxDurationMs: Math.min(limits.maxDurationMs + 4 * waitMs, 2 ** 31 - 1),
    signal: given.signal,
  });
  const checks = chosen(given);

  const runAt = (address: TargetAddress): Run =>
    createRun({
      target: read,
      address,
      route: {
        address: address.address,
        port: read.port,
        isTls: read.isTls,
        hostname: read.hostname,
      },
      own: { host: read.host, origin: given.origin ?? ownOrigin(read) },
      options: given,
      limits,
      credentials,
      dialect: dialectOf(read, given.protocols ?? []),
      budget,
      mask,
      notify: onProgress,
    });

  try {
    const { run, outcome } = await reach(addresses, runAt);
    const baseline = baselineOf(run, outcome);
    onProgress({ type: "baseline", baseline });
    const { findings, endedBy, cutShort } = await runChecks(run, checks, baseline);
    return {
      target: shownTarget(read, mask, credentials.secretParameters),
      startedAt: startedAt.toISOString(),
      durationMs: Math.round(performance.now() - began),
      baseline,
      findings,
      summary: {
        ...summaryOf(findings),
        ...budget.spent(),
        endedBy,
        ...(cutShort && { cutShort }),
      },
    };
  } finally {
    budget.endWith("aborted");
    budget.dispose();
  }
}

/** The first address that answers is kept; a name such as localhost has several. */
async function reach(
  addresses: readonly [TargetAddress, ...TargetAddress[]],
  runAt: (address: TargetAddress) => Run,
): Promise<{ readonly run: Run; readonly outcome: Outcome | undefined }> {
  const [first, ...others] = addresses;
  let run = runAt(first);
  let outcome = await baselineAt(run);
  for (const address of others) {
    if (outcome?.kind !== "unreachable") break;
    run = runAt(address);
    outcome = await baselineAt(run);
  }
  return { run, outcome };
}

const baselineAt = (run: Run): Promise<Outcome | undefined> =>
  run.shake(ownHandshake).catch((error: unknown) => {
    if (error instanceof RunOver) return undefined;
    throw error;
  });

function baselineOf(run: Run, outcome: Outcome | undefined): Baseline {
  const address = { address: run.address.address, addressClass: run.address.class };
  if (outcome === undefined) {
    return {
      isAccepted: false,
      reason: "The run was over before the user's own handshake had been answered.",
      evidence: { probe: ownHandshake.probe, observation: "no answer" },
      stack: { dialect: run.dialect.name, headers: [] },
      ...address,
    };
  }
  const protocol = headerOf(outcome.head, "sec-websocket-protocol");
  const headers = ["server", "x-powered-by", "via"].flatMap((name) => {
    const value = headerOf(outcome.head, name);
    return value === undefined ? [] : [run.mask.line(name, value)];
  });
  return {
    isAccepted: isAccepted(outcome),
    reason: isAccepted(outcome)
      ? "The user's own handshake was accepted, and a ping was answered."
      : `The user's own handshake was not accepted, so that nothing can be concluded from others: ${run.mask.text(observationOf(outcome))}.`,
    evidence: run.evidence(outcome),
    stack: {
      dialect: run.dialect.name,
      ...(protocol !== undefined && { protocol: run.mask.text(protocol) }),
      headers,
    },
    ...address,
  };
}

interface Progress {
  readonly findings: readonly Finding[];
  readonly endedBy: readonly CheckId[];
  readonly cutShort?: Summary["cutShort"];
}

async function runChecks(
  run: Run,
  checks: readonly Check[],
  baseline: Baseline,
): Promise<Progress> {
  const found = new Map<CheckId, Finding>();
  const endedBy: CheckId[] = [];
  let cutShort: Summary["cutShort"];
  for (const [index, check] of checks.entries()) {
    const { id } = check;
    run.notify({ type: "check-started", id, index, total: checks.length });
    let conclusion: Conclusion;
    if (cutShort === undefined) {
      try {
        conclusion = await conclude(run, check, baseline);
        if (conclusion.hasEndedServer) {
          endedBy.push(id);
          if (!(await run.isUp())) {
            cutShort = "server-gone";
            run.budget.endWith(cutShort);
          }
        }
      } catch (error) {
        // Also a mistake of this check must not cost what the others found.
        if (error instanceof RunOver) cutShort = error.why;
        const reason =
          cutShort === undefined ? `The check itself failed: ${error}` : endings[cutShort];
        conclusion = inconclusive(run.mask.text(reason));
      }
    } else {
      conclusion = inconclusive(endings[cutShort]);
    }
    const finding = findingOf(id, conclusion);
    found.set(id, finding);
    run.notify({ type: "check-finished", finding });
  }
  const findings = checkIds.flatMap((id) => found.get(id) ?? []);
  return { findings, endedBy, ...(cutShort && { cutShort }) };
}

const endings: Readonly<Record<NonNullable<Summary["cutShort"]>, string>> = {
  aborted: "The run was aborted before this was concluded.",
  handshakes: "All handshakes that the run may make were made before this was concluded.",
  bytes: "The server had sent more bytes than the run may take before this was concluded.",
  time: "The time of the run was over before this was concluded.",
  "server-gone": "The server no longer answered, so that this was not concluded.",
};

async function conclude(run: Run, check: Check, baseline: Baseline): Promise<Conclusion> {
  run.budget.expectOngoing();
  const { isRisky } = describe(check.id);
  if (isRisky && !run.options.intrusive) {
    return skipped("It may end a weak server: it is run with the option intrusive alone.");
  }
  const reason = check.skipsBecause?.(run);
  if (reason !== undefined) return skipped(reason);
  const isReached = baseline.evidence.outcome !== "unreachable";
  if (!baseline.isAccepted && !(isReached && check.needsNoBaseline)) {
    return check.looksElsewhere?.(run)
      ? failedAlone(await check.run(run), baseline)
      : inconclusive(baseline.reason);
  }
  const conclusion = await withLiveness(run, await check.run(run));
  if (conclusion.hasEndedServer || check.needsNoControl || !baseline.isAccepted) return conclusion;
  if (conclusion.verdict !== "pass") return conclusion;
  // Everybody may be refused by now, the user's own client too: then the refusals prove nothing.
  const control = await run.control();
  if (isAccepted(control)) return conclusion;
  return {
    ...inconclusive(
      `Everything was refused, but so was the user's own handshake afterwards: ${run.mask.text(observationOf(control))}.`,
      [run.evidence(control), ...conclusion.evidence],
    ),
    hasEndedServer: !isAnswered(control) && !(await run.isUp()),
  };
}

/** What was seen elsewhere is a weakness also where the user's own handshake came to nothing; the absence of one proves nothing then. */
const failedAlone = (conclusion: Conclusion, { reason }: Baseline): Conclusion =>
  conclusion.verdict === "fail" ? conclusion : inconclusive(reason, conclusion.evidence);

/** Nothing is sent to a server that is gone, whatever has ended it. */
async function withLiveness(run: Run, conclusion: Conclusion): Promise<Conclusion> {
  const last = run.history.at(-1);
  if (conclusion.hasEndedServer || last === undefined) return conclusion;
  if (last.outcome.kind !== "unreachable" || last.sketch.route !== undefined) return conclusion;
  if (await run.isUp()) return conclusion;
  const evidence = [run.evidence(last.outcome), ...conclusion.evidence];
  return {
    ...failed("The server no longer answers since this was tried.", evidence, "high"),
    hasEndedServer: true,
  };
}

function findingOf(id: CheckId, conclusion: Conclusion): Finding {
  const { title, severity, remedy, references } = describe(id);
  const { verdict, reason, evidence } = conclusion;
  return {
    id,
    title,
    severity: conclusion.severity ?? severity,
    verdict,
    reason,
    evidence,
    remedy,
    references,
  };
}

function chosen({ only, except = [] }: AuditOptions): readonly Check[] {
  return allChecks.filter(({ id }) => (only ?? checkIds).includes(id) && !except.includes(id));
}

function summaryOf(
  findings: readonly Finding[],
): Pick<Summary, "byVerdict" | "bySeverity" | "worst"> {
  const failures = findings.filter(({ verdict }) => verdict === "fail");
  const worst = severities.findLast((one) => failures.some(({ severity }) => severity === one));
  const count = <Word extends string>(
    words: readonly Word[],
    list: readonly Finding[],
    isWord: (finding: Finding, word: Word) => boolean,
  ): Record<Word, number> =>
    Object.fromEntries(
      words.map((word) => [word, list.filter((one) => isWord(one, word)).length]),
    ) as Record<Word, number>;
  return {
    byVerdict: count<Verdict>(verdicts, findings, (one, word) => one.verdict === word),
    bySeverity: count(severities, failures, (one, word) => one.severity === word),
    ...(worst !== undefined && { worst }),
  };
}

const ownOrigin = ({ isTls, host }: Target): string => `${isTls ? "https" : "http"}://${host}`;

function shownTarget({ url }: Target, mask: Mask, secretParameters: readonly string[]): string {
  const shown = new URL(url);
  for (const name of secretParameters) shown.searchParams.set(name, "masked");
  shown.hash = "";
  return mask.text(shown.href);
}
