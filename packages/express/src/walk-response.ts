import { ServerResponse } from "node:http";
import type { Upgrade } from "@firmshake/node";

/** The response that middleware gets to see on a walk. */
export interface WalkResponse {
  readonly response: ServerResponse;
  /** Lets go of the socket; what is written from then on reaches nobody. */
  readonly release: () => void;
}

/**
 * An upgrade's socket is bare: it gets a response of its own, which lets go of it again without a trace. Where Node gave the upgrade out as
 * a request, its own response is used, since that one knows of the requests before it.
 */
export function walkResponse({ request, response, socket }: Upgrade): WalkResponse {
  return response === undefined
    ? lend(new ServerResponse(request), socket)
    : { response, release: () => undefined };
}

function lend(response: ServerResponse, socket: Upgrade["socket"]): WalkResponse {
  // Node's server has taken its own listener for this away with the upgrade; without it a long answer stops in the middle.
  const onDrain = (): void => void response.emit("drain");
  response.shouldKeepAlive = false;
  response.assignSocket(socket as never);
  socket.on("drain", onDrain);
  return {
    response,
    release: () => {
      // Newer versions of Node keep what was written until the end of the tick, when the socket would be gone.
      if (response.headersSent) response.uncork();
      response.detachSocket(socket as never);
      socket.off("drain", onDrain);
      // As Node does with a response whose socket has closed: late writes are dropped, and who waits for the end hears of it.
      if (response.destroyed) return;
      response.destroyed = true;
      process.nextTick(() => response.emit("close"));
    },
  };
}
