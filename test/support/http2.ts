import { createHash } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage, Server } from "node:http";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  createSecureServer,
  createServer,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type SecureServerOptions,
  type ServerOptions,
  type Settings,
} from "node:http2";
import { connect as connectTcp, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import { onTestFinished } from "vitest";
import { type KeyAndCertificate, makeCertificate } from "./certificate.ts";
import { maskedFrame } from "./raw-client.ts";

const offer = { enableConnectProtocol: true };
let certificate: ReturnType<typeof makeCertificate> | undefined;

/** A server in clear that offers WebSockets over HTTP/2, as the type that libraries take. */
export const offeringServer = (settings: Settings = {}, options: ServerOptions = {}): Server =>
  createServer({ ...options, settings: { ...offer, ...settings } }) as unknown as Server;

/** The same over TLS, with HTTP/1.1 beside it. */
export async function secureOfferingServer(
  settings: Settings = {},
  more: SecureServerOptions = {},
): Promise<Server> {
  certificate ??= makeCertificate();
  const options = { ...(await certificate), ...more, allowHTTP1: true };
  return createSecureServer({
    ...options,
    settings: { ...offer, ...settings },
  }) as unknown as Server;
}

/** How a session is opened. */
export interface SessionSketch {
  readonly isTls?: boolean;
  readonly settings?: Settings;
  /** What the client presents. */
  readonly clientCertificate?: Partial<KeyAndCertificate>;
}

/** A session of Node's client, which has heard what the server offers. It is destroyed when the test is over. */
export async function openSession(
  port: number,
  { isTls = false, settings = {}, clientCertificate = {} }: SessionSketch = {},
): Promise<ClientHttp2Session> {
  const to = { host: "127.0.0.1", port };
  const tls = {
    ...to,
    servername: "localhost",
    ALPNProtocols: ["h2"],
    rejectUnauthorized: false,
    ...clientCertificate,
  };
  const socket = isTls ? connectTls(tls) : connectTcp(to);
  const session = connect(`${isTls ? "https" : "http"}://localhost:${port}`, {
    createConnection: () => socket,
    settings,
  });
  // Not the session: in Node 20 a client may abort the process when it destroys one with open streams.
  onTestFinished(() => void socket.destroy());
  sockets.set(session, socket);
  session.on("error", () => undefined);
  await once(session, "remoteSettings");
  return session;
}

const sockets = new WeakMap<ClientHttp2Session, Socket>();

/** Resets the connection under a session in clear. */
export const cut = (session: ClientHttp2Session): unknown =>
  sockets.get(session)?.resetAndDestroy();

/** Over a good extended CONNECT: undefined leaves a header out. */
export type ConnectSketch = Readonly<Record<string, string | readonly string[] | undefined>>;

/** Asks for a WebSocket (RFC 8441 §5.1). */
export function askFor(
  session: ClientHttp2Session,
  sketch: ConnectSketch = {},
  options: { readonly endStream?: boolean } = {},
): ClientHttp2Stream {
  const headers = {
    ":method": "CONNECT",
    ":protocol": "websocket",
    ":scheme": session.encrypted ? "https" : "http",
    ":authority": "localhost",
    ":path": "/chat",
    "sec-websocket-version": "13",
    ...sketch,
  };
  const given = Object.entries(headers).filter(([, value]) => value !== undefined);
  const stream = session.request(Object.fromEntries(given) as OutgoingHttpHeaders, {
    endStream: false,
    ...options,
  });
  stream.on("error", () => undefined);
  return stream;
}

/** What came back, once the stream has closed. */
export interface StreamAnswer {
  /** Undefined where the stream was reset without one. */
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** Whether the server ended its side. */
  readonly hasEnded: boolean;
  readonly rstCode: number | undefined;
}

type Headers = IncomingHttpHeaders & { readonly ":status"?: number | undefined };

export async function answerTo(stream: ClientHttp2Stream): Promise<StreamAnswer> {
  let headers: Headers = {};
  let hasEnded = false;
  const chunks: Buffer[] = [];
  stream.on("response", (given) => {
    headers = given;
  });
  stream
    .on("data", (chunk: Buffer) => chunks.push(chunk))
    .on("end", () => {
      hasEnded = true;
    });
  if (!stream.destroyed) await new Promise<void>((resolve) => stream.once("close", resolve));
  const { ":status": status, ...rest } = headers;
  const body = Buffer.concat(chunks).toString();
  return { status, headers: textsOf(rest), body, hasEnded, rstCode: stream.rstCode };
}

/** Without the symbol that Node puts among them. */
export const textsOf = (headers: IncomingHttpHeaders): IncomingHttpHeaders =>
  Object.fromEntries(Object.entries(headers));

/** The answer to a stream that is asked for once. */
export const answerOver = (
  session: ClientHttp2Session,
  sketch: ConnectSketch = {},
): Promise<StreamAnswer> => answerTo(askFor(session, sketch));

/** The head of an answer that takes the stream. */
export async function headOf(stream: ClientHttp2Stream): Promise<Headers> {
  const [headers] = (await once(stream, "response")) as [Headers];
  return headers;
}

/** A stream that was taken. */
export async function openStream(
  session: ClientHttp2Session,
  sketch: ConnectSketch = {},
): Promise<{ readonly stream: ClientHttp2Stream; readonly headers: Headers }> {
  const stream = askFor(session, sketch);
  const headers = await headOf(stream);
  if (headers[":status"] !== 200) throw new Error(`answered ${headers[":status"]}`);
  return { stream, headers };
}

/** The answer that takes an upgrade (RFC 6455 §4.2.2). */
export function acceptText(request: IncomingMessage, lines: readonly string[] = []): string {
  const key = `${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
  const accept = createHash("sha1").update(key).digest("base64");
  return [
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Accept: ${accept}`,
    ...lines,
    "\r\n",
  ].join("\r\n");
}

export const clientFrame = (payload: string | Buffer, opcode = 1): Buffer =>
  maskedFrame(0x80 | opcode, Buffer.from(payload));

/** The close frame of a client. */
export const closeFrame = (code: number): Buffer =>
  clientFrame(Buffer.from([code >> 8, code & 0xff]), 8);

/** The next message of a server, without compression. */
export async function nextMessage(stream: Duplex): Promise<Buffer> {
  let bytes: Buffer = Buffer.alloc(0);
  let message: Buffer = Buffer.alloc(0);
  for (;;) {
    const frame = frameIn(bytes);
    if (frame !== undefined) {
      bytes = frame.rest;
      message = Buffer.concat([message, frame.payload]);
      if (!frame.isLast) continue;
      if (bytes.length > 0) stream.unshift(bytes);
      return message;
    }
    const chunk = stream.read() as Buffer | null;
    if (chunk === null) await once(stream, "readable");
    else bytes = Buffer.concat([bytes, chunk]);
  }
}

function frameIn(bytes: Buffer): { isLast: boolean; payload: Buffer; rest: Buffer } | undefined {
  if (bytes.length < 2) return undefined;
  const isLast = (bytes[0] as number) >= 0x80;
  const short = (bytes[1] as number) & 0x7f;
  const start = short < 126 ? 2 : short === 126 ? 4 : 10;
  if (bytes.length < start) return undefined;
  const length =
    short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  const end = start + length;
  if (bytes.length < end) return undefined;
  return { isLast, payload: bytes.subarray(start, end), rest: bytes.subarray(end) };
}
