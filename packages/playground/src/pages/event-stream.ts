import type { ServerResponse } from "node:http";
import type { ConnectionLog } from "../connections/connection-log.ts";
import type { DecisionLog } from "../decisions.ts";
import type { CloseView, DecisionView, OpenView } from "../protocol.ts";
import type { Handler } from "./handler.ts";

/**
 * What the gate does as it does it, as server-sent events: decisions, of which those that a client has missed come first, and, each by a name of
 * its own, what is open and what was closed. All in one stream, since browsers open six connections to an origin and no more.
 */
export function eventStream(
  decisions: DecisionLog,
  connections: ConnectionLog,
): {
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
      const sendDecision = (decision: DecisionView): void => {
        response.write(`id: ${decision.id}\ndata: ${JSON.stringify(decision)}\n\n`);
      };
      const send = (
        event: "open-connections" | "closed-connection",
        view: OpenView | CloseView,
      ): void => {
        response.write(`event: ${event}\ndata: ${JSON.stringify(view)}\n\n`);
      };
      const onClose = (view: CloseView): void => send("closed-connection", view);
      const onOpen = (view: OpenView): void => send("open-connections", view);
      for (const decision of decisions.recent()) if (decision.id > seen) sendDecision(decision);
      for (const view of connections.closed()) onClose(view);
      onOpen(connections.open());
      const ends = [decisions.subscribe(sendDecision), connections.subscribe({ onOpen, onClose })];
      open.add(response);
      response.on("close", () => {
        for (const end of ends) end();
        open.delete(response);
      });
    },
    close: () => {
      for (const response of open) response.end();
    },
  };
}
