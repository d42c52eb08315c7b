import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { type Answer, answerOf, type Refusal } from "@firmshake/core";

/** How long a refused client may take to close its side, in milliseconds. */
const lingerMs = 1_000;
/** Beyond that many lingering sockets, refused clients are cut off as soon as their answer is flushed. */
const maxLingering = 1_000;
/** When each is cut off; the first is the next. */
const lingering = new Map<Duplex, number>();
let isCutAhead = false;

const { setTimeout } = globalThis;
const now = performance.now.bind(performance);

/**
 * Writes a refusal once and sees to it that the socket goes: `end()` so that the bytes arrive, then what the client still sends is
 * discarded until it closes, since closing on unread bytes would reset the connection and lose the answer on the way.
 */
export function refuseOnSocket(socket: Duplex, refusal: Refusal): void {
  const { head, tail } = preparedAnswer(refusal);
  answerOnSocket(socket, `${head}${httpDate()}${tail}`);
}

/** The same with an answer that is made already: one byte for each letter. */
export function answerOnSocket(socket: Duplex, bytes: string): void {
  if (!socket.destroyed && socket.writable) {
    closeGracefully(socket, bytes);
    return;
  }
  socket.on("error", ignore);
  socket.destroy();
}

/** Ends a socket to which a whole answer was written, or is given here: one byte for each letter. */
export function closeGracefully(socket: Duplex, bytes?: string): void {
  socket.on("error", ignore);
  if (bytes === undefined) socket.end();
  else socket.end(bytes, "latin1");
  socket.resume();
  if (!linger(socket)) socket.once("finish", () => socket.destroy());
}

/**
 * Destroys what is still open after a while.
 *
 * @param which - `bounded`: false, and nothing is done, where too many are waited for. What was accepted once is bounded elsewhere.
 */
export function linger(socket: Duplex, which: "bounded" | "always" = "bounded"): boolean {
  if (which === "bounded" && lingering.size >= maxLingering) return false;
  lingering.set(socket, now() + lingerMs);
  socket.on("close", leave);
  if (!isCutAhead) cutAfter(lingerMs);
  return true;
}

function leave(this: Duplex): void {
  lingering.delete(this);
}

/** One timer for all of them: a timer for each would be a good part of what refusing costs. */
function cutAfter(milliseconds: number): void {
  isCutAhead = true;
  setTimeout(cutOff, milliseconds).unref();
}

function cutOff(): void {
  isCutAhead = false;
  const time = now();
  for (const [socket, until] of lingering) {
    if (until > time) {
      cutAfter(until - time);
      return;
    }
    lingering.delete(socket);
    socket.destroy();
  }
}

export function ignore(): void {}

interface PreparedAnswer {
  /** Up to the date. */
  readonly head: string;
  readonly tail: string;
}

const prepared = new WeakMap<Refusal, PreparedAnswer>();

/** The same fields in the same order as Node's own responses have. */
function preparedAnswer(refusal: Refusal): PreparedAnswer {
  const known = prepared.get(refusal);
  if (known !== undefined) return known;
  const { status, headers, body } = answerOf(refusal);
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  const made = {
    head: `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines}Content-Length: ${Buffer.byteLength(body)}\r\nDate: `,
    tail: `\r\nConnection: ${connectionFor(headers)}\r\n\r\n${Buffer.from(body).toString("latin1")}`,
  };
  prepared.set(refusal, made);
  return made;
}

/** RFC 9110 §7.8: who sends Upgrade says so in Connection. */
export const connectionFor = (headers: Answer["headers"]): string =>
  headers.some(([name]) => name === "Upgrade") ? "close, Upgrade" : "close";

let dateText = "";
let dateSecond = 0;

/** RFC 9110 §6.6.1; written anew once a second. */
function httpDate(): string {
  const second = Math.floor(Date.now() / 1_000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateText = new Date(second * 1_000).toUTCString();
  }
  return dateText;
}
