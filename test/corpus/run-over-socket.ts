import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { ConfigError } from "@firmshake/core";
import { attach, type Clock, type DecisionEvent, type Gate } from "@firmshake/node";
import { WebSocketServer } from "ws";
import type { MessageWords, RawWords } from "./case.ts";
import { firstAnswerIn, framesOf } from "./frames.ts";
import { inTime, type Outcome, unseen } from "./outcome.ts";
import type { LoadedPolicy } from "./policy.ts";
import type { FullRequest } from "./request.ts";
import { refusedPolicy } from "./run-in-process.ts";

/** What a client is, where it is not the test itself. */
export type Peer = Pick<FullRequest, "remoteAddress" | "isTls" | "certificate" | "isVouchedFor">;

/** A case as it is sent to a server. */
export interface Sent {
  readonly load: () => LoadedPolicy;
  readonly peer: Peer;
  readonly bytes: string;
  /** What is sent once the handshake was answered. */
  readonly messages?: readonly MessageWords[] | undefined;
}

/** Makes a server, not yet listening, with a gate in front. */
export type Serve = (
  policy: LoadedPolicy,
  onDecision: (event: DecisionEvent) => void,
  more?: ServeMore,
) => Promise<Server>;

/** For sequences about what comes after the handshake. */
export interface ServeMore {
  readonly clock: Clock;
  readonly onGate: (gate: Gate) => void;
}

/** A server that handshakes can be shown to, one after the other. */
export interface Served {
  readonly ask: (sent: Omit<Sent, "load">) => Promise<Outcome>;
  /** As many times at once. */
  readonly askAtOnce: (sent: Omit<Sent, "load">, times: number) => Promise<readonly Outcome[]>;
  readonly close: () => Promise<void>;
}

/** Sends the bytes to a real server with a real WebSocket library behind the gate, and reads what comes back. */
export async function runOverSocket(
  { load, ...sent }: Sent,
  serve: Serve = serveBare,
): Promise<Outcome> {
  const served = await openServer(load, serve);
  try {
    return await served.ask(sent);
  } finally {
    await served.close();
  }
}

/** Opens the server; where its policy is not loaded, every answer says so. */
export async function openServer(
  load: () => LoadedPolicy,
  serve: Serve = serveBare,
): Promise<Served> {
  const sockets = new Set<Socket>();
  const decisions: DecisionEvent[] = [];
  let peer: Peer | undefined;
  let policy: LoadedPolicy;
  let server: Server;
  try {
    policy = load();
    server = await serve(policy, (event) => decisions.push(event));
  } catch (error) {
    if (error instanceof ConfigError) return refusing(refusedPolicy(error));
    throw error;
  }
  const { authenticateFirst } = policy;
  server.on("connection", (socket) => {
    sockets.add(socket);
    if (peer !== undefined) disguise(socket, peer);
  });
  const library = new WebSocketServer({ server });
  library.on("connection", async (webSocket, request) => {
    // What a client sends behind an accepted handshake is the library's business, and no reason to end the process.
    webSocket.on("error", () => undefined);
    const connection = await authenticateFirst?.(webSocket, request);
    if (connection !== undefined) webSocket.send(connection.identity.subject);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;

  async function askAtOnce(
    { bytes, messages, ...sent }: Omit<Sent, "load">,
    times: number,
  ): Promise<readonly Outcome[]> {
    ({ peer } = sent);
    const before = decisions.length;
    const more = authenticateFirst === undefined ? undefined : Buffer.concat(framesOf(messages));
    const answers = await inTime(() =>
      Promise.all(Array.from({ length: times }, () => answerTo(port, bytes, more))),
    );
    return answers.map((answer) => outcomeOf(answer, decisions.slice(before).at(-1)));
  }

  return {
    ask: async (sent) => (await askAtOnce(sent, 1))[0] as Outcome,
    askAtOnce,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      library.close();
      server.close();
      await once(server, "close");
    },
  };
}

const refusing = (outcome: Outcome): Served => ({
  ask: async () => outcome,
  askAtOnce: async (_, times) => new Array<Outcome>(times).fill(outcome),
  close: async () => undefined,
});

/** A handshake in the words of `headers`, as bytes. */
export const bytesOf = ({ target, headers }: Pick<FullRequest, "target" | "headers">): string =>
  rawBytes({
    lines: [`GET ${target} HTTP/1.1`, ...headers.map(([name, value]) => `${name}: ${value}`)],
    after: undefined,
  });

/** Lines as they are sent; `@repeat:N:TEXT` stands for N lines. */
export function rawBytes({ lines, after = "" }: RawWords): string {
  const sent = lines.flatMap((line) => {
    const [, count, text] = /^@repeat:(\d+):(.*)$/s.exec(line) ?? [];
    return count === undefined ? [line] : new Array<string>(Number(count)).fill(text ?? "");
  });
  return `${sent.join("\r\n")}\r\n\r\n${after}`;
}

/** Node answers a head of more than 16 KiB by itself. */
const maxHeadBytes = 15_000;

/** Whether the parser on the other side would see just this text: blanks at the ends of values are lost, and line ends mean lines. */
export function canBeSaid(request: FullRequest): boolean {
  const isValue = (value: string): boolean =>
    value === value.trim() && [...value].every((sign) => sign >= " " || sign === "\t");
  const isTarget = /^[\x21-\x7e]+$/.test(request.target);
  return (
    isTarget &&
    request.headers.every(([name, value]) => /^[\w-]+$/.test(name) && isValue(value)) &&
    Buffer.byteLength(bytesOf(request)) < maxHeadBytes
  );
}

export const serveBare: Serve = async ({ guard, paths, trustProxy }, onDecision, more) => {
  const server = createServer((_, response) => response.writeHead(404).end());
  const policy =
    paths === undefined ? guard : Object.fromEntries(paths.map((path) => [path, guard]));
  const gate = attach(server, policy, {
    onDecision,
    ...(more === undefined ? {} : { clock: more.clock }),
    ...(trustProxy === undefined ? {} : { trustProxy }),
  });
  more?.onGate(gate);
  return server;
};

/** Makes a connection of this machine one of somebody else. */
export function disguise(
  socket: Socket,
  { remoteAddress, isTls, certificate, isVouchedFor }: Peer,
): void {
  Object.defineProperty(socket, "remoteAddress", { value: remoteAddress });
  if (!isTls) return;
  Object.defineProperties(socket, {
    encrypted: { value: true },
    authorized: { value: isVouchedFor },
    getPeerX509Certificate: { value: () => certificate },
  });
}

/** How a client was answered: the status, and what its messages came to; undefined where the connection ended before. */
interface Answered {
  readonly status: number | undefined;
  readonly afterwards: "spoken to" | number | undefined;
}

/** @param more - What is sent once the handshake was accepted; then the first thing said counts. */
function answerTo(port: number, bytes: string, more: Buffer | undefined): Promise<Answered> {
  return new Promise((resolve) => {
    const client = connect(port, "127.0.0.1");
    let received = Buffer.alloc(0);
    let status: number | undefined;
    const settle = (afterwards?: Answered["afterwards"]): void => {
      resolve({ status, afterwards });
      client.destroy();
    };
    client.on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      const text = received.toString("latin1");
      if (status === undefined) {
        const [, digits] = /^HTTP\/1\.1 (\d{3})[ \r]/.exec(text) ?? [];
        if (digits === undefined) return;
        status = Number(digits);
        if (status !== 101 || more === undefined) return settle();
        client.write(more);
      }
      const end = text.indexOf("\r\n\r\n");
      const said = end === -1 ? undefined : firstAnswerIn(received.subarray(end + 4));
      if (said !== undefined) settle(said);
    });
    client.on("error", () => settle());
    client.on("close", () => settle());
    client.write(bytes, "utf8");
  });
}

function outcomeOf({ status, afterwards }: Answered, decision: DecisionEvent | undefined): Outcome {
  const clientIp = decision === undefined ? unseen : decision.clientAddress;
  if (typeof afterwards === "number") {
    return { answer: "deny", code: `close_${afterwards}`, clientIp };
  }
  if (status === 101) return { answer: "allow", code: undefined, clientIp };
  const byServer = status === undefined ? "ended" : `http_${status}`;
  return { answer: "deny", code: decision?.code ?? byServer, clientIp };
}
