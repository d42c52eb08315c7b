import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { ConfigError } from "@firmshake/core";
import { attach, type DecisionEvent } from "@firmshake/node";
import { WebSocketServer } from "ws";
import type { RawWords } from "./case.ts";
import { inTime, type Outcome, unseen } from "./outcome.ts";
import type { LoadedPolicy } from "./policy.ts";
import type { FullRequest } from "./request.ts";
import { refusedPolicy } from "./run-in-process.ts";

/** What a client is, where it is not the test itself. */
export type Peer = Pick<FullRequest, "remoteAddress" | "isTls">;

/** A case as it is sent to a server. */
export interface Sent {
  readonly load: () => LoadedPolicy;
  readonly peer: Peer;
  readonly bytes: string;
}

/** Makes a server, not yet listening, with a gate in front. */
export type Serve = (
  policy: LoadedPolicy,
  onDecision: (event: DecisionEvent) => void,
) => Promise<Server>;

/** Sends the bytes to a real server with a real WebSocket library behind the gate, and reads what comes back. */
export async function runOverSocket(
  { load, peer, bytes }: Sent,
  serve: Serve = serveBare,
): Promise<Outcome> {
  const sockets = new Set<Socket>();
  const decisions: DecisionEvent[] = [];
  let server: Server;
  try {
    server = await serve(load(), (event) => decisions.push(event));
  } catch (error) {
    if (error instanceof ConfigError) return refusedPolicy(error);
    throw error;
  }
  server.on("connection", (socket) => {
    sockets.add(socket);
    disguise(socket, peer);
  });
  const library = new WebSocketServer({ server });
  // What a client sends behind an accepted handshake is the library's business, and no reason to end the process.
  library.on("connection", (webSocket) => webSocket.on("error", () => undefined));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const status = await inTime(() => statusOf((server.address() as AddressInfo).port, bytes));
    return outcomeOf(status, decisions.at(-1));
  } finally {
    for (const socket of sockets) socket.destroy();
    library.close();
    server.close();
    await once(server, "close");
  }
}

/** A handshake in the words of `headers`, as bytes. */
export const bytesOf = ({ target, headers }: FullRequest): string =>
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

const serveBare: Serve = async ({ guard, paths, trustProxy }, onDecision) => {
  const server = createServer((_, response) => response.writeHead(404).end());
  const policy =
    paths === undefined ? guard : Object.fromEntries(paths.map((path) => [path, guard]));
  attach(server, policy, { onDecision, ...(trustProxy === undefined ? {} : { trustProxy }) });
  return server;
};

/** Makes a connection of this machine one of somebody else. */
export function disguise(socket: Socket, { remoteAddress, isTls }: Peer): void {
  Object.defineProperty(socket, "remoteAddress", { value: remoteAddress });
  if (isTls) Object.defineProperty(socket, "encrypted", { value: true });
}

/** The status of the answer; undefined where the connection ended without one. */
function statusOf(port: number, bytes: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    const client = connect(port, "127.0.0.1");
    let received = "";
    const settle = (status: number | undefined): void => {
      resolve(status);
      client.destroy();
    };
    client.setEncoding("latin1");
    client.on("data", (chunk: string) => {
      received += chunk;
      const [, status] = /^HTTP\/1\.1 (\d{3})[ \r]/.exec(received) ?? [];
      if (status !== undefined) settle(Number(status));
    });
    client.on("error", () => settle(undefined));
    client.on("close", () => settle(undefined));
    client.write(bytes, "utf8");
  });
}

function outcomeOf(status: number | undefined, decision: DecisionEvent | undefined): Outcome {
  const clientIp = decision === undefined ? unseen : decision.clientAddress;
  if (status === 101) return { answer: "allow", code: undefined, clientIp };
  const byServer = status === undefined ? "ended" : `http_${status}`;
  return { answer: "deny", code: decision?.code ?? byServer, clientIp };
}
