import { type Check, failed, inconclusive, passed } from "../../check.ts";
import type { Connection } from "../../probe/connection.ts";
import {
  isAccepted,
  isRefusal,
  isThrottled,
  type Outcome,
  observationOf,
} from "../../probe/outcome.ts";
import { ownHandshake } from "../../run.ts";

export const openConnections: Check = {
  id: "WS-RATE-2",
  needsNoControl: true,
  run: async (run) => {
    const { rateConnections } = run.limits;
    const held: Connection[] = [];
    let refusal: Outcome | undefined;
    try {
      while (held.length < rateConnections && refusal === undefined) {
        const { outcome, connection, wire } = await run.open({ ...ownHandshake, isQuick: true });
        if (connection !== undefined && isAccepted(outcome)) held.push(connection);
        else {
          refusal = outcome;
          await (connection ?? wire)?.close();
        }
      }
      if (refusal !== undefined) {
        const evidence = [run.evidence(refusal)];
        if (isThrottled(refusal)) {
          return inconclusive(
            `With ${held.length} connections open the limit on handshakes was met. Whether those that are open are counted was not tried.`,
            evidence,
          );
        }
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
