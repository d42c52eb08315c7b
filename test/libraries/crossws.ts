import { createServer, type IncomingMessage } from "node:http";
import nodeAdapter from "crossws/adapters/node";
import CrosswsSocket from "crossws/websocket";
import { textFrame } from "../support/raw-client.ts";
import { browserLike } from "./client.ts";
import type { Library } from "./library.ts";

export const crossws: Library = {
  name: "crossws (Node)",
  package: "crossws",
  path: "/chat",
  target: "/chat",
  start: async (app, prepare) => {
    const server = createServer();
    prepare(server);
    const { handleUpgrade, closeAll } = nodeAdapter({
      hooks: {
        open: ({ context }) => app.connected(context.incoming as IncomingMessage),
        message: (peer, message) => {
          app.said(message.text());
          if (message.text() === "leave") peer.close(4001, "left");
          else peer.send(message.text());
        },
        close: (_peer, { code }) => app.left(code),
      },
    });
    server.on("upgrade", (incoming, socket, head) => {
      if (incoming.url !== "/chat") return;
      // Its peers show a request of its own making; what the application knows of the real one goes into the context.
      const request = new Request(`http://localhost${incoming.url}`);
      void handleUpgrade(incoming, socket, head, Object.assign(request, { context: { incoming } }));
    });
    const close = (): void => {
      closeAll(1001, "going");
      server.close();
    };
    return { server, close };
  },
  connect: (port) => browserLike(new CrosswsSocket(`ws://127.0.0.1:${port}/chat`)),
  frameOf: textFrame,
  keepsClients: false,
  lacks: {},
};
