import { type Check, failed, passed } from "../../check.ts";
import { judgeOutcomes } from "../../judge.ts";
import { isAccepted } from "../../probe/outcome.ts";
import { needsTime, secondsOf, waitMsOf } from "../lifetime/waiting.ts";

export const unauthenticatedKept: Check = {
  id: "WS-AUTH-6",
  skipsBecause: (run) =>
    run.credentials.isInMessages
      ? needsTime(run)
      : "No first message was given that authenticates.",
  run: async (run) => {
    const waitMs = waitMsOf(run);
    const { outcome, connection, wire } = await run.open({
      probe: "A client that says nothing",
      credentials: "none",
      isBare: true,
    });
    try {
      if (connection === undefined || !isAccepted(outcome)) {
        return judgeOutcomes(run, [outcome], {
          fails: () => "",
          passes: "A client without its credentials was not let in at all.",
        });
      }
      run.notify({ type: "waiting", forMs: waitMs, reason: "A client says nothing." });
      const began = performance.now();
      const isClosed = await connection.isClosedWithin(waitMs);
      const evidence = [
        {
          probe: outcome.probe,
          observation: isClosed
            ? `closed after ${secondsOf(performance.now() - began)}`
            : `still open after ${secondsOf(waitMs)}`,
        },
      ];
      return isClosed
        ? passed("A client that did not authenticate was cut off.", evidence)
        : failed(`A client that did not authenticate was kept for ${secondsOf(waitMs)}.`, evidence);
    } finally {
      await (connection ?? wire)?.close();
    }
  },
};
