import { type Attack, singleHandshake, victim } from "./attack.ts";

export const forgedToken: Attack = singleHandshake({
  id: "forged-token",
  title: "Forged token",
  sentence:
    "A token with your name that says it was signed by the issuer's key, and was signed by another.",
  consequence: "Anybody could write themselves a token with any name.",
  place: "own-page",
  sent: "The issuer's key id, another key's signature",
  expected: "token_invalid",
  sketch: async ({ issuer, page }) => ({
    target: "/chat",
    origin: page,
    protocols: ["bearer", await issuer.forge(victim), "chat.v1"],
  }),
});
