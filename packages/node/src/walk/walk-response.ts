import { ServerResponse } from "node:http";
import type { Upgrade } from "../ruling.ts";

/** The response that middleware gets to see on a walk. */
export interface WalkResponse {
  readonly response: ServerResponse;
  /**
   * Lets go of the socket; what is written from then on reaches nobody. Who waits for the end of the response hears of it.
   *
   * @param status - What became of the upgrade, for those who log it.
   */
  readonly release: (status: number) => void;
}

/**
 * An upgrade's socket is bare: it gets a response of its own, which lets go of it again without a trace. Where Node gave the upgrade out as
 * a request, its own response is used, since that one knows of the requests before it.
 */
export function lentResponse({ request, response, socket }: Upgrade): WalkResponse {
  if (response === undefined) return lend(new ServerResponse(request), socket);
  return {
    response,
    // After the hand-over the request comes through the stack again, with the same response.
    release: (status) => {
      response.statusCode = status === 101 ? 200 : status;
    },
  };
}

/** What whoever let the upgrade in made of its socket. That hears of a refusal when the answer has arrived, since it may then cut off. */
export function adoptedResponse(response: ServerResponse): WalkResponse {
  const { socket } = response;
  // The socket is closed behind an answer, and the answer should say so.
  response.shouldKeepAlive = false;
  return {
    response,
    release: (status) => {
      if (status === 101 || response.headersSent) return;
      socket?.once("close", () => {
        response.statusCode = status;
        response.emit("finish");
      });
    },
  };
}

function lend(response: ServerResponse, socket: Upgrade["socket"]): WalkResponse {
  // Node's server has taken its own listener for this away with the upgrade; without it a long answer stops in the middle.
  const onDrain = (): void => void response.emit("drain");
  response.shouldKeepAlive = false;
  response.assignSocket(socket as never);
  socket.on("drain", onDrain);
  return {
    response,
    release: (status) => {
      // Newer versions of Node keep what was written until the end of the tick, when the socket would be gone.
      if (response.headersSent) response.uncork();
      response.detachSocket(socket as never);
      socket.off("drain", onDrain);
      finish(response, status);
    },
  };
}

/**
 * Ends a response that never came to be, as Node does with one whose socket has closed: late writes are dropped. Whoever waits for the end
 * by listeners on the socket as well (Koa, loggers) takes them away with it, so that the WebSocket library finds none of them.
 */
function finish(response: ServerResponse, status: number): void {
  if (response.destroyed) return;
  response.destroyed = true;
  const isUnanswered = !response.headersSent;
  if (isUnanswered) response.statusCode = status;
  process.nextTick(() => {
    if (isUnanswered) response.emit("finish");
    response.emit("close");
  });
}
