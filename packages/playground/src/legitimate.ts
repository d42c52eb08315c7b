import { newAttempt, openingOf } from "./attacks/attack.ts";
import { shakeHands } from "./handshake-client.ts";
import type { Lab, Target } from "./lab.ts";
import type { ClientVisit, Library } from "./libraries/library.ts";
import { chatProtocol, sessionCookie } from "./policy.ts";

/** A handshake that has every right to be accepted. */
export interface Legitimate {
  readonly id: string;
  readonly title: string;
  readonly sent: string;
  /** Whether it was accepted, and then still open and a ping answered. */
  readonly run: (
    lab: Lab,
    target: Target,
  ) => Promise<{ readonly isAccepted: boolean; readonly text: string }>;
}

/** Those that mean something to the library. */
export const legitimateFor = ({ polls }: Library): readonly Legitimate[] =>
  polls ? [...legitimateHandshakes, byPolling] : legitimateHandshakes;

export const legitimateHandshakes: readonly Legitimate[] = [
  {
    id: "page-token",
    title: "The page, with a token",
    sent: "The page's origin, token by subprotocol",
    run: ({ issuer, page }, target) =>
      byClient(target, async () => ({
        path: "/chat",
        protocols: ["bearer", await issuer.sign("Ada"), chatProtocol],
        headers: { Origin: page },
      })),
  },
  {
    id: "page-cookie",
    title: "The page, with its session",
    sent: "The page's origin, session cookie",
    run: ({ issuer, page }, target) =>
      byClient(target, async () => ({
        path: "/session",
        protocols: [chatProtocol],
        headers: { Origin: page, Cookie: `${sessionCookie}=${await issuer.sign("Ada")}` },
      })),
  },
  {
    id: "service-token",
    title: "A service",
    sent: "No origin, Authorization: Bearer",
    run: ({ issuer }, target) =>
      byClient(target, async () => ({
        path: "/chat",
        protocols: [chatProtocol],
        headers: { Authorization: `Bearer ${await issuer.sign("Clock")}` },
      })),
  },
  {
    id: "odd-spelling",
    title: "An unusual client",
    sent: "Header names in capitals, scheme in small letters",
    run: async ({ issuer, page }, target) => {
      const lines = [["AUTHORIZATION", `bearer ${await issuer.sign("Grace")}`]] as const;
      const sketch = { target: "/chat", origin: page, lines };
      const opening = openingOf(sketch, target, newAttempt("legitimate"));
      const capital = opening.lines.map(([name, value]) => [name.toUpperCase(), value] as const);
      const { status, code, isAlive } = await shakeHands(target, {
        ...opening,
        lines: capital,
      });
      return outcomeOf(status, isAlive, code);
    },
  },
];

const byPolling: Legitimate = {
  id: "polling",
  title: "A client without WebSockets",
  sent: "Polling alone, Authorization: Bearer",
  run: ({ issuer }, target) =>
    byClient(target, async () => ({
      path: "/chat",
      protocols: [],
      headers: { Authorization: `Bearer ${await issuer.sign("Hopper")}` },
      transport: "polling",
    })),
};

/** By the library's own client. */
async function byClient(
  { host, library }: Target,
  visitOf: () => Promise<ClientVisit>,
): ReturnType<Legitimate["run"]> {
  const { status, isAlive } = await library.visit(host, await visitOf());
  return outcomeOf(status, isAlive);
}

function outcomeOf(
  status: number,
  isAlive: boolean,
  code?: string,
): Awaited<ReturnType<Legitimate["run"]>> {
  const isAccepted = (status === 101 || status === 200) && isAlive;
  if (isAccepted) return { isAccepted, text: `${status}, open, ping answered` };
  return {
    isAccepted,
    text: status === 0 ? "no answer" : [status, code].filter(Boolean).join(" "),
  };
}
