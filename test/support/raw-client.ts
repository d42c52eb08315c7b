import { once } from "node:events";
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { onTestFinished } from "vitest";

/** A TCP or TLS client that says exactly what it is told to, and remembers what it was answered. */
export interface RawClient {
  readonly socket: Socket;
  /** What has arrived so far, as Latin-1 text. */
  readonly received: () => string;
  readonly send: (bytes: string | Buffer) => void;
  /** Everything received, once that text is among it. */
  readonly until: (text: string) => Promise<string>;
  /** Everything received, once the server has closed its side and the socket is gone. */
  readonly closed: Promise<string>;
  /** Everything received, once the server has ended its side. */
  readonly ended: Promise<string>;
  /** Sends a RST. */
  readonly reset: () => void;
}

export interface DialOptions {
  readonly isTls?: boolean;
  /** What a TLS client presents. */
  readonly certificate?: { readonly key: string; readonly cert: string } | undefined;
  /** Keeps its own side open after the server has ended. */
  readonly keepsOpen?: boolean;
  /** Never reads what it is answered. */
  readonly isDeaf?: boolean;
  /** Outlives the test function: whoever dials closes it. */
  readonly isUntracked?: boolean;
}

/** Connects to a server on this machine. The socket is destroyed when the test is over. */
export async function dial(port: number, options: DialOptions = {}): Promise<RawClient> {
  const { isTls = false, keepsOpen = false, isDeaf = false, isUntracked = false } = options;
  const { certificate = {} } = options;
  const to = { host: "127.0.0.1", port, allowHalfOpen: keepsOpen };
  const tcp = connectTcp(to);
  const socket = isTls
    ? connectTls({ socket: tcp, rejectUnauthorized: false, ...certificate })
    : tcp;
  if (!isUntracked) onTestFinished(() => void socket.destroy());
  const chunks: Buffer[] = [];
  const waiting = new Set<() => void>();
  const received = (): string => Buffer.concat(chunks).toString("latin1");
  socket.on("error", () => undefined);
  if (!isDeaf) {
    socket.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      for (const look of waiting) look();
    });
  }
  const ended = new Promise<string>((resolve) => {
    socket.once("end", () => resolve(received()));
    socket.once("close", () => resolve(received()));
  });
  const closed = new Promise<string>((resolve) => {
    socket.once("close", () => resolve(received()));
  });
  await once(socket, isTls ? "secureConnect" : "connect");
  return {
    socket,
    received,
    ended,
    closed,
    send: (bytes) => void socket.write(bytes),
    reset: () => void tcp.resetAndDestroy(),
    until: (text) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (!received().includes(text)) return;
          waiting.delete(look);
          resolve(received());
        };
        waiting.add(look);
        socket.once("close", () =>
          reject(new Error(`closed after: ${JSON.stringify(received())}`)),
        );
        look();
      }),
  };
}

/** What a raw handshake says beyond the least. */
export interface RawHandshake {
  readonly method?: string;
  readonly target?: string;
  readonly version?: string;
  /** Over the good headers: a text replaces one, a list repeats it, undefined leaves it out. */
  readonly headers?: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/** The text of a handshake that is good in everything but what is said of it. */
export function handshakeText(sketch: RawHandshake = {}): string {
  const { method = "GET", target = "/chat", version = "HTTP/1.1", headers = {} } = sketch;
  const lines = Object.entries({ ...goodHeaders, ...headers }).flatMap(([name, value]) => {
    if (value === undefined) return [];
    return [value].flat().map((one) => `${name}: ${one}\r\n`);
  });
  return `${method} ${target} ${version}\r\n${lines.join("")}\r\n`;
}

const goodHeaders = {
  Host: "localhost",
  Upgrade: "websocket",
  Connection: "Upgrade",
  "Sec-WebSocket-Version": "13",
  "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
};

/** An HTTP answer, taken apart. */
export interface RawAnswer {
  readonly statusLine: string;
  readonly status: number;
  /** By lower-case name; repeats are joined. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export function answerIn(text: string): RawAnswer {
  const headEnd = text.indexOf("\r\n\r\n");
  const [statusLine = "", ...lines] = text.slice(0, Math.max(headEnd, 0)).split("\r\n");
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const name = line.slice(0, line.indexOf(":")).toLowerCase();
    const value = line.slice(line.indexOf(":") + 1).trim();
    headers[name] = name in headers ? `${headers[name]}, ${value}` : value;
  }
  const status = Number(statusLine.split(" ")[1] ?? Number.NaN);
  return { statusLine, status, headers, body: text.slice(headEnd + 4) };
}

/** Sends a handshake and takes apart what comes back until the server closes. */
export async function refusalOf(
  port: number,
  sketch: RawHandshake = {},
  options: DialOptions = {},
): Promise<RawAnswer> {
  const client = await dial(port, options);
  client.send(handshakeText(sketch));
  return answerIn(await client.closed);
}

/** One word for what came of a handshake: 101, or the status of the refusal. */
export async function statusOf(
  port: number,
  sketch: RawHandshake = {},
  options: DialOptions = {},
): Promise<number> {
  const client = await dial(port, options);
  client.send(handshakeText(sketch));
  const text = await Promise.race([client.until("\r\n\r\n"), client.closed]);
  client.socket.destroy();
  return answerIn(text).status;
}

/** A masked text frame of fewer than 126 bytes (RFC 6455 §5.2), as clients send them. */
export function textFrame(text: string): Buffer {
  return maskedFrame(0x81, Buffer.from(text));
}

/** A frame as clients send it, masked with zeros (RFC 6455 §5.2). */
export function maskedFrame(first: number, payload: Buffer): Buffer {
  const { length } = payload;
  const head = Buffer.alloc(length < 126 ? 6 : length < 65_536 ? 8 : 14);
  head[0] = first;
  if (length < 126) head[1] = 0x80 | length;
  else if (length < 65_536) {
    head[1] = 0x80 | 126;
    head.writeUInt16BE(length, 2);
  } else {
    head[1] = 0x80 | 127;
    head.writeBigUInt64BE(BigInt(length), 2);
  }
  return Buffer.concat([head, payload]);
}
