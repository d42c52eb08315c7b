import { isRetryable, retryAfterMs } from "./close-code.ts";
import { type Credentials, getCredentials, NotSent, secureUrl } from "./credentials.ts";
import type { FirmSocketOptions } from "./options.ts";

/** What is told of a close. */
export interface SocketCloseEvent extends Event {
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;
}

/** A connection was lost, or refused, and a new one will be tried. */
export interface SocketReconnectingEvent extends SocketCloseEvent {
  /** How long is waited before, in milliseconds. */
  readonly delayMs: number;
  /** What a function of the application, or the platform, has thrown. */
  readonly cause: unknown;
}

/** What a {@link FirmSocket} dispatches, by name. */
export interface SocketEvents {
  /** Of each connection: also of those behind the first. */
  readonly open: Event;
  readonly message: MessageEvent;
  readonly error: Event;
  /** Once, when no other connection will be tried. */
  readonly close: SocketCloseEvent;
  readonly reconnecting: SocketReconnectingEvent;
}

/** An `EventTarget` that knows the types of its events. */
interface SocketTarget extends EventTarget {
  addEventListener<Name extends keyof SocketEvents>(
    type: Name,
    listener: (event: SocketEvents[Name]) => unknown,
    options?: Parameters<EventTarget["addEventListener"]>[2],
  ): void;
  addEventListener(...args: Parameters<EventTarget["addEventListener"]>): void;
  removeEventListener<Name extends keyof SocketEvents>(
    type: Name,
    listener: (event: SocketEvents[Name]) => unknown,
    options?: Parameters<EventTarget["removeEventListener"]>[2],
  ): void;
  removeEventListener(...args: Parameters<EventTarget["removeEventListener"]>): void;
}

const Target: new () => SocketTarget = EventTarget;

/**
 * A `WebSocket` that gets its own token or ticket, comes again after closes that are worth it, and renews itself before its token is over.
 * `send` while there is no connection throws, as it does there: nothing is kept back to be sent later.
 *
 * @throws TypeError for what is no URL, and for `ws:` to anything but this machine; DOMException `SyntaxError` for another scheme.
 *
 * @example
 * ```ts no-run
 * import { FirmSocket } from "@firmshake/client";
 *
 * const socket = new FirmSocket("wss://app.example.com/chat", "chat.v1", {
 *   token: async () => (await fetch("/token")).text(),
 * });
 * socket.onopen = () => socket.send("hello"); // after each reconnection, too
 * socket.onclose = ({ code, reason }) => console.log(code, reason); // 3003 forbidden
 * ```
 */
export class FirmSocket extends Target {
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  static readonly CLOSING = 2;
  static readonly CLOSED = 3;
  readonly CONNECTING = 0;
  readonly OPEN = 1;
  readonly CLOSING = 2;
  readonly CLOSED = 3;

  onopen: ((event: Event) => unknown) | null = null;
  onmessage: ((event: MessageEvent) => unknown) | null = null;
  onerror: ((event: Event) => unknown) | null = null;
  onclose: ((event: SocketCloseEvent) => unknown) | null = null;

  readonly #url: URL;
  readonly #protocols: readonly string[];
  readonly #options: FirmSocketOptions;
  readonly #Socket: NonNullable<FirmSocketOptions["WebSocket"]>;
  readonly #abort = new AbortController();
  #readyState: 0 | 1 | 2 | 3 = 0;
  #binaryType: "blob" | "arraybuffer" | undefined;
  #protocol = "";
  #extensions = "";
  /** What is spoken on. */
  #socket: WebSocket | undefined;
  /** What may take its place. */
  #attempt: Attempt | undefined;
  #openedAt = Number.POSITIVE_INFINITY;
  #attempts = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    url: string | URL,
    protocols: string | readonly string[] = [],
    options: FirmSocketOptions = {},
  ) {
    super();
    const Socket = options.WebSocket ?? globalThis.WebSocket;
    if (!Socket) throw new TypeError("There is no WebSocket here: give { WebSocket }.");
    this.#url = secureUrl(url, "ws");
    if (options.ticket && typeof options.ticket !== "function") secureUrl(options.ticket, "http");
    this.#protocols = [protocols].flat();
    this.#options = options;
    this.#Socket = Socket;
    for (const type of ["open", "message", "error", "close"] as const) {
      this.addEventListener(type, (event: Event) => this[`on${type}`]?.(event as never));
    }
    void this.#connect();
  }

  /** Without the ticket. */
  get url(): string {
    return this.#url.href;
  }

  get readyState(): 0 | 1 | 2 | 3 {
    return this.#readyState;
  }

  get protocol(): string {
    return this.#protocol;
  }

  get extensions(): string {
    return this.#extensions;
  }

  get bufferedAmount(): number {
    return this.#socket?.bufferedAmount ?? 0;
  }

  get binaryType(): "blob" | "arraybuffer" {
    return this.#binaryType ?? this.#socket?.binaryType ?? "blob";
  }

  set binaryType(type: "blob" | "arraybuffer") {
    this.#binaryType = type;
    if (this.#socket) this.#socket.binaryType = type;
  }

  /** @throws DOMException `InvalidStateError` while there is no connection. */
  send(data: string | ArrayBufferLike | ArrayBufferView | Blob): void {
    if (this.#readyState === 0) throw new DOMException("Not connected.", "InvalidStateError");
    this.#socket?.send(data as string);
  }

  /**
   * Closes for good: nothing is opened again.
   *
   * @throws DOMException `InvalidAccessError` or `SyntaxError`, as WebSocket does.
   */
  close(code?: number, reason = ""): void {
    if (code !== undefined && code !== 1000 && !(code >= 3000 && code <= 4999)) {
      throw new DOMException("The code must be 1000, or 3000 to 4999.", "InvalidAccessError");
    }
    if (new TextEncoder().encode(reason).length > 123) {
      throw new DOMException("The reason is longer than 123 bytes.", "SyntaxError");
    }
    if (this.#readyState > 1) return;
    this.#readyState = 2;
    this.#drop();
    this.#abort.abort();
    if (!this.#socket) queueMicrotask(() => this.#end(outage));
    else if (code === undefined) this.#socket.close();
    else this.#socket.close(code, reason);
  }

  async #connect(): Promise<void> {
    const attempt: Attempt = {};
    this.#attempt = attempt;
    const { connectTimeoutMs = 30_000 } = this.#options;
    const { signal } = this.#abort;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#onLost(outage), connectTimeoutMs);
    let got: Credentials;
    try {
      got = await getCredentials(this.#url, this.#protocols, this.#options, signal);
    } catch (cause) {
      if (this.#attempt !== attempt) return;
      this.#onLost(cause instanceof NotSent ? { ...cause, wasClean: false } : { ...outage, cause });
      return;
    }
    if (this.#attempt !== attempt) return;
    try {
      this.#open(attempt, got);
    } catch (cause) {
      // What the platform does not take, it will not take later.
      this.#onLost({ ...outage, cause }, true);
    }
  }

  #open(attempt: Attempt, { url, protocols, expiresAt }: Credentials): void {
    const socket = new this.#Socket(url, [...protocols]) as WebSocket;
    attempt.socket = socket;
    if (this.#binaryType) socket.binaryType = this.#binaryType;
    socket.onopen = () => {
      if (this.#attempt !== attempt) return;
      const before = this.#socket;
      this.#attempt = undefined;
      this.#socket = socket;
      this.#protocol = socket.protocol;
      this.#extensions = socket.extensions;
      this.#readyState = 1;
      this.#openedAt = Date.now();
      this.#renewBefore(expiresAt);
      before?.close(1000);
      this.dispatchEvent(new Event("open"));
    };
    socket.onmessage = ({ data, origin }) => {
      if (this.#readyState < 3) this.dispatchEvent(new MessageEvent("message", { data, origin }));
    };
    // A close follows; libraries of Node throw where nobody listens.
    socket.onerror = () => undefined;
    socket.onclose = ({ code, reason, wasClean }) => {
      if (socket === this.#socket) this.#socket = undefined;
      else if (attempt !== this.#attempt) return;
      this.#onLost({ code, reason, wasClean }, false, attempt !== this.#attempt);
    };
  }

  /**
   * A connection is over, or none came about.
   *
   * @param isFinal - Whether to stop here, whatever the code says.
   * @param wasOpen - Whether it was what was spoken on.
   */
  #onLost(loss: Loss, isFinal = false, wasOpen = false): void {
    const { reconnect } = this.#options;
    const { baseMs, maxMs, maxAttempts } = { ...backOff, ...(reconnect || {}) };
    // What opens and is closed at once is a refusal, and no success.
    if (Date.now() - this.#openedAt > maxMs) this.#attempts = 0;
    this.#openedAt = Number.POSITIVE_INFINITY;
    const mayReturn = !isFinal && reconnect !== false && isRetryable(loss);
    if (this.#readyState === 2) return this.#end(loss);
    let delayMs = 0;
    // Where a renewal is on its way already, there is nothing to wait for.
    if (!mayReturn || !wasOpen || !this.#attempt) {
      this.#drop();
      if (!mayReturn || this.#attempts >= maxAttempts) {
        // Where a renewal has failed, what it should have replaced is still there.
        if (!this.#socket) this.#end(loss);
        return;
      }
      const spreadMs = Math.random() * Math.min(maxMs, baseMs * 2 ** this.#attempts++);
      delayMs = Math.min(retryAfterMs(loss.reason) + spreadMs, maxTimerMs);
      this.#after(delayMs);
    }
    if (this.#socket) return;
    this.#readyState = 0;
    this.dispatchEvent(new LossEvent("reconnecting", loss, delayMs));
  }

  /** Half of the time that is left, where a token does not live longer than it is renewed before. */
  #renewBefore(expiresAt: number | undefined): void {
    clearTimeout(this.#timer);
    const { reconnect, refreshBeforeExpiryMs = 30_000 } = this.#options;
    if (!Number.isFinite(expiresAt) || reconnect === false) return;
    const leftMs = Number(expiresAt) - Date.now();
    const leastMs = reconnect?.baseMs ?? backOff.baseMs;
    this.#after(
      Math.min(Math.max(leftMs - refreshBeforeExpiryMs, leftMs / 2, leastMs), maxTimerMs),
    );
  }

  #after(delayMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#connect(), delayMs);
  }

  /** Gives up what is not open yet. */
  #drop(): void {
    const { socket } = this.#attempt ?? {};
    this.#attempt = undefined;
    clearTimeout(this.#timer);
    socket?.close();
  }

  #end(loss: Loss): void {
    this.#readyState = 3;
    this.#abort.abort();
    if (!loss.wasClean) this.dispatchEvent(new LossEvent("error", loss));
    this.dispatchEvent(new LossEvent("close", loss));
  }
}

/** A connection that is not open yet; it has no socket while credentials are fetched. */
interface Attempt {
  socket?: WebSocket;
}

interface Loss {
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;
  readonly cause?: unknown;
}

/** RFC 6455 §7.1.5: there was no close frame. */
const outage: Loss = { code: 1006, reason: "", wasClean: false };
const backOff = { baseMs: 1_000, maxMs: 30_000, maxAttempts: Number.POSITIVE_INFINITY };
/** Of timers: more would fire at once. */
const maxTimerMs = 2 ** 31 - 1;

/** Not every runtime has a `CloseEvent`. */
class LossEvent extends Event implements SocketReconnectingEvent {
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;
  readonly cause: unknown;
  readonly delayMs: number;

  constructor(type: string, { code, reason, wasClean, cause }: Loss, delayMs = 0) {
    super(type);
    this.code = code;
    this.reason = reason;
    this.wasClean = wasClean;
    this.cause = cause;
    this.delayMs = delayMs;
  }
}

/** What {@link withFirmshake} makes, in the shape of the class `WebSocket`. */
export interface FirmSocketClass {
  new (url: string | URL, protocols?: string | readonly string[]): FirmSocket;
  readonly CONNECTING: 0;
  readonly OPEN: 1;
  readonly CLOSING: 2;
  readonly CLOSED: 3;
}

/**
 * A class of {@link FirmSocket} with its options, for libraries that take a class `WebSocket`. Those that reconnect themselves need
 * `reconnect: false`.
 *
 * @example
 * ```ts
 * import { withFirmshake } from "@firmshake/client";
 * import { createClient } from "graphql-ws";
 *
 * const client = createClient({
 *   url: "wss://app.example.com/graphql",
 *   webSocketImpl: withFirmshake({ ticket: "https://app.example.com/ticket", reconnect: false }),
 * });
 * ```
 */
export function withFirmshake(options: FirmSocketOptions): FirmSocketClass {
  return class extends FirmSocket {
    constructor(url: string | URL, protocols?: string | readonly string[]) {
      super(url, protocols, options);
    }
  };
}
