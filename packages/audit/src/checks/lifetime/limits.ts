import { type Check, failed, inconclusive, passed } from "../../check.ts";
import { openOwn } from "../../run.ts";
import { partsOf } from "../jwt/forged-token.ts";
import { needsTime, secondsOf, waitMsOf } from "./waiting.ts";

/** How long a server may take to notice that a token has expired: of what may be waited at least the first, at most the second. */
const leastGraceMs = 500;
const mostGraceMs = 5_000;

export const outlivesToken: Check = {
  id: "WS-LIFE-1",
  skipsBecause: (run) => {
    const leftMs = millisecondsLeft(run.credentials.token);
    if (leftMs === undefined) return "No JWT with an exp was given.";
    return (
      needsTime(run) ??
      (leftMs + leastGraceMs > waitMsOf(run)
        ? `The token lives for another ${secondsOf(leftMs)}, which is longer than may be waited.`
        : undefined)
    );
  },
  needsNoControl: true,
  run: async (run) => {
    const { connection, outcome } = await openOwn(run);
    if (connection === undefined) {
      return inconclusive("No connection could be opened with the token.", [run.evidence(outcome)]);
    }
    try {
      const leftMs = Math.max(0, millisecondsLeft(run.credentials.token) ?? 0);
      const graceMs = Math.min(mostGraceMs, waitMsOf(run) - leftMs);
      const forMs = leftMs + graceMs;
      run.notify({ type: "waiting", forMs, reason: "The token has to expire." });
      const isClosed =
        (await connection.isClosedWithin(forMs)) || !(await connection.ping(run.limits.answerMs));
      const { closeCode } = connection.heard();
      const evidence = [
        {
          probe: "A connection that was opened with a token about to expire",
          observation: isClosed
            ? "closed when the token had expired"
            : `still open ${secondsOf(graceMs)} after the expiry, and a ping was answered`,
          ...(closeCode !== undefined && { closeCode }),
        },
      ];
      return isClosed
        ? passed("The connection ended with its token.", evidence)
        : failed("The connection went on after its token had expired.", evidence);
    } finally {
      await connection.close();
    }
  },
};

function millisecondsLeft(token: string | undefined): number | undefined {
  const expiresAt = token === undefined ? undefined : partsOf(token)?.claims.exp;
  return typeof expiresAt === "number" ? expiresAt * 1_000 - Date.now() : undefined;
}

export const idle: Check = {
  id: "WS-LIFE-4",
  skipsBecause: needsTime,
  run: async (run) => {
    const waitMs = waitMsOf(run);
    const { connection, outcome } = await openOwn(run);
    if (connection === undefined) {
      return inconclusive("No connection could be opened.", [run.evidence(outcome)]);
    }
    try {
      run.notify({ type: "waiting", forMs: waitMs, reason: "A connection is left idle." });
      const began = performance.now();
      const isClosed = await connection.isClosedWithin(waitMs);
      const age = secondsOf(performance.now() - began);
      const evidence = [
        {
          probe: "A connection that says nothing",
          observation: isClosed ? `closed after ${age}` : `still open after ${age}`,
        },
      ];
      return isClosed
        ? passed("An idle connection was closed.", evidence)
        : failed(`An idle connection was kept for ${age}.`, evidence);
    } finally {
      await connection.close();
    }
  },
};
