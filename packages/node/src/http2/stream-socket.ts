import {
  constants,
  type OutgoingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo } from "node:net";
import { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { answerOf, type Refusal, refuse } from "@firmshake/core";
import { acceptKey } from "../accept-key.ts";
import { linger } from "../answer-on-socket.ts";
import {
  type AnswerField,
  type AnswerHead,
  type AnswerPart,
  AnswerReader,
  hasNoBody,
} from "./answer-reader.ts";
import { ImproperAnswer } from "./improper-answer.ts";

// Taken at load: tests of applications replace the globals by faked ones.
const { setImmediate, process } = globalThis;
const { nextTick } = process;
const { NGHTTP2_CANCEL, NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR } = constants;

/** The socket that libraries get for a stream. */
export function streamSocket(stream: ServerHttp2Stream, key: string): StreamSocket {
  return stream.session?.encrypted === true
    ? new SecureStreamSocket(stream, key)
    : new StreamSocket(stream, key);
}

/**
 * An HTTP/2 stream as the socket of an HTTP/1.1 upgrade (RFC 8441 §5). The answer that a library writes becomes the stream's; once it
 * is a 101, bytes go through as they are. `END_STREAM` is the end of a side, `RST_STREAM` the reset of a connection.
 */
export class StreamSocket extends Duplex {
  readonly connecting = false;
  readonly pending = false;
  /** What Node's own server puts on its sockets. */
  server: object | undefined;
  timeout: number | undefined;
  readonly #stream: ServerHttp2Stream;
  readonly #session: ServerHttp2Session | undefined;
  readonly #key: string;
  readonly #answer = new AnswerReader();
  #phase: "unanswered" | "open" | "answering" | "answered" | "broken" | "reset" = "unanswered";
  #isReading = false;
  /** The client's side. */
  #hasEnded = false;
  /** This side, by the library. Node ends a stream that was reset, too. */
  #isEnding = false;
  #bytesRead = 0;
  #bytesTaken = 0;
  #address: Readonly<Record<string, unknown>> = {};
  #waiting: ((error?: Error) => void) | undefined;
  #failure: unknown;

  constructor(stream: ServerHttp2Stream, key: string) {
    // `close` tells whether there was an error, as it does on sockets.
    super({ emitClose: false });
    this.#stream = stream;
    this.#session = stream.session as ServerHttp2Session | undefined;
    this.#key = key;
    // A stream's error would end the process if nobody listened; what it means comes with `close`.
    stream.on("error", (error) => {
      this.#failure = error;
    });
    stream.on("close", () => this.#onStreamClose());
    stream.on("drain", () => this.#onDrain());
    if (this.isGone) this.destroy();
  }

  /** A stream that was reset says so a tick later. */
  get isGone(): boolean {
    return this.destroyed || this.#isStreamGone();
  }

  /** Answers in the library's stead, unless it has begun to. */
  refuse(refusal: Refusal): void {
    if (this.#phase !== "unanswered") return;
    const { status, headers, body } = answerOf(refusal);
    const fields = headers.map(([name, value]): AnswerField => [name.toLowerCase(), value]);
    const bytes = Buffer.from(body);
    fields.push(["content-length", String(bytes.length)]);
    this.#attempt(() => [
      { kind: "head", head: { status, fields } },
      { kind: "bytes", bytes },
      { kind: "end" },
    ]);
  }

  get bytesRead(): number {
    return this.#bytesRead;
  }

  get bytesWritten(): number {
    return this.#bytesTaken + this.writableLength;
  }

  /** What has come and was not read yet. */
  get unreadBytes(): number {
    return this.readableLength + this.#stream.readableLength;
  }

  get readyState(): "open" | "readOnly" | "writeOnly" | "closed" {
    if (this.readable) return this.writable ? "open" : "readOnly";
    return this.writable ? "writeOnly" : "closed";
  }

  get remoteAddress(): string | undefined {
    return this.#ofAddress("remoteAddress") as string | undefined;
  }

  get remoteFamily(): string | undefined {
    return this.#ofAddress("remoteFamily") as string | undefined;
  }

  get remotePort(): number | undefined {
    return this.#ofAddress("remotePort") as number | undefined;
  }

  get localAddress(): string | undefined {
    return this.#ofAddress("localAddress") as string | undefined;
  }

  get localFamily(): string | undefined {
    return this.#ofAddress("localFamily") as string | undefined;
  }

  get localPort(): number | undefined {
    return this.#ofAddress("localPort") as number | undefined;
  }

  address(): AddressInfo | object {
    const { localAddress: address, localFamily: family, localPort: port } = this;
    return address === undefined ? {} : { address, family, port };
  }

  /** Of this stream alone, as it was of this socket alone. */
  setTimeout(timeoutMs: number, callback?: () => void): this {
    if (this.timeout === undefined) this.#stream.on("timeout", () => this.emit("timeout"));
    this.timeout = timeoutMs;
    this.#stream.setTimeout(timeoutMs);
    if (callback === undefined) return this;
    return timeoutMs === 0 ? this.off("timeout", callback) : this.once("timeout", callback);
  }

  // The connection under the stream is not this WebSocket's alone: nobody may tune, hold or let go of it.
  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once("finish", () => this.destroy());
  }

  resetAndDestroy(): this {
    if (!this.destroyed) this.#phase = "reset";
    return this.destroy();
  }

  override _read(): void {
    this.#startReading();
    this.#stream.resume();
  }

  override _write(
    chunk: Buffer,
    _encoding: BufferEncoding,
    callback: (error?: Error | null) => void,
  ): void {
    this.#take([chunk], callback);
  }

  override _writev(
    chunks: readonly { readonly chunk: Buffer }[],
    callback: (error?: Error | null) => void,
  ): void {
    this.#take(
      chunks.map(({ chunk }) => chunk),
      callback,
    );
  }

  override _final(callback: (error?: Error | null) => void): void {
    const stream = this.#stream;
    this.#attempt(() => this.#answer.finish());
    if (this.destroyed || stream.writableFinished) callback();
    else stream.once("finish", () => callback());
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    // What the library has written before goes out, as it does when a socket is destroyed: many destroy it behind their last frame.
    this.#closeStream();
    this.#waiting?.(error ?? new Error("The socket was destroyed."));
    callback(error);
    nextTick(() => this.emit("close", error !== null));
  }

  /** From the opening on, too: Node throws away what was sent on a stream that has ended and that nobody has begun to read. */
  #startReading(): void {
    if (this.#isReading) return;
    this.#isReading = true;
    const stream = this.#stream;
    stream.on("data", (chunk: Buffer) => {
      this.#bytesRead += chunk.length;
      if (!this.push(chunk)) stream.pause();
    });
    stream.on("end", () => {
      this.#hasEnded = true;
      this.push(null);
    });
  }

  /**
   * Takes bytes at once as long as the stream has room, as a socket does: many libraries write an answer in pieces and destroy the
   * socket in the same breath.
   */
  #take(chunks: readonly Buffer[], callback: (error?: Error | null) => void): void {
    const stream = this.#stream;
    const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    stream.cork();
    for (const chunk of chunks) {
      if (this.#phase === "open") stream.write(chunk);
      else this.#attempt(() => this.#answer.read(chunk));
    }
    stream.uncork();
    const taken = (error?: Error): void => {
      this.#waiting = undefined;
      this.#bytesTaken += length;
      callback(error);
    };
    if (stream.writableNeedDrain && !this.destroyed) this.#waiting = taken;
    else taken();
  }

  #onDrain(): void {
    this.#waiting?.();
  }

  /** Carries out what the library's answer comes to; one that is none resets the stream. */
  #attempt(read: () => readonly AnswerPart[]): void {
    if (this.#phase === "answered" || this.#phase === "broken") return;
    if (this.#isStreamGone()) {
      this.destroy();
      return;
    }
    try {
      for (const part of read()) this.#carryOut(part);
    } catch (error) {
      this.#phase = "broken";
      this.#lose(error);
    }
  }

  #carryOut(part: AnswerPart): void {
    if (part.kind === "head") this.#onHead(part.head);
    else if (part.kind === "end") this.#endAnswer();
    else if (this.#phase === "open" || this.#phase === "answering") this.#stream.write(part.bytes);
  }

  #onHead(head: AnswerHead): void {
    const { status, fields } = head;
    if (status === 101) {
      if (!isAcceptOf(head, this.#key)) throw new ImproperAnswer("Sec-WebSocket-Accept is wrong");
      this.#respond(200, withoutNames(fields, ["sec-websocket-accept", "content-length"]));
      this.#phase = "open";
      this.#startReading();
    } else if (status < 200) {
      this.#stream.additionalHeaders(headersOf(status, fields));
    } else if (status < 300) {
      // In HTTP/2 it would accept the WebSocket (RFC 8441 §5.1).
      this.refuse(noWebSocket);
    } else {
      this.#phase = "answering";
      this.#respond(status, fields);
    }
  }

  #respond(status: number, fields: readonly AnswerField[]): void {
    const isOver = hasNoBody(status);
    const sent = isOver ? withoutNames(fields, ["content-length"]) : fields;
    this.#stream.respond(headersOf(status, sent), { endStream: isOver });
  }

  #endAnswer(): void {
    this.#isEnding = true;
    if (this.#phase === "open") {
      this.#stream.end();
    } else if (this.#phase === "answering") {
      this.#phase = "answered";
      this.#endAndClose();
    }
  }

  /** RFC 9113 §8.1: the client need not send the rest. Some versions of Node drop headers that wait to be sent when a stream is closed. */
  #endAndClose(): void {
    const stream = this.#stream;
    stream.end(() => setImmediate(() => stream.close(NGHTTP2_NO_ERROR)));
    if (!linger(stream)) setImmediate(() => stream.destroy());
  }

  /** Leaves a stream alone that ends, or has ended, by itself. */
  #closeStream(): void {
    const stream = this.#stream;
    if (this.#phase === "answering") this.#attempt(() => this.#answer.finish());
    if (stream.destroyed || this.#phase === "answered") return;
    if (this.#hasEnded && this.#hasSaidAll()) return;
    if (stream.closed) stream.destroy();
    else if (this.#phase === "broken") stream.close(NGHTTP2_INTERNAL_ERROR);
    else if (this.#phase === "open" && this.#waiting === undefined) this.#endAndClose();
    else stream.close(NGHTTP2_CANCEL);
  }

  #isStreamGone(): boolean {
    return this.#stream.destroyed || this.#stream.closed;
  }

  #hasSaidAll(): boolean {
    return this.#isEnding && this.#stream.writableFinished;
  }

  #onStreamClose(): void {
    if (this.#hasEnded && this.#hasSaidAll()) return;
    // Who has said all that there was to say is not interested in how the other side leaves.
    const isReset = this.#stream.rstCode !== NGHTTP2_NO_ERROR && !this.#hasSaidAll();
    this.#lose(isReset ? connectionReset(this.#failure) : undefined);
  }

  /** An error that nobody listens for would end the process. */
  #lose(error: unknown): void {
    this.destroy(this.listenerCount("error") === 0 ? undefined : (error as Error | undefined));
  }

  /** Known once asked for, as on sockets, though the connection may be gone. */
  #ofAddress(name: string): unknown {
    if (!Object.hasOwn(this.#address, name)) {
      this.#address = { ...this.#address, [name]: this.ofConnection(name) };
    }
    return this.#address[name];
  }

  /** A member of the socket under the session, which throws where that is gone. */
  protected ofConnection(name: string): unknown {
    try {
      return (this.#session?.socket as unknown as Record<string, unknown> | undefined)?.[name];
    } catch {
      return undefined;
    }
  }
}

/** What is known of TLS, as of the socket under the session. */
class SecureStreamSocket extends StreamSocket {
  readonly encrypted = true;

  static {
    const getters = ["authorized", "authorizationError", "alpnProtocol", "servername"] as const;
    const methods = [
      "exportKeyingMaterial",
      "getCertificate",
      "getCipher",
      "getEphemeralKeyInfo",
      "getFinished",
      "getPeerCertificate",
      "getPeerFinished",
      "getPeerX509Certificate",
      "getProtocol",
      "getSession",
      "getSharedSigalgs",
      "getTLSTicket",
      "getX509Certificate",
      "isSessionReused",
    ] as const satisfies readonly (keyof TLSSocket)[];
    for (const name of getters) {
      Object.defineProperty(SecureStreamSocket.prototype, name, {
        configurable: true,
        get(this: SecureStreamSocket) {
          return this.ofConnection(name);
        },
      });
    }
    for (const name of methods) {
      Object.defineProperty(SecureStreamSocket.prototype, name, {
        configurable: true,
        writable: true,
        value(this: SecureStreamSocket, ...args: unknown[]) {
          const method = this.ofConnection(name);
          return typeof method === "function" ? method(...args) : undefined;
        },
      });
    }
  }
}

/** Nothing here takes the WebSocket. */
export const noWebSocket: Refusal = refuse("protocol_unsupported", undefined, {
  reason: "nobody listens for upgrades, or the answer was a page",
});

/** RFC 6455 §4.2.2. */
function isAcceptOf({ fields }: AnswerHead, key: string): boolean {
  const accepts = fields.filter(([name]) => name === "sec-websocket-accept");
  return accepts.length === 1 && accepts[0]?.[1] === acceptKey(key);
}

const withoutNames = (
  fields: readonly AnswerField[],
  names: readonly string[],
): readonly AnswerField[] => fields.filter(([name]) => !names.includes(name));

const ofConnection = [
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
];

/** Without the fields of the connection, and without those that Connection names (RFC 9113 §8.2.2, RFC 9110 §7.6.1). */
function headersOf(status: number, fields: readonly AnswerField[]): OutgoingHttpHeaders {
  const named = fields
    .filter(([name]) => name === "connection")
    .flatMap(([, value]) => value.split(",").map((option) => option.trim().toLowerCase()));
  const headers: Record<string, string | number | string[]> = Object.create(null);
  headers[":status"] = status;
  for (const [name, value] of withoutNames(fields, [...ofConnection, ...named])) {
    const before = headers[name];
    headers[name] = before === undefined ? value : [before, value].flat().map(String);
  }
  return headers;
}

function connectionReset(cause: unknown): Error {
  const error = new Error("read ECONNRESET", { cause });
  return Object.assign(error, { code: "ECONNRESET", syscall: "read" });
}
