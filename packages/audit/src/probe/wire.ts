import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Budget } from "../budget.ts";

/** Where to connect to. */
export interface Route {
  readonly address: string;
  readonly port: number;
  readonly isTls: boolean;
  /** The name that TLS asks for. */
  readonly hostname: string;
}

/** What a wait ended with where nothing was found. */
export type Nothing = "timeout" | "ended" | "overfull";

/** A connection that says exactly what it is told to, and keeps a bounded amount of what it is answered. */
export interface Wire {
  readonly socket: Socket;
  readonly send: (bytes: Buffer | string) => void;
  /** What has arrived and was not taken. A view: take or copy before the next wait. */
  readonly peek: () => Buffer;
  readonly take: (length: number) => void;
  /** The first value that is found among what arrives. */
  readonly wait: <Value>(
    look: (bytes: Buffer) => Value | undefined,
    timeoutMs: number,
  ) => Promise<Value | Nothing>;
  /** Whether the server has closed its side, or the connection is gone. */
  readonly isEnded: () => boolean;
  /** Says good-bye with these bytes, and sees to it that the socket goes. */
  readonly close: (bytes?: Buffer) => Promise<void>;
  /** Sends a RST. */
  readonly cut: () => void;
}

/** More than any answer to a handshake and its first messages need. */
const maxKeptBytes = 131_072;
/** How long a server may take to close its side after the audit has closed its own. */
const farewellMs = 150;

/** Timers that are later than that were held up. */
const maxLateMs = 50;

/** Connects. Rejects where no connection, or no TLS session, comes about in time. */
export function openWire(route: Route, budget: Budget, timeoutMs: number): Promise<Wire> {
  budget.spendHandshake();
  return new Promise((resolve, reject) => {
    const { address: host, port, isTls, hostname: servername } = route;
    const socket: Socket = isTls
      ? connectTls({
          host,
          port,
          // What is wrong with the certificate is a check of its own, and does not stop the others.
          rejectUnauthorized: false,
          ALPNProtocols: ["http/1.1"],
          ...(isIP(servername) === 0 && { servername }),
        })
      : connectTcp({ host, port });
    socket.setNoDelay(true);
    const giveUp = (error: unknown): void => {
      stop();
      socket.on("error", ignore);
      socket.destroy();
      reject(error);
    };
    const timer = setTimeout(() => giveUp(new Error("no connection in time")), timeoutMs);
    const over = (): void => giveUp(budget.signal.reason);
    const early = (): void => giveUp(new Error("closed while connecting"));
    const stop = (): void => {
      clearTimeout(timer);
      budget.signal.removeEventListener("abort", over);
      socket.off("error", giveUp);
      socket.off("close", early);
    };
    budget.signal.addEventListener("abort", over, { once: true });
    socket.once("error", giveUp);
    socket.once("close", early);
    socket.once(isTls ? "secureConnect" : "connect", () => {
      stop();
      resolve(wireOn(socket, budget));
    });
  });
}

function wireOn(socket: Socket, budget: Budget): Wire {
  let kept = Buffer.allocUnsafe(4_096);
  let start = 0;
  let end = 0;
  let isEnded = false;
  let isClosing = false;
  const isFull = (): boolean => end - start >= maxKeptBytes;
  const waiting = new Set<() => void>();
  const wake = (): void => {
    for (const look of [...waiting]) look();
  };

  socket.on("error", ignore);
  socket.on("data", (chunk: Buffer) => {
    budget.received(chunk.length);
    if (isClosing) return;
    makeRoom(chunk.length);
    end += chunk.copy(kept, end);
    if (isFull()) socket.pause();
    wake();
  });
  const onEnd = (): void => {
    isEnded = true;
    wake();
  };
  socket.on("end", onEnd);
  socket.on("close", onEnd);
  const onOver = (): void => {
    socket.destroy();
    wake();
  };
  budget.signal.addEventListener("abort", onOver, { once: true });
  socket.once("close", () => budget.signal.removeEventListener("abort", onOver));

  function makeRoom(length: number): void {
    if (end + length <= kept.length) return;
    const bytes = kept.subarray(start, end);
    const capacity = Math.max(kept.length, 2 * (bytes.length + length));
    const larger = Buffer.allocUnsafe(capacity);
    end = bytes.copy(larger);
    start = 0;
    kept = larger;
  }
  const peek = (): Buffer => kept.subarray(start, end);

  return {
    socket,
    peek,
    isEnded: () => isEnded || socket.destroyed,
    send: (bytes) => {
      if (socket.destroyed || !socket.writable) return;
      budget.sent(Buffer.byteLength(bytes));
      socket.write(bytes, "latin1");
    },
    take: (length) => {
      start += length;
      if (!isFull() && socket.isPaused()) socket.resume();
    },
    wait: (look, timeoutMs) =>
      new Promise((resolve, reject) => {
        const attempt = (): void => {
          if (budget.signal.aborted) {
            finish();
            reject(budget.signal.reason);
            return;
          }
          const found = look(peek());
          if (found !== undefined) settle(found);
          else if (isFull()) settle("overfull");
          else if (isEnded || socket.destroyed) settle("ended");
        };
        const finish = (): void => {
          clearTimeout(timer);
          waiting.delete(attempt);
        };
        const settle = (value: Parameters<typeof resolve>[0]): void => {
          finish();
          resolve(value);
        };
        const dueAt = performance.now() + timeoutMs;
        let hasWaitedOn = false;
        const onTime = (): void => {
          // While this process was held up nothing was read either: that is not the server's silence.
          const lateMs = performance.now() - dueAt;
          if (hasWaitedOn || lateMs < maxLateMs) return settle("timeout");
          hasWaitedOn = true;
          timer = setTimeout(onTime, Math.min(lateMs, timeoutMs));
        };
        let timer = setTimeout(onTime, timeoutMs);
        waiting.add(attempt);
        attempt();
      }),
    close: (bytes) =>
      new Promise((resolve) => {
        const timer = setTimeout(() => socket.destroy(), farewellMs);
        socket.once("close", () => {
          clearTimeout(timer);
          resolve();
        });
        if (socket.destroyed) {
          clearTimeout(timer);
          resolve();
          return;
        }
        isClosing = true;
        // Whoever sends more than is read is not waited for.
        if (isFull()) socket.destroy();
        // What is not read would keep the end of the connection from being seen.
        socket.resume();
        if (bytes === undefined) socket.end();
        else socket.end(bytes);
      }),
    cut: () => void socket.resetAndDestroy(),
  };
}

function ignore(): void {}
