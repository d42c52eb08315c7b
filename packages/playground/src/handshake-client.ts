import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
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

/** What came back. */
export interface Answer {
  /** 101 where it was accepted; 0 where nothing came back. */
  readonly status: number;
  /** The refusal's code and public sentence, where the answer is a problem document (RFC 9457). */
  readonly code?: string;
  readonly title?: string;
  /** Of an accepted handshake: whether the connection was still open and answered a ping. */
  readonly isAlive: boolean;
  /** Of an accepted handshake: what the chat said first. */
  readonly events: readonly ChatEvent[];
}

/** Connects to loopback, shakes hands, and where it is let in sends a ping and waits for the pong. */
export async function shakeHands(
  { port, library }: Pick<Target, "port" | "library">,
  opening: Opening,
): Promise<Answer> {
  const socket = await dial(port);
  try {
    const wire = new Wire(socket);
    socket.write(bytesOf(opening));
    const head = await wire.readHead();
    if (head === undefined) return { status: 0, isAlive: false, events: [] };
    if (head.status === 101) return { status: 101, ...(await wire.ping(library.dialect)) };
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

/** A text frame as a client sends it (RFC 6455 §5.2), of 125 bytes at most. */
export function textFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  const mask = randomBytes(4);
  const masked = payload.map((byte, index) => byte ^ mask.readUInt8(index % 4));
  return Buffer.concat([Buffer.from([0x81, 0x80 | payload.length]), mask, masked]);
}

function bytesOf({ target, lines, body = Buffer.alloc(0) }: Opening): Buffer {
  const head = [`GET ${target} HTTP/1.1`, ...lines.map(([name, value]) => `${name}: ${value}`)];
  return Buffer.concat([Buffer.from(`${head.join("\r\n")}\r\n\r\n`), body]);
}

function dial(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    socket.once("error", reject);
    socket.once("connect", () => {
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
  async ping({
    greeting,
    write,
    read,
  }: Dialect): Promise<{ readonly isAlive: boolean; readonly events: readonly ChatEvent[] }> {
    const events: ChatEvent[] = [];
    for (const message of greeting) this.#socket.write(textFrame(message));
    for (;;) {
      const frame = await this.#until(
        () => this.#readFrame(),
        (one) => one !== undefined,
      );
      if (frame === undefined || frame.opcode === 0x8) return { isAlive: false, events };
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

function problemIn(body: string): { readonly code?: string; readonly title?: string } {
  try {
    const { code, title } = JSON.parse(body) as { readonly code?: string; readonly title?: string };
    return { ...(code === undefined ? {} : { code }), ...(title === undefined ? {} : { title }) };
  } catch {
    return {};
  }
}
