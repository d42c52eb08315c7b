import { type Check, failed, inconclusive, passed } from "../../check.ts";
import { isAccepted, isThrottled, type Outcome } from "../../probe/outcome.ts";
import type { Sketch } from "../../probe/request.ts";
import type { Attempt } from "../../probe/shake-hands.ts";
import type { Run } from "../../run.ts";
import { evilOrigin, foreignPage, fromPage } from "../origin/foreign-page.ts";

/** A handshake that is refused by HTTP, and its connection; whoever asks closes it. */
async function refusal(run: Run): Promise<Attempt | undefined> {
  for (const sketch of [
    fromPage(evilOrigin),
    { probe: "Sec-WebSocket-Version: 99", webSocketVersion: "99" },
  ]) {
    const attempt = await run.open(sketch);
    if (attempt.outcome.kind === "refused-by-http" && !isThrottled(attempt.outcome)) return attempt;
    await (attempt.connection ?? attempt.wire)?.close();
  }
  return undefined;
}

export const usableAfterRefusal: Check = {
  id: "WS-HS-6",
  run: async (run) => {
    const attempt = await refusal(run);
    const { outcome, wire } = attempt ?? {};
    if (outcome === undefined || wire === undefined) {
      return inconclusive("No handshake was refused by an HTTP answer.");
    }
    try {
      const evidence = run.evidence(outcome);
      if (wire.isEnded()) return passed("The connection was closed with the refusal.", [evidence]);
      wire.send(`GET / HTTP/1.1\r\nHost: ${run.own.host}\r\n\r\n`);
      const second = await wire.wait(
        (kept) =>
          kept.length >= 12 ? kept.toString("latin1", 0, 64).split("\r\n", 1)[0] : undefined,
        Math.min(run.limits.answerMs, 1_500),
      );
      const isAnswered = second.startsWith("HTTP/1.");
      return isAnswered
        ? failed("After a refused upgrade the same connection answered another request.", [
            evidence,
            {
              probe: "GET / on the same connection",
              observation: `answered: ${run.mask.text(second)}`,
            },
          ])
        : passed("The connection was of no use after the refusal.", [evidence]);
    } finally {
      await wire.close();
    }
  },
};

/** Some servers end what nobody took only after a while; Socket.IO does so after one second. */
const patienceMs = 3_000;

async function isLeftFor(run: Run, sketch: Sketch, milliseconds: number): Promise<boolean> {
  const { outcome, connection, wire } = await run.open(sketch);
  try {
    if (wire === undefined || outcome.kind !== "silent") return false;
    const came = await wire.wait(
      (kept) => (kept.length > 0 ? true : undefined),
      milliseconds - outcome.answerMs,
    );
    return came === "timeout";
  } finally {
    await (connection ?? wire)?.close();
  }
}

export const leftHanging: Check = {
  id: "WS-HS-10",
  needsNoControl: true,
  run: async (run) => {
    await foreignPage(run);
    if (isAccepted(await foreignPage(run))) {
      await run.shake({ probe: "Sec-WebSocket-Version: 99", webSocketVersion: "99" });
    }
    const isHanging = ({ kind, isLeftOpen }: Outcome): boolean => kind === "silent" && isLeftOpen;
    const hanging = run.history.filter(({ outcome }) => isHanging(outcome));
    const outcomes = run.history.map(({ outcome }) => outcome);
    const [first] = hanging;
    if (first !== undefined && (await isLeftFor(run, first.sketch, patienceMs))) {
      return failed(
        `${hanging.length} refused handshake(s) got no answer and were left open, one for more than ${patienceMs / 1_000} s.`,
        hanging.slice(0, 4).map(({ outcome }) => run.evidence(outcome)),
      );
    }
    const refused = outcomes.filter(({ kind }) => kind !== "accepted" && kind !== "unreachable");
    return refused.length > 0
      ? passed(`Each of ${refused.length} refused handshakes was answered or closed.`)
      : inconclusive("No handshake was refused.");
  },
};
