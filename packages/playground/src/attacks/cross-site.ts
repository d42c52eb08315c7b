import { sessionCookie } from "../policy.ts";
import { type Attack, singleHandshake, victim } from "./attack.ts";

export const crossSite: Attack = singleHandshake({
  id: "cross-site",
  title: "Cross-site hijacking",
  sentence:
    "A page of another origin opens a WebSocket to the chat; the browser adds your session cookie, SameSite=Strict or not, because another port is the same site.",
  consequence: "The foreign page would be connected as you, and could read and write in your name.",
  place: "other-origin",
  sent: "Origin of another page, with the victim's cookie",
  expected: "origin_denied",
  sketch: async ({ issuer, panel }) => ({
    target: "/session",
    origin: panel,
    lines: [["Cookie", `${sessionCookie}=${await issuer.sign(victim)}`]],
  }),
});
