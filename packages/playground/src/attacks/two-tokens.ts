import { type Attack, singleHandshake, victim } from "./attack.ts";

export const twoTokens: Attack = singleHandshake({
  id: "two-tokens",
  title: "Two tokens",
  sentence:
    "Two valid tokens of two people in one handshake, in two of the spellings that are in use.",
  consequence: "One layer would check the one token, and another layer act on the other.",
  place: "own-page",
  sent: "Two tokens, in two spellings",
  expected: "token_ambiguous",
  sketch: async ({ issuer, page }) => ({
    target: "/chat",
    origin: page,
    protocols: [
      "bearer",
      await issuer.sign("Grace"),
      `v1.token.websocket.jupyter.org.${await issuer.sign(victim)}`,
      "chat.v1",
    ],
  }),
});
