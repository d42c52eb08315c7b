import { type Answer, shakeHands } from "../handshake-client.ts";
import { connectionLimit, handshakeLimit } from "../policy.ts";
import { type Attack, openingOf } from "./attack.ts";

const count = 100;
/** What a bucket may win back while the flood runs. */
const slack = 10;

export const flood: Attack = {
  id: "flood",
  title: "Handshake flood",
  sentence: `${count} handshakes at once from one address, each with a valid token and another X-Forwarded-For.`,
  consequence: "Every one of them would be verified, accepted and kept.",
  place: "program",
  sent: `${count} valid handshakes at once`,
  expected: "rate_limited",
  run: async ({ issuer, page }, target, attempt) => {
    const token = await issuer.sign("Flood");
    const answers = await Promise.all(
      Array.from({ length: count }, (_, index) => {
        const lines = [
          ["X-Forwarded-For", `203.0.113.${index + 1}`],
          ["Authorization", `Bearer ${token}`],
        ] as const;
        const sketch = { target: "/chat", origin: page, lines };
        return shakeHands(target, openingOf(sketch, target, attempt));
      }),
    );
    const letIn = answers.filter(isLetIn).length;
    const limited = answers.filter(({ code }) => code === "rate_limited").length;
    const crowded = answers.filter(({ code }) => code === "connections_exceeded").length;
    const others = count - letIn - limited - crowded;
    const isStopped = limited > 0 && letIn + crowded <= handshakeLimit + slack && others === 0;
    return {
      isStopped,
      text: [
        `${letIn} × 101`,
        ...(limited > 0 ? [`${limited} × 429 rate_limited`] : []),
        ...(crowded > 0 ? [`${crowded} × 429 connections_exceeded`] : []),
        ...(others > 0 ? [`${others} × something else`] : []),
      ].join(", "),
      detail: isStopped
        ? `No more than ${handshakeLimit} in ten seconds, and ${connectionLimit} at a time.`
        : "Each was open and answered a ping.",
    };
  },
};

const isLetIn = ({ status, isAlive }: Answer): boolean => status === 101 && isAlive;
