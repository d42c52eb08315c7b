import { createHash } from "node:crypto";
import { type Budget, RunOver } from "../budget.ts";
import type { Dress } from "../credentials.ts";
import type { OutcomeKind } from "../report.ts";
import { type Connection, openConnection } from "./connection.ts";
import type { Dialect } from "./dialect.ts";
import {
  type AnswerHead,
  headerOf,
  isHttpSoFar,
  parseAnswerHead,
  tokensOf,
} from "./http-answer.ts";
import type { Outcome } from "./outcome.ts";
import type { HandshakeRequest } from "./request.ts";
import { openWire, type Route, type Wire } from "./wire.ts";

/** What shaking hands needs to know. */
export interface Handshaker {
  readonly route: Route;
  readonly budget: Budget;
  readonly dialect: Dialect;
  readonly dress: Dress;
  readonly answerMs: number;
  readonly quietMs: number;
  /** Leaves the dialect's opening out. */
  readonly isBare: boolean;
}

/** An outcome, and the open connection where there is one. */
export interface Attempt {
  readonly outcome: Outcome;
  readonly connection?: Connection;
  /** What a refusal left of the connection. Whoever asks for it closes it. */
  readonly wire?: Wire;
}

/** More than the head of any answer to a handshake takes. */
const maxHeadBytes = 65_536;
const maxBodyBytes = 4_096;
const maxInterimAnswers = 5;
/** How long the body of a refusal is waited for, and the end of the connection. */
const bodyMs = 250;

/**
 * Connects, sends the handshake and looks three times: at the answer, at what follows it, and at whether a ping is answered. Whoever gets
 * a connection or a wire closes it.
 */
export async function shakeHands(
  probe: string,
  request: HandshakeRequest,
  handshaker: Handshaker,
): Promise<Attempt> {
  const { route, budget, answerMs } = handshaker;
  const base = { probe, request: request.lines };
  let wire: Wire;
  try {
    wire = await openWire(route, budget, answerMs);
  } catch (error) {
    if (error instanceof RunOver) throw error;
    return { outcome: { ...base, ...nothing("unreachable", 0), error: reasonOf(error) } };
  }
  try {
    const sentAt = performance.now();
    wire.send(request.bytes);
    const { head, fault, firstByteMs } = await readHead(wire, sentAt, answerMs);
    if (head === undefined) {
      const outcome = { ...base, ...unanswered(wire, fault, firstByteMs), error: fault?.error };
      return { outcome, wire };
    }
    if (head.status !== 101) {
      const body = await readBody(wire, head);
      const isLeftOpen = !wire.isEnded();
      const refused = nothing("refused-by-http", firstByteMs);
      return { outcome: { ...base, ...refused, head, body, isLeftOpen }, wire };
    }
    const error = faultOf101(head, request);
    if (error !== undefined) {
      const outcome = { ...base, ...nothing("invalid-101", firstByteMs), head, error };
      return { outcome, wire };
    }
    const connection = openConnection(wire, {
      isEngineIo: handshaker.dialect.name === "engine.io",
      isCompressed: headerOf(head, "sec-websocket-extensions") !== undefined,
    });
    const kind = await lookAfter101(connection, handshaker);
    const { messages, closeCode, closeReason } = connection.heard();
    const seen = { head, messages, closeCode, closeReason, isLeftOpen: !wire.isEnded() };
    return { outcome: { ...base, ...nothing(kind, firstByteMs), ...seen }, connection, wire };
  } catch (error) {
    wire.socket.destroy();
    throw error;
  }
}

async function lookAfter101(
  connection: Connection,
  { dialect, dress, answerMs, quietMs, isBare }: Handshaker,
): Promise<OutcomeKind> {
  const listensUntil = performance.now() + quietMs;
  const opening = isBare ? "agreed" : await dialect.open(connection, dress, answerMs);
  if (opening !== "denied") await connection.listen(listensUntil - performance.now());
  if (connection.isOver()) return "closed-after-101";
  if (opening === "denied") return "refused-by-message";
  if (opening === "mute") return "mute-after-101";
  if (await connection.ping(answerMs)) return "accepted";
  return connection.isOver() ? "closed-after-101" : "mute-after-101";
}

interface HeadFault {
  readonly kind: OutcomeKind;
  readonly error?: string;
}

/** Reads up to the end of the head, past interim answers (RFC 9110 §15.2). The time is for all of it, however slowly it drips. */
async function readHead(
  wire: Wire,
  sentAt: number,
  answerMs: number,
): Promise<{
  readonly head?: AnswerHead;
  readonly fault?: HeadFault;
  readonly firstByteMs: number;
}> {
  let firstByteMs: number | undefined;
  const elapsed = (): number => performance.now() - sentAt;
  for (let answers = 0; answers <= maxInterimAnswers; answers++) {
    let scanned = 0;
    const end = await wire.wait((kept): number | "alien" | "endless" | undefined => {
      if (kept.length > 0) firstByteMs ??= elapsed();
      if (!isHttpSoFar(kept)) return "alien";
      const at = kept.indexOf("\r\n\r\n", Math.max(0, scanned - 3));
      scanned = kept.length;
      if (at === -1) return scanned > maxHeadBytes ? "endless" : undefined;
      return at;
    }, answerMs - elapsed());
    const spentMs = firstByteMs ?? elapsed();
    if (typeof end !== "number") {
      const hasBytes = wire.peek().length > 0;
      return { fault: faultOf(end, hasBytes), firstByteMs: spentMs };
    }
    const head = parseAnswerHead(wire.peek().toString("latin1", 0, end));
    wire.take(end + 4);
    if (head === undefined) {
      return { fault: { kind: "not-http", error: "a malformed head" }, firstByteMs: spentMs };
    }
    if (head.status >= 200 || head.status === 101) return { head, firstByteMs: spentMs };
  }
  return {
    fault: { kind: "not-http", error: "interim answers without end" },
    firstByteMs: firstByteMs ?? elapsed(),
  };
}

function faultOf(
  end: "alien" | "endless" | "timeout" | "ended" | "overfull",
  hasBytes: boolean,
): HeadFault {
  if (end === "alien") return { kind: "not-http" };
  if (end === "endless" || end === "overfull") {
    return { kind: "not-http", error: "a head without end" };
  }
  if (hasBytes) return { kind: "not-http", error: "a head that is not whole" };
  return { kind: end === "ended" ? "ended-without-a-byte" : "silent" };
}

function unanswered(
  wire: Wire,
  fault: HeadFault | undefined,
  answerMs: number,
): ReturnType<typeof nothing> {
  const body = wire.peek().toString("latin1", 0, 256);
  const kind = fault?.kind ?? "not-http";
  return { ...nothing(kind, answerMs), body, isLeftOpen: !wire.isEnded() };
}

async function readBody(wire: Wire, head: AnswerHead): Promise<string> {
  const announced = headerOf(head, "content-length");
  const expected = Math.min(
    announced !== undefined && /^\d{1,15}$/.test(announced) ? Number(announced) : maxBodyBytes,
    maxBodyBytes,
  );
  // Behind a whole body the end of the connection may follow; it is worth a moment, since some leave it open.
  await wire.wait((kept) => (kept.length >= expected ? true : undefined), bodyMs);
  const length = Math.min(wire.peek().length, expected);
  const body = wire.peek().toString("utf8", 0, length);
  wire.take(length);
  if (!wire.isEnded()) await wire.wait(() => undefined, bodyMs);
  return body;
}

/** RFC 6455 §4.1: what a client demands of the answer. */
function faultOf101(
  head: AnswerHead,
  { key, protocols, extensions }: HandshakeRequest,
): string | undefined {
  if (!tokensOf(headerOf(head, "upgrade")).includes("websocket")) return "no Upgrade: websocket";
  if (!tokensOf(headerOf(head, "connection")).includes("upgrade")) return "no Connection: Upgrade";
  if (key !== undefined && headerOf(head, "sec-websocket-accept") !== acceptFor(key)) {
    return "a wrong Sec-WebSocket-Accept";
  }
  const protocol = headerOf(head, "sec-websocket-protocol");
  if (protocol !== undefined && !protocols.includes(protocol)) {
    return "a subprotocol that was not offered";
  }
  if (headerOf(head, "sec-websocket-extensions") !== undefined && extensions === undefined) {
    return "an extension that was not offered";
  }
  return undefined;
}

const acceptFor = (key: string): string =>
  createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");

function nothing(kind: OutcomeKind, answerMs: number): Omit<Outcome, "probe" | "request"> {
  return { kind, body: "", messages: [], isLeftOpen: false, answerMs };
}

const reasonOf = (error: unknown): string => {
  const { code, message } = error as { readonly code?: string; readonly message?: string };
  return code ?? message ?? "unknown";
};
