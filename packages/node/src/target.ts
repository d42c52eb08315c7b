import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { answerOf, type Refusal } from "@firmshake/core";
import { closeGracefully, ignore, refuseOnSocket } from "./answer-on-socket.ts";

/** The two ways in which Node gives out a handshake, made alike. */
export interface Target {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
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
  return {
    request,
    socket,
    earlyBytes: () => head.length + socket.readableLength,
    refuse: (refusal) => refuseOnSocket(socket, refusal),
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

/** A request event: Node's own response is there to answer with, and its own listeners are on the socket. */
export function requestTarget(
  request: IncomingMessage,
  response: ServerResponse,
  proceed: () => boolean,
): Target {
  return {
    request,
    socket: request.socket,
    earlyBytes: () => 0,
    refuse: (refusal) => {
      if (response.headersSent || response.destroyed) return;
      const { status, headers, body } = answerOf(refusal);
      response.writeHead(status, [
        ...headers.flat(),
        "Content-Length",
        String(Buffer.byteLength(body)),
        "Connection",
        "close",
      ]);
      response.end(body);
    },
    finish: () => undefined,
    proceed,
  };
}
