import { once } from "node:events";
import { WebSocket } from "ws";
import { newAttempt, openingOf } from "./attacks/attack.ts";
import { shakeHands } from "./handshake-client.ts";
import type { Lab, Target } from "./lab.ts";
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

const patienceMs = 3_000;

export const legitimateHandshakes: readonly Legitimate[] = [
  {
    id: "page-token",
    title: "The page, with a token",
    sent: "The page's origin, token by subprotocol",
    run: ({ issuer, page }, target) =>
      bySocket(target, async () => ({
        path: "/chat",
        protocols: ["bearer", await issuer.sign("Ada"), chatProtocol],
        options: { origin: page },
      })),
  },
  {
    id: "page-cookie",
    title: "The page, with its session",
    sent: "The page's origin, session cookie",
    run: ({ issuer, page }, target) =>
      bySocket(target, async () => ({
        path: "/session",
        protocols: [chatProtocol],
        options: {
          origin: page,
          headers: { Cookie: `${sessionCookie}=${await issuer.sign("Ada")}` },
        },
      })),
  },
  {
    id: "service-token",
    title: "A service",
    sent: "No origin, Authorization: Bearer",
    run: ({ issuer }, target) =>
      bySocket(target, async () => ({
        path: "/chat",
        protocols: [chatProtocol],
        options: { headers: { Authorization: `Bearer ${await issuer.sign("Clock")}` } },
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
      const { status, code, isAlive } = await shakeHands(target.port, {
        ...opening,
        lines: capital,
      });
      return outcomeOf(status, isAlive, code);
    },
  },
];

interface Visit {
  readonly path: string;
  readonly protocols: readonly string[];
  readonly options: ConstructorParameters<typeof WebSocket>[2];
}

/** By the client of ws, which is somebody else's idea of a right handshake than the one that sends the attacks. */
async function bySocket(
  { host }: Target,
  visitOf: () => Promise<Visit>,
): ReturnType<Legitimate["run"]> {
  const { path, protocols, options } = await visitOf();
  const socket = new WebSocket(`ws://${host}${path}`, [...protocols], options);
  const signal = AbortSignal.timeout(patienceMs);
  let status = 0;
  socket.on("upgrade", ({ statusCode = 0 }) => {
    status = statusCode;
  });
  socket.on("unexpected-response", (request, { statusCode = 0 }) => {
    status = statusCode;
    request.destroy();
    socket.emit("error", new Error("refused"));
  });
  try {
    await once(socket, "open", { signal });
    socket.ping();
    await once(socket, "pong", { signal });
    return outcomeOf(status, true);
  } catch {
    return outcomeOf(status, false);
  } finally {
    socket.on("error", () => undefined);
    socket.terminate();
  }
}

function outcomeOf(
  status: number,
  isAlive: boolean,
  code?: string,
): Awaited<ReturnType<Legitimate["run"]>> {
  const isAccepted = status === 101 && isAlive;
  if (isAccepted) return { isAccepted, text: "101, open, ping answered" };
  return {
    isAccepted,
    text: status === 0 ? "no answer" : [status, code].filter(Boolean).join(" "),
  };
}
