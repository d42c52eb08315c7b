import { type Attack, singleHandshake, victim } from "./attack.ts";

export const expiredToken: Attack = singleHandshake({
  id: "expired-token",
  title: "Expired token",
  sentence: "A real token of yours that ended an hour ago, found in a log or on an old laptop.",
  consequence: "It would be good for ever.",
  place: "own-page",
  sent: "A real token, over for an hour",
  expected: "token_invalid",
  sketch: async ({ issuer, page }) => ({
    target: "/chat",
    origin: page,
    protocols: ["bearer", await issuer.signExpired(victim), "chat.v1"],
  }),
});
