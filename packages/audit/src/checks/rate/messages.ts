import { type Check, failed, inconclusive, passed } from "../../check.ts";
import { openOwn } from "../../run.ts";

export const messageRate: Check = {
  id: "WS-RATE-3",
  skipsBecause: ({ options }) =>
    options.message === undefined
      ? "No harmless message was given that may be sent many times."
      : undefined,
  run: async (run) => {
    const { rateMessages, answerMs } = run.limits;
    const { connection, outcome } = await openOwn(run);
    if (connection === undefined) {
      return inconclusive("No connection could be opened.", [run.evidence(outcome)]);
    }
    try {
      const before = connection.heard().messages.length;
      for (let count = 0; count < rateMessages; count++) {
        connection.sendText(run.options.message ?? "");
      }
      const isAnswered = await connection.ping(answerMs);
      const { closeCode, messages } = connection.heard();
      const complaint = messages
        .slice(before)
        .find((message) => /rate|limit|too many|slow down/i.test(message));
      const observation = isAnswered
        ? complaint === undefined
          ? "all taken, and a ping was answered"
          : "a message complained"
        : `closed ${closeCode === undefined ? "without a close frame" : `with close code ${closeCode}`}`;
      const evidence = [
        {
          probe: `${rateMessages} messages at once`,
          observation,
          ...(closeCode !== undefined && { closeCode }),
          ...(complaint !== undefined && { firstMessage: run.mask.text(complaint) }),
        },
      ];
      if (isAnswered && complaint === undefined) {
        return failed(`${rateMessages} messages were taken without a limit.`, evidence);
      }
      return isAnswered || connection.isOver()
        ? passed("The flood of messages was stopped.", evidence)
        : inconclusive("The connection neither ended nor answered.", evidence);
    } finally {
      await connection.close();
    }
  },
};
