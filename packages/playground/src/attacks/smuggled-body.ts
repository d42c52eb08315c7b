import { textFrame } from "../handshake-client.ts";
import { type Attack, singleHandshake, victim } from "./attack.ts";

const frame = textFrame(JSON.stringify({ type: "say", text: "I was never asked who I am." }));

export const smuggledBody: Attack = singleHandshake({
  id: "smuggled-body",
  title: "Smuggled message",
  sentence:
    "A handshake with a body, which is a WebSocket message: it is there before the answer is.",
  consequence:
    "The body would be read as a chat message, past every proxy that looked at the request.",
  place: "program",
  sent: "Content-Length, and a frame for a body",
  expected: "body_not_allowed",
  sketch: async ({ issuer, page }) => ({
    target: "/chat",
    origin: page,
    lines: [
      ["Authorization", `Bearer ${await issuer.sign(victim)}`],
      ["Content-Length", String(frame.length)],
    ],
    body: frame,
  }),
});
