import { type Attack, singleHandshake, victim } from "./attack.ts";

export const tokenInQuery: Attack = singleHandshake({
  id: "token-in-query",
  title: "Token in the URL",
  sentence:
    "A valid token in the query, where every proxy log and browser history keeps a copy of it.",
  consequence: "It would work, so clients would go on leaving tokens in logs.",
  place: "own-page",
  sent: "?access_token=… with a valid token",
  expected: "token_missing",
  sketch: async ({ issuer, page }) => ({
    target: `/chat?access_token=${await issuer.sign(victim)}`,
    origin: page,
  }),
});
