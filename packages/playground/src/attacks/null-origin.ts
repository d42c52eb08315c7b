import { type Attack, singleHandshake, victim } from "./attack.ts";

export const nullOrigin: Attack = singleHandshake({
  id: "null-origin",
  title: "Null origin",
  sentence:
    "A sandboxed frame sends the word null for its origin, in the hope that null is taken for no origin at all.",
  consequence: "Any page can make such a frame, so it would be let in from everywhere.",
  place: "sandbox",
  sent: "Origin: null, with a valid token",
  expected: "origin_null",
  sketch: async ({ issuer }) => ({
    target: "/chat",
    origin: "null",
    protocols: ["bearer", await issuer.sign(victim), "chat.v1"],
  }),
});
