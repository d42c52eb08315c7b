import { sessionCookie } from "../policy.ts";
import { type Attack, singleHandshake, victim } from "./attack.ts";

export const rebinding: Attack = singleHandshake({
  id: "rebinding",
  title: "DNS rebinding",
  sentence:
    "A foreign name first leads to a foreign page and then, by a second DNS answer, to this machine: to the browser it is all one origin.",
  consequence: "Origin and Host agree, so a check for “same origin” would be content.",
  place: "program",
  sent: "Host and Origin: rebound.example",
  expected: "host_denied",
  sketch: async ({ issuer, gated }) => ({
    target: "/session",
    origin: `http://rebound.example:${gated.port}`,
    host: `rebound.example:${gated.port}`,
    lines: [["Cookie", `${sessionCookie}=${await issuer.sign(victim)}`]],
  }),
});
