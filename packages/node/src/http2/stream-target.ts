import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { ServerHttp2Stream } from "node:http2";
import type { Duplex } from "node:stream";
import type { Refusal } from "@firmshake/core";
import { answerOnSocket, closeGracefully, ignore } from "../answer-on-socket.ts";
import { type Target, watchSocket } from "../target.ts";
import { readExtendedConnect } from "./extended-connect.ts";
import { noWebSocket, streamSocket } from "./stream-socket.ts";
import { upgradeRequest } from "./upgrade-request.ts";

const nothing = Buffer.alloc(0);

/** A stream that asks for a WebSocket (RFC 8441), handed over as the upgrade that libraries know. */
export function streamTarget(
  server: object,
  stream: ServerHttp2Stream,
  rawHeaders: readonly string[],
  emitUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => boolean,
): Target {
  const connect = readExtendedConnect(rawHeaders);
  const key = randomBytes(16).toString("base64");
  const socket = streamSocket(stream, key);
  socket.server = server;
  const request = upgradeRequest(connect, socket, key);
  return {
    transport: "websocket",
    request,
    socket,
    response: undefined,
    ownSocket: socket,
    connect,
    isGone: () => socket.isGone,
    earlyBytes: () => socket.unreadBytes,
    isBodyTouched: () => false,
    watch: watchSocket(socket),
    refuse: (refusal) => {
      socket.on("error", ignore);
      // Behind the beginning of somebody's answer a second one would be read as part of it.
      if (socket.bytesWritten === 0) socket.refuse(refusal);
      else closeGracefully(socket);
    },
    refuseByClose: (bytes) => {
      if (socket.bytesWritten === 0) answerOnSocket(socket, bytes);
      else closeGracefully(socket);
    },
    key,
    finish: () => closeGracefully(socket),
    proceed: (meter) => {
      meter?.(socket, nothing);
      if (emitUpgrade(request, socket, nothing)) return true;
      // The listeners were removed while the check ran.
      socket.refuse(noWebSocket);
      return false;
    },
  };
}

/** Nobody behind the gate gets to see such a stream. */
export function refuseStream(stream: ServerHttp2Stream, refusal: Refusal): void {
  streamSocket(stream, "").refuse(refusal);
}
