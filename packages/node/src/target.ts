import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { answerOf, type HeaderLine, type Refusal, type Transport } from "@firmshake/core";
import {
  answerOnSocket,
  closeGracefully,
  connectionFor,
  ignore,
  refuseOnSocket,
} from "./answer-on-socket.ts";
import type { ExtendedConnect } from "./http2/extended-connect.ts";

// Taken at load: tests of applications replace the globals by faked ones.
const { setTimeout, clearTimeout } = globalThis;

/** The ways in which Node gives out a handshake, made alike. */
export interface Target {
  readonly transport: Transport;
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly response: ServerResponse | undefined;
  /** The socket, where it is this handshake's alone from now on. */
  readonly ownSocket: Duplex | undefined;
  /** What the request was made up from, where it came over HTTP/2. */
  readonly connect: ExtendedConnect | undefined;
  /** Whether nobody is there any more to be handed over. */
  readonly isGone: () => boolean;
  /** What the client has sent behind the handshake so far. */
  readonly earlyBytes: () => number;
  /** Whether somebody has read from a body that is the library's. */
  readonly isBodyTouched: () => boolean;
  /** Calls when the client leaves, until the answer is called. */
  readonly watch: (onGone: () => void) => () => void;
  readonly refuse: (refusal: Refusal, more: readonly HeaderLine[]) => void;
  /** Answers with a whole WebSocket instead; undefined where the connection goes on to be HTTP's. */
  readonly refuseByClose: ((bytes: string) => void) | undefined;
  /** What the answer's `Sec-WebSocket-Accept` is made of, where that is not the client's own key. */
  readonly key: string | undefined;
  /** Called when somebody else has answered. */
  readonly finish: () => void;
  /**
   * Hands over by emitting the event that was held; false where nobody listens any more.
   *
   * @param meter - Says what of the early bytes the library may see.
   */
  readonly proceed: (meter?: MeterHead) => boolean;
}

/** Meters a socket that is handed over with these bytes, and answers with those that the library may see. */
export type MeterHead = (socket: Duplex, head: Buffer | undefined) => Buffer | undefined;

/** An upgrade event: the HTTP parser is gone and the socket is bare. */
export function socketTarget(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer | undefined,
  proceed: (head: Buffer | undefined) => boolean,
): Target {
  const writtenBefore = bytesWrittenTo(socket);
  return {
    transport: "websocket",
    request,
    socket,
    response: undefined,
    ownSocket: socket,
    connect: undefined,
    earlyBytes: () => (head?.length ?? 0) + socket.readableLength,
    isGone: () => socket.destroyed || socket.readableEnded,
    isBodyTouched: () => false,
    watch: watchSocket(socket),
    refuse: (refusal) => {
      // Behind the beginning of somebody's answer a second one would be read as part of it.
      if (bytesWrittenTo(socket) === writtenBefore) refuseOnSocket(socket, refusal);
      else closeGracefully(socket);
    },
    refuseByClose: (bytes) => {
      if (bytesWrittenTo(socket) === writtenBefore) answerOnSocket(socket, bytes);
      else closeGracefully(socket);
    },
    key: undefined,
    finish: () => closeGracefully(socket),
    proceed: (meter) => {
      const early = withWaitingBytes(head, socket);
      if (proceed(meter === undefined ? early : meter(socket, early))) return true;
      // The listeners were removed while the check ran; nobody owns the socket now.
      socket.on("error", ignore);
      socket.destroy();
      return false;
    },
  };
}

/**
 * What arrived while the check ran, behind what came with the handshake. Left in the stream it would be given to the library the moment
 * that it listens, and faye-websocket, which SockJS is built on, fails on bytes before it has answered. The stream flows no more than before.
 */
export function withWaitingBytes(head: Buffer | undefined, socket: Duplex): Buffer | undefined {
  const { readableLength } = socket;
  // Without the length Node 26 gives out one packet alone.
  const waiting: unknown = readableLength > 0 ? socket.read(readableLength) : null;
  if (!Buffer.isBuffer(waiting)) return head;
  return head === undefined ? waiting : Buffer.concat([head, waiting]);
}

/** Undefined for a stream that does not count. */
const bytesWrittenTo = (socket: Duplex): number | undefined =>
  (socket as { readonly bytesWritten?: number }).bytesWritten;

export const watchSocket =
  (socket: Duplex): Target["watch"] =>
  (onGone) => {
    socket.on("end", onGone).on("close", onGone);
    return () => void socket.off("end", onGone).off("close", onGone);
  };

/** A request event: Node's own response is there to answer with, and its own listeners are on the socket. */
export function requestTarget(
  transport: Transport,
  request: IncomingMessage,
  response: ServerResponse,
  proceed: () => boolean,
): Target {
  const stream = streamOf(request);
  const socket = stream ?? request.socket;
  return {
    transport,
    request,
    socket,
    response,
    ownSocket: undefined,
    connect: undefined,
    earlyBytes: () => 0,
    isGone: () => socket.destroyed || (stream === undefined && socket.readableEnded),
    isBodyTouched: () => {
      const { readableDidRead, readableEnded, readableFlowing } = request;
      const isTouched = readableDidRead || readableEnded || readableFlowing === true;
      return isTouched && request.method === "POST";
    },
    watch: stream === undefined ? watchSocket(socket) : watchStream(stream),
    refuse: (refusal, more) => {
      if (response.destroyed || response.writableEnded) return;
      if (response.headersSent) {
        socket.destroy();
        return;
      }
      const { status, headers, body } = answerOf(refusal);
      for (const name of response.getHeaderNames()) response.removeHeader(name);
      response.writeHead(status, STATUS_CODES[status], [
        ...[...headers, ...more].flat(),
        ...["Content-Length", String(Buffer.byteLength(body))],
        ...["Date", new Date().toUTCString()],
        // RFC 9113 §8.2.2: a stream has no such field.
        ...(stream === undefined ? ["Connection", connectionFor(headers)] : []),
      ]);
      if (request.method === "POST" && !request.complete && stream === undefined) {
        endBehindBody(request, response, body);
      } else {
        response.end(body);
      }
      mute(response);
    },
    // Node's parser is on the socket, and would read the client's frames.
    refuseByClose: undefined,
    key: undefined,
    finish: () => undefined,
    proceed,
  };
}

/** HTTP/2 gives each request a stream; the socket that Node shows beside it is a stand-in. */
const streamOf = (request: IncomingMessage): Duplex | undefined =>
  (request as { readonly stream?: Duplex }).stream;

/** There the end of the request is no sign of leaving. */
const watchStream =
  (stream: Duplex): Target["watch"] =>
  (onGone) => {
    stream.on("aborted", onGone).on("close", onGone);
    return () => void stream.off("aborted", onGone).off("close", onGone);
  };

/** How long a refused client may go on sending its body, in milliseconds. */
const lingerMs = 1_000;

/** Node closes behind the end of an answer, and closing on unread bytes would reset the connection and lose the answer on the way. */
function endBehindBody(request: IncomingMessage, response: ServerResponse, body: string): void {
  const finish = response.end.bind(response);
  const end = (): void => {
    clearTimeout(timer);
    finish();
  };
  const timer = setTimeout(finish, lingerMs).unref();
  response.write(body);
  request.once("end", end).once("close", end).resume();
}

/** Middleware that answers after the time was over must not bring the process down: Node's response would throw. */
function mute(response: ServerResponse): void {
  for (const name of ["setHeader", "appendHeader", "removeHeader", "writeHead", "write", "end"]) {
    Object.defineProperty(response, name, { value: () => response });
  }
}
