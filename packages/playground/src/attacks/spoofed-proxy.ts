import { type Attack, singleHandshake, victim } from "./attack.ts";

export const spoofedProxy: Attack = singleHandshake({
  id: "spoofed-proxy",
  title: "Spoofed proxy header",
  sentence:
    "A program asks for /operations, which is for the office network, and writes an office address into X-Forwarded-For.",
  consequence: "Whoever believes the header would let every stranger name their own address.",
  place: "program",
  sent: "X-Forwarded-For: 10.20.0.7, with a valid token",
  expected: "address_denied",
  sketch: async ({ issuer }) => ({
    target: "/operations",
    origin: undefined,
    lines: [
      ["X-Forwarded-For", "10.20.0.7"],
      ["Authorization", `Bearer ${await issuer.sign(victim)}`],
    ],
  }),
});
