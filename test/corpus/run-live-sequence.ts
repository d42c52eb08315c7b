import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import {
  type AnyCheck,
  allow,
  allowWith,
  attach,
  type DecisionEvent,
  type Gate,
  lifetime,
  maxConnections,
  memoryRateLimitStore,
} from "@firmshake/node";
import { WebSocketServer } from "ws";
import type { Step } from "./case.ts";
import { type FakeClock, fakeClock } from "./fake-clock.ts";
import { inTime, LateAnswer } from "./outcome.ts";
import { loadPolicy } from "./policy.ts";
import type { PolicyWords } from "./policy-words.ts";
import { type FullRequest, fullRequest, hostOf } from "./request.ts";
import { bytesOf, disguise, type Peer } from "./run-over-socket.ts";
import type { Services } from "./services.ts";
import type { TokenBuilder } from "./tokens.ts";
import { WordError } from "./words.ts";

/** What a step may do once a handshake was accepted. */
export const liveVerbs: readonly string[] = ["expect-closed", "expect-open", "logout"];

/** Whether a sequence is about what comes after the handshake. */
export const isLive = (
  { closeOnExpiry, maxConnectionSeconds, connections }: PolicyWords,
  steps: readonly Step[],
): boolean =>
  [closeOnExpiry, maxConnectionSeconds, connections].some((word) => word !== undefined) ||
  steps.some((step) => liveVerbs.includes(step.do));

/**
 * Runs the steps against a real server, with `ws` behind the gate. The clock by which connections are guarded is faked.
 *
 * @param requests - What each step that opens sends.
 */
export async function runLiveSequence(
  policy: PolicyWords,
  steps: readonly Step[],
  requests: ReadonlyMap<Step, FullRequest>,
  surroundings: LiveSurroundings,
): Promise<{ readonly failures: readonly string[]; readonly notes: readonly string[] }> {
  if (policy.ticket !== undefined) throw new WordError("policy.ticket: not with connections");
  const live = await serve(policy, surroundings);
  const failures: string[] = [];
  let seconds = 0;
  try {
    for (const step of steps) {
      if (step.at < seconds) throw new WordError("steps: time goes back");
      live.clock.advance((step.at - seconds) * 1_000);
      seconds = step.at;
      const wrong = await take(live, step, requests.get(step));
      if (wrong !== undefined) failures.push(`at ${step.at} s ${step.as ?? step.do}: ${wrong}`);
    }
  } finally {
    await live.end();
  }
  return { failures, notes: [] };
}

interface LiveSurroundings {
  readonly builder: TokenBuilder;
  readonly services: Services;
}

interface Live {
  readonly clock: FakeClock;
  readonly gate: Gate;
  readonly server: Server;
  readonly decisions: DecisionEvent[];
  /** Who is about to connect. */
  readonly peers: Peer[];
  readonly clients: Map<string, LiveClient>;
  readonly end: () => Promise<void>;
}

interface LiveClient {
  readonly socket: Socket;
  /** What has come, as Latin-1 text. */
  readonly received: () => string;
}

async function serve(policy: PolicyWords, surroundings: LiveSurroundings): Promise<Live> {
  const clock = fakeClock();
  const startedAt = clock.monotonic();
  const passedMs = (): number => clock.monotonic() - startedAt;
  const { guard, trustProxy } = loadPolicy(policy, {
    ...surroundings,
    requestedHost: hostOf(fullRequest({})),
    tokenType: undefined,
    store: memoryRateLimitStore({ now: passedMs }),
    more: [...(policy.jwt === undefined ? [] : [onFakedTime(passedMs)]), ...guardsOfTime(policy)],
  });
  const decisions: DecisionEvent[] = [];
  const peers: Peer[] = [];
  const clients = new Map<string, LiveClient>();
  const server = createServer();
  const gate = attach(server, guard, {
    clock,
    onDecision: (event) => decisions.push(event),
    ...(trustProxy === undefined ? {} : { trustProxy }),
  });
  server.on("connection", (socket) => disguise(socket, peers.shift() as Peer));
  const library = new WebSocketServer({ server });
  library.on("connection", (webSocket) => {
    webSocket.on("error", () => undefined);
    webSocket.on("message", (data) => webSocket.send(String(data)));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const end = async (): Promise<void> => {
    for (const { socket } of clients.values()) socket.destroy();
    library.close();
    server.close();
    await once(server, "close");
  };
  return { clock, gate, server, decisions, peers, clients, end };
}

/** Tokens are verified by the time of day, and made so that they are good for as long as the step says. */
const onFakedTime =
  (passedMs: () => number): AnyCheck =>
  ({ identity }) => {
    if (identity?.expiresAt === undefined) return allow;
    return allowWith({ identity: { ...identity, expiresAt: identity.expiresAt + passedMs() } });
  };

/** A rule that the policy does not name is off. */
function guardsOfTime({
  closeOnExpiry,
  maxConnectionSeconds = 0,
  connections,
}: PolicyWords): readonly AnyCheck[] {
  const places =
    connections?.key === "user"
      ? { perIdentity: connections.max }
      : { perAddress: connections?.max };
  return [
    lifetime({
      maxAgeMs: maxConnectionSeconds * 1_000,
      maxAgeJitter: 0,
      pingIntervalMs: 0,
      ...(closeOnExpiry === true ? {} : { insecureIgnoreExpiry: true }),
    }),
    ...(connections === undefined ? [] : [maxConnections(places as { perAddress: number })]),
  ];
}

/** What went otherwise than the step says. */
async function take(
  live: Live,
  step: Step,
  request: FullRequest | undefined,
): Promise<string | undefined> {
  if (request !== undefined) return open(live, step, request);
  if (step.do === "logout") {
    if (step.user === undefined) throw new WordError("steps: logout without user");
    live.gate.connections.revoke({ subject: step.user });
    return undefined;
  }
  const client = live.clients.get(step.as ?? "");
  if (client === undefined) throw new WordError(`steps: nobody is called "${step.as}"`);
  if (step.do === "close") {
    const before = live.gate.connections.size;
    client.socket.destroy();
    await inTime(() => until(() => live.gate.connections.size < before));
    return undefined;
  }
  const state = await stateOf(client);
  if (step.do === "expect-open")
    return state === "open" ? undefined : `expected open, got ${state}`;
  const { codes } = step;
  const expected = codes === undefined ? "closed" : `closed by ${codes.join(" or ")}`;
  const isRight =
    state !== "open" && (codes === undefined || codes.some((code) => state === `closed (${code})`));
  return isRight ? undefined : `expected ${expected}, got ${state}`;
}

async function open(
  { server, peers, clients, decisions }: Live,
  step: Step,
  request: FullRequest,
): Promise<string | undefined> {
  peers.push(request);
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  let received = "";
  socket.setEncoding("latin1");
  socket.on("error", () => undefined);
  socket.on("data", (chunk: string) => {
    received += chunk;
  });
  clients.set(step.as ?? "", { socket, received: () => received });
  socket.write(bytesOf(request), "utf8");
  await inTime(() => until(() => received.includes("\r\n\r\n") || socket.destroyed));
  const isAllowed = received.startsWith("HTTP/1.1 101 ");
  const code = decisions.at(-1)?.code;
  const answer = isAllowed ? "allow" : "deny";
  if (answer === step.expect) return undefined;
  return `expected ${step.expect}, got ${answer}${code === undefined ? "" : ` (${code})`}`;
}

const echo = "still there?";

/** By a message that comes back, or by the end of the connection. */
async function stateOf({ socket, received }: LiveClient): Promise<string> {
  const before = received().length;
  const length = Buffer.from([0x81, 0x80 | echo.length, 0, 0, 0, 0]);
  if (socket.writable) socket.write(Buffer.concat([length, Buffer.from(echo)]));
  await inTime(() =>
    until(() => socket.readableEnded || socket.destroyed || received().includes(echo, before)),
  ).catch((error: unknown) => {
    if (!(error instanceof LateAnswer)) throw error;
  });
  if (received().includes(echo, before)) return "open";
  const text = received();
  // A server's close frame, not masked (RFC 6455 §5.5.1).
  const at = text.lastIndexOf("\x88");
  const isClosed = at !== -1 && text.length >= at + 4;
  return isClosed
    ? `closed (${text.charCodeAt(at + 2) * 256 + text.charCodeAt(at + 3)})`
    : "closed";
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}
