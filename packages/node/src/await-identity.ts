import { Buffer } from "node:buffer";
import type { IncomingMessage } from "node:http";
import type { Identity } from "@firmshake/core";
import {
  closeWith,
  isLeaving,
  listenTo,
  type MessagePayload,
  type MessageSocket,
  payloadOf,
} from "@firmshake/core/gate";
import { ignore } from "./answer-on-socket.ts";
import { addIdentity, connectionOf, timeOfDayFor } from "./connection.ts";
import type { Connection } from "./connections/guarded-socket.ts";
import type { FirstMessageOptions } from "./first-message.ts";
import { identityFrom } from "./identity.ts";

/** What a socket has to keep to until it is authenticated. */
export interface Terms {
  readonly verify: FirstMessageOptions["verify"];
  readonly timeoutMs: number;
  readonly maxBytes: number;
  readonly maxMessages: number;
  readonly onRefused: FirstMessageOptions["onRefused"];
}

type Closing = readonly [closeCode: number, closeReason: string];
const unauthorized: Closing = [3000, "Authentication failed."];
const late: Closing = [3008, "Authentication took too long."];
const early: Closing = [1008, "Wait until you are authenticated."];
const notText: Closing = [1003, "Authentication is a text message."];
const tooMuch: Closing = [1009, "Too much was sent before authentication."];
const failed: Closing = [1011, "Authentication could not be checked."];
const crowded: Closing = [1013, "Too many wait to be authenticated; come again later."];

/** How long a client may take to answer a close, in milliseconds. */
const lingerMs = 1_000;
/** What may come on the wire beside the messages: the heads of frames, and pings. */
const maxFramingBytes = 1_024;

// Taken at load: tests of applications replace the globals by faked ones.
const { setTimeout, clearTimeout } = globalThis;

/**
 * Waits for one socket's authentication.
 *
 * @param leave - Gives the socket's place back; undefined where there is none left for it.
 */
export function awaitIdentity(
  socket: MessageSocket,
  request: IncomingMessage,
  { verify, timeoutMs, maxBytes, maxMessages, onRefused }: Terms,
  leave: (() => void) | undefined,
): Promise<Connection<{ readonly identity: Identity }> | undefined> {
  const connection = connectionOf(request);
  const { socket: transport } = request;
  /** What is not verified yet: messages are tried in their order. */
  const queue: string[] = [];
  let isOver = false;
  let isVerifying = false;
  let messages = 0;
  let messageBytes = 0;
  let wireBytes = 0;
  let settle: (authenticated?: Connection<{ readonly identity: Identity }>) => void;

  // From the hand-over on; a clock that was set back meanwhile makes it no longer.
  const leftMs = Math.min(timeoutMs, connection.acceptedAt + timeoutMs - timeOfDayFor(request));
  let timer = setTimeout(() => refuse(late), Math.max(leftMs, 1));
  // Stays: errors that come before the application listens would end the process.
  listenTo(socket, "error", ignore);
  const stopListening = [
    listenTo(socket, "message", onMessage),
    () => void transport.off("close", onClose),
  ];
  transport.once("close", onClose);
  // A library that has not begun to read would lose what came.
  if (transport.readableFlowing !== null) {
    transport.on("data", onBytes);
    stopListening.push(() => void transport.off("data", onBytes));
  }
  const authenticated = new Promise<Connection<{ readonly identity: Identity }> | undefined>(
    (resolve) => {
      settle = resolve;
    },
  );
  if (isLeaving(socket) || transport.destroyed) onClose();
  else if (leave === undefined) refuse(crowded);
  return authenticated;

  function onMessage(...[message, isBinary]: readonly unknown[]): void {
    if (isOver) return;
    messages++;
    if (messages > maxMessages) return refuse(early);
    const text = textOf(payloadOf(message, isBinary));
    if (text === undefined) return refuse(notText);
    messageBytes += Buffer.byteLength(text);
    if (messageBytes > maxBytes) return refuse(tooMuch);
    queue.push(text);
    if (!isVerifying) verifyNext();
  }

  function verifyNext(): void {
    const text = queue.shift() as string;
    isVerifying = true;
    // Also where it answers at once: what else is in the same packet is seen before the application could listen.
    new Promise<Awaited<ReturnType<typeof verify>>>((adopt) => adopt(verify(text, connection)))
      .then(onVerified)
      .catch((error: unknown) => refuse(failed, error));
  }

  function onVerified(found: Awaited<ReturnType<typeof verify>>): void {
    // Where it is leaving, its end is near: it closes, or the deadline comes.
    if (isOver || isLeaving(socket)) return;
    if (found === undefined || found === null || found === false) {
      isVerifying = false;
      if (queue.length > 0) verifyNext();
      else if (messages >= maxMessages) refuse(unauthorized);
      return;
    }
    // Nobody else would hear it.
    if (queue.length > 0) return refuse(early);
    const scheme = "scheme" in found && found.scheme;
    const identity = identityFrom(found, typeof scheme === "string" ? scheme : "bearer");
    if (identity === undefined) return refuse(failed, new TypeError("the subject is no text"));
    if (!addIdentity(request, identity)) return refuse(unauthorized);
    finish(connection as Connection<{ readonly identity: Identity }>);
  }

  /** Fragments and control frames are seen here alone. */
  function onBytes({ length }: Buffer): void {
    wireBytes += length;
    if (wireBytes <= maxBytes + maxFramingBytes) return;
    if (!isOver) return refuse(tooMuch);
    // Was told already, and goes on.
    if (wireBytes > 2 * (maxBytes + maxFramingBytes)) transport.destroy();
  }

  function refuse(closing: Closing, cause?: unknown): void {
    if (isOver) return;
    isOver = true;
    clearTimeout(timer);
    timer = setTimeout(() => transport.destroy(), lingerMs).unref();
    const [closeCode, closeReason] = closing;
    if (!closeWith(socket, closeCode, closeReason)) transport.destroy();
    settle(undefined);
    report(closeCode, closeReason, cause);
  }

  function onClose(): void {
    finish(undefined);
  }

  function finish(result: Connection<{ readonly identity: Identity }> | undefined): void {
    isOver = true;
    clearTimeout(timer);
    for (const stop of stopListening) stop();
    leave?.();
    settle(result);
  }

  function report(closeCode: number, closeReason: string, cause: unknown): void {
    if (onRefused === undefined) return;
    // As in the gate: recording must not decide about connections.
    new Promise((adopt) => adopt(onRefused({ connection, closeCode, closeReason, cause }))).catch(
      ignore,
    );
  }
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

function textOf(payload: MessagePayload | undefined): string | undefined {
  if (payload?.isText !== true) return undefined;
  const { data } = payload;
  return typeof data === "string" ? data : decoder.decode(data);
}
