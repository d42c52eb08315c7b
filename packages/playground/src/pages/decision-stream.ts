import type { ServerResponse } from "node:http";
import type { DecisionLog } from "../decisions.ts";
import type { DecisionView } from "../protocol.ts";
import type { Handler } from "./handler.ts";

/** The decisions as they are made, as server-sent events. Those that a client has missed come first. */
export function decisionStream(log: DecisionLog): {
  readonly handler: Handler;
  readonly close: () => void;
} {
  const open = new Set<ServerResponse>();
  return {
    handler: (request, response) => {
      const seen = Number(request.headers["last-event-id"] ?? 0);
      response.writeHead(200, {
        "Content-Type": "text/event-stream",
        "Cache-Control": "no-store",
      });
      response.flushHeaders();
      const send = (decision: DecisionView): void => {
        response.write(`id: ${decision.id}\ndata: ${JSON.stringify(decision)}\n\n`);
      };
      for (const decision of log.recent()) if (decision.id > seen) send(decision);
      const unsubscribe = log.subscribe(send);
      open.add(response);
      response.on("close", () => {
        unsubscribe();
        open.delete(response);
      });
    },
    close: () => {
      for (const response of open) response.end();
    },
  };
}
