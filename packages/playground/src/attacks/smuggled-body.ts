import { textFrame } from "../handshake-client.ts";
import { type Attack, singleHandshake, victim } from "./attack.ts";

export const smuggledBody: Attack = singleHandshake({
  id: "smuggled-body",
  title: "Smuggled message",
  sentence: "A handshake with a body of WebSocket messages: they are there before the answer is.",
  consequence:
    "The body could be read as a chat message, past every proxy that looked at the request.",
  place: "program",
  sent: "Content-Length, and frames for a body",
  expected: "body_not_allowed",
  sketch: async ({ issuer, page, gated }) => {
    const { greeting, write } = gated.library.dialect;
    const said = write({ type: "say", text: "I was never asked who I am." });
    const body = Buffer.concat([...greeting, said].map(textFrame));
    return {
      target: "/chat",
      origin: page,
      lines: [
        ["Authorization", `Bearer ${await issuer.sign(victim)}`],
        ["Content-Length", String(body.length)],
      ],
      body,
    };
  },
});
