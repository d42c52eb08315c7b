import { unsignedToken as unsigned } from "../issuer.ts";
import { type Attack, singleHandshake, victim } from "./attack.ts";

export const unsignedToken: Attack = singleHandshake({
  id: "unsigned-token",
  title: "Unsigned token",
  sentence: "A token whose header says alg: none, that is, “do not look for a signature”.",
  consequence: "A verifier that believes the token about itself would accept it.",
  place: "own-page",
  sent: "alg: none, and no signature",
  expected: "token_invalid",
  sketch: async ({ issuer, page }) => ({
    target: "/chat",
    origin: page,
    protocols: ["bearer", unsigned(issuer.url, victim), "chat.v1"],
  }),
});
