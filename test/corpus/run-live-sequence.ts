import { once } from "node:events";
import type { Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import {
  type AnyCheck,
  allow,
  allowWith,
  type Check,
  type DecisionEvent,
  type Gate,
  type LimitsOptions,
  lifetime,
  limits,
  maxConnections,
  memoryRateLimitStore,
} from "@firmshake/node";
import { WebSocketServer } from "ws";
import type { Step } from "./case.ts";
import { type FakeClock, fakeClock } from "./fake-clock.ts";
import { framesOf, saidIn, sketchedFrames } from "./frames.ts";
import { inTime, LateAnswer } from "./outcome.ts";
import { loadPolicy } from "./policy.ts";
import type { PolicyWords, TrafficWords } from "./policy-words.ts";
import { type FullRequest, fullRequest, hostOf } from "./request.ts";
import { bytesOf, disguise, type Peer, type Serve, serveBare } from "./run-over-socket.ts";
import type { Services } from "./services.ts";
import type { TokenBuilder } from "./tokens.ts";
import { WordError } from "./words.ts";

/** What a step may do once a handshake was accepted, or while it is decided on. */
export const liveVerbs: readonly string[] = [
  "begin",
  "finish",
  "send",
  "reset",
  "expect-closed",
  "expect-open",
  "logout",
];

/** What a policy may say of what comes after the handshake. */
export const liveWords: readonly (keyof PolicyWords)[] = [
  "closeOnExpiry",
  "maxConnectionSeconds",
  "connections",
  "maxMessageBytes",
  "maxFragments",
  "messages",
  "bytes",
  "messagesPerUser",
  "controlFrames",
];

/** Whether a sequence is about what comes after the handshake. */
export const isLive = (policy: PolicyWords, steps: readonly Step[]): boolean =>
  liveWords.some((word) => policy[word] !== undefined) ||
  steps.some((step) => liveVerbs.includes(step.do));

/** Whether a step makes a handshake. */
export const opens = (step: Step): boolean => step.do === "open" || step.do === "begin";

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
  for (const word of ["ticket", "csrf"] as const) {
    if (policy[word] !== undefined) throw new WordError(`policy.${word}: not with connections`);
  }
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
  readonly serve: Serve | undefined;
}

interface Live {
  readonly clock: FakeClock;
  readonly gate: Gate;
  readonly server: Server;
  readonly decisions: DecisionEvent[];
  /** Who is about to connect. */
  readonly peers: Peer[];
  readonly clients: Map<string, LiveClient>;
  readonly pause: Pause;
  /** What the application was given. */
  readonly heard: string[];
  readonly end: () => Promise<void>;
}

interface LiveClient {
  readonly socket: Socket;
  readonly received: () => Buffer;
}

/** Where handshakes that are begun wait, behind everything else. */
interface Pause {
  readonly check: Check;
  /** The next handshake is to wait, under this name. Resolves when it does. */
  readonly next: (name: string) => Promise<void>;
  readonly isWaiting: (name: string) => boolean;
  /** Lets it go on. */
  readonly release: (name: string) => void;
}

async function serve(
  policy: PolicyWords,
  { serve: serveWith = serveBare, ...surroundings }: LiveSurroundings,
): Promise<Live> {
  const clock = fakeClock();
  const startedAt = clock.monotonic();
  const passedMs = (): number => clock.monotonic() - startedAt;
  const pause = makePause();
  const loaded = loadPolicy(policy, {
    ...surroundings,
    requestedHost: hostOf(fullRequest({})),
    tokenType: undefined,
    store: memoryRateLimitStore({ now: passedMs }),
    more: [
      ...(policy.jwt === undefined ? [] : [onFakedTime(passedMs)]),
      ...guardsOfConnections(policy),
      pause.check,
    ],
  });
  const decisions: DecisionEvent[] = [];
  const peers: Peer[] = [];
  const clients = new Map<string, LiveClient>();
  const heard: string[] = [];
  let gate: Gate | undefined;
  const server = await serveWith(loaded, (event) => decisions.push(event), {
    clock,
    onGate: (made) => {
      gate = made;
    },
  });
  if (gate === undefined) throw new Error("no gate");
  server.on("connection", (socket) => disguise(socket, peers.shift() as Peer));
  const library = new WebSocketServer({ server });
  library.on("connection", (webSocket) => {
    webSocket.on("error", () => undefined);
    webSocket.on("message", (data) => {
      heard.push(String(data));
      webSocket.send(String(data));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const end = async (): Promise<void> => {
    for (const { socket } of clients.values()) socket.destroy();
    library.close();
    server.close();
    await once(server, "close");
  };
  return { clock, gate, server, decisions, peers, clients, pause, heard, end };
}

function makePause(): Pause {
  const waiting = new Map<string, () => void>();
  let begun: { readonly name: string; readonly resolve: () => void } | undefined;
  return {
    check: () => {
      if (begun === undefined) return allow;
      const { name, resolve } = begun;
      begun = undefined;
      resolve();
      return new Promise((go) => void waiting.set(name, () => go(allow)));
    },
    next: (name) =>
      new Promise((resolve) => {
        begun = { name, resolve };
      }),
    isWaiting: (name) => waiting.has(name),
    release: (name) => {
      const go = waiting.get(name);
      if (go === undefined) throw new WordError(`steps: "${name}" has not begun`);
      waiting.delete(name);
      go();
    },
  };
}

/** Tokens are verified by the time of day, and made so that they are good for as long as the step says. */
const onFakedTime =
  (passedMs: () => number): AnyCheck =>
  ({ identity }) => {
    if (identity?.expiresAt === undefined) return allow;
    return allowWith({ identity: { ...identity, expiresAt: identity.expiresAt + passedMs() } });
  };

/** A rule that the policy does not name is off. */
function guardsOfConnections(policy: PolicyWords): readonly AnyCheck[] {
  const { closeOnExpiry, maxConnectionSeconds = 0, connections } = policy;
  return [
    lifetime({
      maxAgeMs: maxConnectionSeconds * 1_000,
      maxAgeJitter: 0,
      pingIntervalMs: 0,
      ...(closeOnExpiry === true ? {} : { insecureIgnoreExpiry: true }),
    }),
    limits({
      maxMessageBytes: policy.maxMessageBytes ?? 0,
      maxFragments: policy.maxFragments ?? 0,
      messages: rateOf(policy.messages),
      bytes: rateOf(policy.bytes),
      // It needs to know who it is.
      ...(policy.messagesPerUser && { messagesPerIdentity: rateOf(policy.messagesPerUser) }),
      controlFrames: rateOf(policy.controlFrames),
    }),
    ...(connections === undefined
      ? []
      : [
          maxConnections({
            ...placesBy[connections.key ?? "ip"](connections.max),
            policy: connections.evicts === true ? "evict-oldest" : "reject-new",
          }),
        ]),
  ];
}

const placesBy = {
  ip: (perAddress: number) => ({ perAddress }),
  user: (perIdentity: number) => ({ perIdentity }),
  all: (total: number) => ({ total }),
};

const rateOf = (words: TrafficWords | undefined): NonNullable<LimitsOptions["messages"]> =>
  words === undefined ? 0 : { limit: words.limit, windowMs: words.perSeconds * 1_000 };

/** What went otherwise than the step says. */
async function take(
  live: Live,
  step: Step,
  request: FullRequest | undefined,
): Promise<string | undefined> {
  if (request !== undefined)
    return step.do === "begin" ? begin(live, step, request) : open(live, step, request);
  if (step.do === "logout") return logOut(live, step);
  const client = live.clients.get(step.as ?? "");
  if (client === undefined) throw new WordError(`steps: nobody is called "${step.as}"`);
  switch (step.do) {
    case "finish":
      live.pause.release(step.as ?? "");
      return answerTo(live, step, client);
    case "send":
      return send(client, step);
    case "close":
    case "reset":
      return leave(live, step, client);
    case "expect-open":
    case "expect-closed":
      return expectState(live, step, client);
    default:
      throw new WordError(`steps: ${step.do} is not for sequences with connections`);
  }
}

function logOut({ gate }: Live, { user, session, tokenId }: Step): undefined {
  if ([user, session, tokenId].every((name) => name === undefined)) {
    throw new WordError("steps: logout of nobody");
  }
  gate.connections.revoke({
    ...(user === undefined ? {} : { subject: user }),
    ...(session === undefined ? {} : { sessionId: session }),
    ...(tokenId === undefined ? {} : { tokenId }),
  });
}

function dial({ server, peers, clients }: Live, step: Step, request: FullRequest): LiveClient {
  peers.push(request);
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const chunks: Buffer[] = [];
  socket.on("error", () => undefined);
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  const client = { socket, received: () => Buffer.concat(chunks) };
  clients.set(step.as ?? "", client);
  socket.write(bytesOf(request), "utf8");
  return client;
}

function open(live: Live, step: Step, request: FullRequest): Promise<string | undefined> {
  return answerTo(live, step, dial(live, step, request));
}

async function begin(live: Live, step: Step, request: FullRequest): Promise<undefined> {
  await inTime(() => {
    const begun = live.pause.next(step.as ?? "");
    dial(live, step, request);
    return begun;
  });
}

async function answerTo(
  { decisions }: Live,
  step: Step,
  { socket, received }: LiveClient,
): Promise<string | undefined> {
  await inTime(() => until(() => headEnd(received()) !== undefined || socket.destroyed));
  const isAllowed = received().toString("latin1").startsWith("HTTP/1.1 101 ");
  const code = isAllowed ? undefined : decisions.at(-1)?.code;
  const answer = isAllowed ? "allow" : "deny";
  const got = `${answer}${code === undefined ? "" : ` (${code})`}`;
  if (answer !== step.expect) return `expected ${step.expect}, got ${got}`;
  return step.code === undefined || step.code === code
    ? undefined
    : `expected ${step.code}, got ${got}`;
}

async function send({ socket }: LiveClient, step: Step): Promise<undefined> {
  const { bytes, messages = [], frames = [], chunkBytes, isDeaf } = step;
  const sent = Buffer.concat([
    ...framesOf(bytes === undefined ? messages : ["x".repeat(bytes), ...messages]),
    ...sketchedFrames(frames),
  ]);
  if (sent.length === 0) throw new WordError("steps: send without anything");
  if (isDeaf === true) socket.pause();
  const size = chunkBytes ?? sent.length;
  for (let at = 0; at < sent.length && socket.writable; at += size) {
    socket.write(sent.subarray(at, at + size));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function leave(live: Live, step: Step, { socket }: LiveClient): Promise<undefined> {
  const { gate, decisions, pause } = live;
  const before = [gate.connections.size, decisions.length] as const;
  const isOpen = !pause.isWaiting(step.as ?? "");
  if (step.do === "reset") socket.resetAndDestroy();
  else socket.destroy();
  const isNoticed = (): boolean =>
    isOpen ? gate.connections.size < before[0] : decisions.length > before[1];
  await inTime(() => until(isNoticed));
}

async function expectState(
  { heard }: Live,
  step: Step,
  client: LiveClient,
): Promise<string | undefined> {
  client.socket.resume();
  const state = await stateOf(client);
  const got = typeof state === "string" ? state : `closed (${state.code} ${state.reason})`;
  const { codes, code, unheard } = step;
  if (step.do === "expect-open") {
    if (state !== "open") return `expected open, got ${got}`;
  } else {
    const isRight =
      state !== "open" &&
      (codes === undefined || (state !== "closed" && codes.includes(state.code))) &&
      (code === undefined || (state !== "closed" && state.reason.split(";")[0] === code));
    const by = [
      ...(codes === undefined ? [] : [codes.join(" or ")]),
      ...(code === undefined ? [] : [code]),
    ].join(" ");
    if (!isRight) return `expected closed${by === "" ? "" : ` by ${by}`}, got ${got}`;
  }
  if (step.heard !== undefined && !textsOf(client).includes(step.heard)) {
    return `expected "${step.heard}" to come back`;
  }
  return unheard === undefined || !heard.some((text) => text.includes(unheard))
    ? undefined
    : `"${unheard}" has reached the application`;
}

const echo = "still there?";

type State = "open" | "closed" | { readonly code: number; readonly reason: string };

/** By a message that comes back, or by the end of the connection. */
async function stateOf(client: LiveClient): Promise<State> {
  const { socket, received } = client;
  const echoes = (): number => textsOf(client).filter((text) => text === echo).length;
  const before = echoes();
  if (socket.writable) socket.write(Buffer.concat(framesOf([echo])));
  await inTime(() =>
    until(() => socket.readableEnded || socket.destroyed || echoes() > before),
  ).catch((error: unknown) => {
    if (!(error instanceof LateAnswer)) throw error;
  });
  if (echoes() > before) return "open";
  return saidIn(received().subarray(headEnd(received()))).close ?? "closed";
}

const textsOf = ({ received }: LiveClient): readonly string[] =>
  saidIn(received().subarray(headEnd(received()))).texts;

/** Behind the answer's head; undefined while it is not whole. */
function headEnd(received: Buffer): number | undefined {
  const at = received.indexOf("\r\n\r\n");
  return at === -1 ? undefined : at + 4;
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}
