import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { connect as connectSecurely } from "node:tls";
import { type RefusalCode, refusalKinds } from "@firmshake/node";
import type { Target } from "./lab.ts";
import type { Dialect } from "./libraries/library.ts";
import { patienceMs } from "./libraries/library.ts";
import type { ChatEvent } from "./protocol.ts";

/** One header line, written as it stands. */
export type Line = readonly [name: string, value: string];

/** An opening handshake as an attacker writes it: nothing is checked, nothing is added but the lines of {@link webSocketLines}. */
export interface Opening {
  /** The request target: path and query. */
  readonly target: string;
  readonly lines: readonly Line[];
  /** Bytes behind the request head. */
  readonly body?: Buffer;
}

/** How a client goes about its handshake. */
export interface Manner {
  /** Over TLS: whom it believes, and the certificate that it presents, if any. */
  readonly tls?: {
    readonly ca: string;
    readonly certificate?: { readonly key: string; readonly cert: string } | undefined;
  };
  /** What it says as soon as it is let in, before it is welcomed. */
  readonly firstMessage?: string;
}

/** What came back. */
export interface Answer {
  /** 101 where it was accepted; 0 where nothing came back. Of a refusal by a close frame, what an HTTP answer would have had. */
  readonly status: number;
  /** The refusal's code and public sentence, as a problem document (RFC 9457) or a close frame has them. */
  readonly code?: string;
  readonly title?: string;
  /** Of the close frame, where there was one. */
  readonly closeCode?: number;
  /** Of an accepted handshake: whether the connection was still open and answered a ping. */
  readonly isAlive: boolean;
  /** Of an accepted handshake: what the chat said first. */
  readonly events: readonly ChatEvent[];
}

/** Connects to loopback, shakes hands, and where it is let in sends a ping and waits for the pong. */
export async function shakeHands(
  { port, library }: Pick<Target, "port" | "library">,
  opening: Opening,
  { tls, firstMessage }: Manner = {},
): Promise<Answer> {
  const socket = await dial(port, tls);
  try {
    const wire = new Wire(socket);
    socket.write(bytesOf(opening));
    const head = await wire.readHead();
    if (head === undefined) return { status: 0, isAlive: false, events: [] };
    if (head.status === 101) {
      return acceptedAnswer(await wire.ping(library.dialect, firstMessage));
    }
    return { status: head.status, isAlive: false, events: [], ...problemIn(await wire.readRest()) };
  } finally {
    socket.destroy();
  }
}

/** Connects, sends the handshake, and resets the connection (a TCP RST, not a FIN) before it can have been decided. */
export async function shakeHandsAndReset(
  { port }: Pick<Target, "port">,
  opening: Opening,
  afterMs: number,
): Promise<void> {
  const socket = await dial(port);
  socket.write(bytesOf(opening));
  await new Promise((resolve) => setTimeout(resolve, afterMs));
  socket.resetAndDestroy();
}

/** The lines that make a request a WebSocket handshake (RFC 6455 §4.1). */
export const webSocketLines = (): readonly Line[] => [
  ["Upgrade", "websocket"],
  ["Connection", "Upgrade"],
  ["Sec-WebSocket-Version", "13"],
  ["Sec-WebSocket-Key", randomBytes(16).toString("base64")],
];

/** A text frame as a client sends it (RFC 6455 §5.2), short of 64 KiB. */
export function textFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  const { length } = payload;
  const mask = randomBytes(4);
  const masked = payload.map((byte, index) => byte ^ mask.readUInt8(index % 4));
  const head = length < 126 ? [0x80 | length] : [0x80 | 126, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([0x81, ...head]), mask, masked]);
}

/** A refusal may be said behind a 101, by a close frame whose reason is its code. */
function acceptedAnswer({ closed, ...ending }: Ending): Answer {
  if (closed === undefined) return { status: 101, ...ending };
  const [code = ""] = closed.reason.split(";");
  const kind = Object.hasOwn(refusalKinds, code) ? refusalKinds[code as RefusalCode] : undefined;
  return kind === undefined
    ? { status: 101, ...ending, closeCode: closed.code, title: closed.reason }
    : { status: kind.status, ...ending, code, title: kind.title, closeCode: closed.code };
}

/** How it went after a 101. */
interface Ending {
  readonly isAlive: boolean;
  readonly events: readonly ChatEvent[];
  /** By the server's close frame (RFC 6455 §5.5.1). */
  readonly closed?: { readonly code: number; readonly reason: string };
}

function bytesOf({ target, lines, body = Buffer.alloc(0) }: Opening): Buffer {
  const head = [`GET ${target} HTTP/1.1`, ...lines.map(([name, value]) => `${name}: ${value}`)];
  return Buffer.concat([Buffer.from(`${head.join("\r\n")}\r\n\r\n`), body]);
}

function dial(port: number, tls?: Manner["tls"]): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const address = { port, host: "127.0.0.1", noDelay: true };
    const socket = tls
      ? connectSecurely({ ...address, ca: tls.ca, ...tls.certificate })
      : connect(address);
    socket.once("error", reject);
    socket.once(tls ? "secureConnect" : "connect", () => {
      socket.off("error", reject);
      // What goes wrong later ends the stream, and that is what is looked at.
      socket.on("error", () => undefined);
      resolve(socket);
    });
  });
}

/** Reads an HTTP answer and then frames off a socket. */
class Wire {
  #buffer: Buffer = Buffer.alloc(0);
  #isOver = false;
  #wake: () => void = () => undefined;
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setTimeout(patienceMs, () => socket.destroy());
    socket.on("data", (chunk) => {
      this.#buffer = Buffer.concat([this.#buffer, chunk]);
      this.#wake();
    });
    socket.on("close", () => {
      this.#isOver = true;
      this.#wake();
    });
  }

  async readHead(): Promise<{ readonly status: number } | undefined> {
    const end = await this.#until(
      () => this.#buffer.indexOf("\r\n\r\n"),
      (at) => at !== -1,
    );
    if (end === undefined) return undefined;
    const head = this.#take(end + 4).toString("latin1");
    return { status: Number(head.slice("HTTP/1.1 ".length, "HTTP/1.1 ".length + 3)) };
  }

  async readRest(): Promise<string> {
    await this.#until(() => this.#isOver, Boolean);
    return this.#buffer.toString();
  }

  /** Whether the chat says its welcome and then answers a ping; what it says before that is kept. */
  async ping({ greeting, write, read }: Dialect, firstMessage?: string): Promise<Ending> {
    const events: ChatEvent[] = [];
    if (firstMessage !== undefined) this.#socket.write(textFrame(firstMessage));
    for (const message of greeting) this.#socket.write(textFrame(message));
    for (;;) {
      const frame = await this.#until(
        () => this.#readFrame(),
        (one) => one !== undefined,
      );
      if (frame === undefined) return { isAlive: false, events };
      if (frame.opcode === 0x8) return { isAlive: false, events, ...closedBy(frame.payload) };
      const event = frame.opcode === 0x1 ? read(frame.payload.toString()) : undefined;
      if (event === undefined) continue;
      events.push(event);
      if (event.type === "pong") return { isAlive: true, events };
      if (event.type === "welcome") this.#socket.write(textFrame(write({ type: "ping" })));
    }
  }

  /** Frames of the server are not masked, and the chat's are short of 64 KiB. */
  #readFrame(): { readonly opcode: number; readonly payload: Buffer } | undefined {
    if (this.#buffer.length < 4) return undefined;
    const short = this.#buffer.readUInt8(1) & 0x7f;
    const start = short === 126 ? 4 : 2;
    const length = short === 126 ? this.#buffer.readUInt16BE(2) : short;
    if (this.#buffer.length < start + length) return undefined;
    const opcode = this.#buffer.readUInt8(0) & 0x0f;
    return { opcode, payload: this.#take(start + length).subarray(start) };
  }

  #take(length: number): Buffer {
    const taken = this.#buffer.subarray(0, length);
    this.#buffer = this.#buffer.subarray(length);
    return taken;
  }

  /** The first value that is wanted; undefined where the socket closes before. */
  async #until<Value>(
    look: () => Value,
    isWanted: (value: Value) => boolean,
  ): Promise<Value | undefined> {
    for (;;) {
      const value = look();
      if (isWanted(value)) return value;
      if (this.#isOver) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

const closedBy = (payload: Buffer): Pick<Ending, "closed"> =>
  payload.length < 2
    ? {}
    : { closed: { code: payload.readUInt16BE(0), reason: payload.toString("utf8", 2) } };

function problemIn(body: string): { readonly code?: string; readonly title?: string } {
  try {
    const { code, title } = JSON.parse(body) as { readonly code?: string; readonly title?: string };
    return { ...(code === undefined ? {} : { code }), ...(title === undefined ? {} : { title }) };
  } catch {
    return {};
  }
}
