import { type Attack, singleHandshake } from "./attack.ts";

export const missingToken: Attack = singleHandshake({
  id: "missing-token",
  title: "Missing token",
  sentence: "Somebody who never signed in opens the right page and connects without a token.",
  consequence: "Middleware and hooks never see upgrades, so nobody would have asked for one.",
  place: "own-page",
  sent: "The right origin and no token",
  expected: "token_missing",
  sketch: async ({ page }) => ({ target: "/chat", origin: page }),
});
