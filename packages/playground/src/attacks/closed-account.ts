import { closedAccount as closed } from "../policy.ts";
import { type Attack, singleHandshake } from "./attack.ts";

export const closedAccount: Attack = singleHandshake({
  id: "closed-account",
  title: "Closed account",
  sentence: `${closed}'s account was closed a minute ago; the token still runs for nine.`,
  consequence: "A good signature would be enough, whatever has happened since.",
  place: "own-page",
  sent: "A valid token of a closed account",
  expected: "forbidden",
  sketch: async ({ issuer, page }) => ({
    target: "/chat",
    origin: page,
    protocols: ["bearer", await issuer.sign(closed), "chat.v1"],
  }),
});
