import { type Check, failed, inconclusive, passed } from "../../check.ts";
import type { Line } from "../../credentials.ts";
import { isAccepted, type Outcome, observationOf } from "../../probe/outcome.ts";
import { ownHandshake, type Run } from "../../run.ts";

/** What many quick handshakes came to. */
interface Flood {
  readonly accepted: number;
  readonly refusal: Outcome | undefined;
}

const quickly = (lines: readonly Line[] = [], probe = ownHandshake.probe) =>
  ({ probe, lines, isImpatient: true, isQuick: true }) as const;

const flood = (run: Run): Promise<Flood> =>
  run.once("flood", async () => {
    const { rateHandshakes } = run.limits;
    for (let count = 0; count < rateHandshakes; count++) {
      const outcome = await run.shake(quickly());
      if (!isAccepted(outcome)) return { accepted: count, refusal: outcome };
    }
    return { accepted: rateHandshakes, refusal: undefined };
  });

export const handshakeRate: Check = {
  id: "WS-RATE-1",
  needsNoControl: true,
  run: async (run) => {
    const { accepted, refusal } = await flood(run);
    if (refusal === undefined) {
      return failed(`${accepted} quick handshakes in a row were all accepted.`, [
        { probe: `${accepted} handshakes`, observation: "all accepted" },
      ]);
    }
    const evidence = [run.evidence(refusal)];
    if (refusal.kind === "unreachable" || refusal.kind === "mute-after-101") {
      return inconclusive(`After ${accepted} handshakes: ${observationOf(refusal)}.`, evidence);
    }
    return passed(`After ${accepted} quick handshakes the next was refused.`, evidence);
  },
};

const forwardingHeaders = [
  "X-Forwarded-For",
  "Forwarded",
  "X-Real-IP",
  "True-Client-IP",
  "CF-Connecting-IP",
  "X-Client-IP",
] as const;
const repeats = 3;
const maxWonBack = 10;

/** Each time another address of RFC 5737. */
function forwardedLine(name: (typeof forwardingHeaders)[number], count: number): Line {
  const address = `198.51.100.${1 + count}`;
  return [name, name === "Forwarded" ? `for=${address}` : address];
}

export const forwardedRate: Check = {
  id: "WS-PROXY-1",
  needsNoControl: true,
  run: async (run) => {
    const { refusal } = await flood(run);
    if (refusal === undefined) {
      return {
        verdict: "skipped",
        reason: "No limit was met that could be got around (WS-RATE-1).",
        evidence: [],
      };
    }
    let blocked = await run.shake(quickly());
    // What the bucket has won back meanwhile is used up again.
    for (let more = 0; more < maxWonBack && isAccepted(blocked); more++) {
      blocked = await run.shake(quickly());
    }
    if (isAccepted(blocked)) {
      return inconclusive(
        "The limit let the next handshake in again before it could be got around.",
      );
    }
    let count = 0;
    for (const name of forwardingHeaders) {
      const outcomes: Outcome[] = [];
      for (let repeat = 0; repeat < repeats; repeat++) {
        const line = forwardedLine(name, count++);
        const outcome = await run.shake(quickly([line], `${line[0]}: ${line[1]}`));
        outcomes.push(outcome);
        if (!isAccepted(outcome)) break;
      }
      if (outcomes.length < repeats || !outcomes.every(isAccepted)) continue;
      const still = await run.shake(quickly());
      if (isAccepted(still)) {
        return inconclusive("The limit ran out while forwarding headers were tried.");
      }
      const near =
        run.address.class === "public"
          ? ""
          : " If that is because the audit runs where a proxy of yours would, have the proxy overwrite the header, and run the audit through it.";
      return failed(
        `While the client was limited, a made-up ${name} let it in again, each time.${near}`,
        [run.evidence(blocked), ...outcomes.map(run.evidence), run.evidence(still)],
      );
    }
    return passed("The limit held, whatever the forwarding headers said.", [run.evidence(blocked)]);
  },
};
