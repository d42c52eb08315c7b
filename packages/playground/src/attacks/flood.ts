import { type Answer, shakeHands } from "../handshake-client.ts";
import { handshakeLimit } from "../policy.ts";
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
    const isStopped = limited > 0 && letIn <= handshakeLimit + slack && letIn + limited === count;
    const others = count - letIn - limited;
    return {
      isStopped,
      text: [
        `${letIn} × 101`,
        ...(limited > 0 ? [`${limited} × 429 rate_limited`] : []),
        ...(others > 0 ? [`${others} × something else`] : []),
      ].join(", "),
      detail: isStopped
        ? `Up to the limit of ${handshakeLimit} in ten seconds, and no further.`
        : "Each was open and answered a ping.",
    };
  },
};

const isLetIn = ({ status, isAlive }: Answer): boolean => status === 101 && isAlive;
