import { type Check, failed, inconclusive, passed } from "../../check.ts";
import type { Connection } from "../../probe/connection.ts";
import { isAccepted, isRefusal, type Outcome, observationOf } from "../../probe/outcome.ts";
import { openOwn, ownHandshake } from "../../run.ts";

export const openConnections: Check = {
  id: "WS-RATE-2",
  needsNoControl: true,
  run: async (run) => {
    const { rateConnections } = run.limits;
    const held: Connection[] = [];
    let refusal: Outcome | undefined;
    try {
      while (held.length < rateConnections && refusal === undefined) {
        const { outcome, connection } = await openOwn(run, { ...ownHandshake, isQuick: true });
        if (connection !== undefined && isAccepted(outcome)) held.push(connection);
        else refusal = outcome;
      }
      if (refusal !== undefined) {
        const evidence = [run.evidence(refusal)];
        return isRefusal(refusal)
          ? passed(`With ${held.length} connections open the next was refused.`, evidence)
          : inconclusive(
              `With ${held.length} connections open: ${observationOf(refusal)}.`,
              evidence,
            );
      }
      const [first] = held;
      const isFirstAlive = first !== undefined && (await first.ping(run.limits.answerMs));
      const evidence = [
        {
          probe: `${held.length} connections at the same time`,
          observation: isFirstAlive
            ? "all accepted, and the first still open"
            : "the first was closed",
        },
      ];
      return isFirstAlive
        ? failed(`${held.length} connections were held at the same time.`, evidence)
        : passed("Older connections were closed for newer ones.", evidence);
    } finally {
      await Promise.all(held.map((one) => one.close()));
    }
  },
};
