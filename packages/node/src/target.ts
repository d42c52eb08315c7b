import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { answerOf, type Refusal } from "@firmshake/core";
import { closeGracefully, ignore, refuseOnSocket } from "./answer-on-socket.ts";
import type { ExtendedConnect } from "./http2/extended-connect.ts";

/** The ways in which Node gives out a handshake, made alike. */
export interface Target {
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
  readonly refuse: (refusal: Refusal) => void;
  /** Called when somebody else has answered. */
  readonly finish: () => void;
  /** Hands over by emitting the event that was held; false where nobody listens any more. */
  readonly proceed: () => boolean;
}

/** An upgrade event: the HTTP parser is gone and the socket is bare. */
export function socketTarget(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  proceed: () => boolean,
): Target {
  const writtenBefore = bytesWrittenTo(socket);
  return {
    request,
    socket,
    response: undefined,
    ownSocket: socket,
    connect: undefined,
    isGone: () => socket.destroyed || socket.readableEnded,
    earlyBytes: () => head.length + socket.readableLength,
    refuse: (refusal) => {
      // Behind the beginning of somebody's answer a second one would be read as part of it.
      if (bytesWrittenTo(socket) === writtenBefore) refuseOnSocket(socket, refusal);
      else closeGracefully(socket);
    },
    finish: () => closeGracefully(socket),
    proceed: () => {
      if (proceed()) return true;
      // The listeners were removed while the check ran; nobody owns the socket now.
      socket.on("error", ignore);
      socket.destroy();
      return false;
    },
  };
}

/** Undefined for a stream that does not count. */
const bytesWrittenTo = (socket: Duplex): number | undefined =>
  (socket as { readonly bytesWritten?: number }).bytesWritten;

/** A request event: Node's own response is there to answer with, and its own listeners are on the socket. */
export function requestTarget(
  request: IncomingMessage,
  response: ServerResponse,
  proceed: () => boolean,
): Target {
  return {
    request,
    socket: request.socket,
    response,
    ownSocket: undefined,
    connect: undefined,
    isGone: () => request.socket.destroyed || request.socket.readableEnded,
    earlyBytes: () => 0,
    refuse: (refusal) => {
      if (response.destroyed || response.writableEnded) return;
      if (response.headersSent) {
        response.destroy();
        return;
      }
      const { status, headers, body } = answerOf(refusal);
      response.writeHead(status, [
        ...headers.flat(),
        "Content-Length",
        String(Buffer.byteLength(body)),
        "Connection",
        "close",
      ]);
      response.end(body);
      mute(response);
    },
    finish: () => undefined,
    proceed,
  };
}

/** Middleware that answers after the time was over must not bring the process down: Node's response would throw. */
function mute(response: ServerResponse): void {
  for (const name of ["setHeader", "appendHeader", "removeHeader", "writeHead", "write", "end"]) {
    Object.defineProperty(response, name, { value: () => response });
  }
}
