import { type Attack, singleHandshake, victim } from "./attack.ts";

export const twoHosts: Attack = singleHandshake({
  id: "two-hosts",
  title: "Malformed handshake",
  sentence:
    "A handshake with two Host lines: Node shows its applications the first and hides the second.",
  consequence: "A proxy could route by one of them while the server checks the other.",
  place: "program",
  sent: "Two Host lines, with a valid token",
  expected: "handshake_malformed",
  sketch: async ({ issuer, page }) => ({
    target: "/chat",
    origin: page,
    lines: [
      ["Host", "internal.example"],
      ["Authorization", `Bearer ${await issuer.sign(victim)}`],
    ],
  }),
});
