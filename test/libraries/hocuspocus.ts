import { HocuspocusProvider, HocuspocusProviderWebsocket } from "@hocuspocus/provider";
import { Server } from "@hocuspocus/server";
import { onTestFinished } from "vitest";
import { WebSocket } from "ws";
import { maskedFrame } from "../support/raw-client.ts";
import { connecting } from "./client.ts";
import type { Library } from "./library.ts";

export const hocuspocus: Library = {
  name: "Hocuspocus",
  package: "@hocuspocus/server",
  path: "/documents",
  target: "/documents",
  start: async (app, prepare) => {
    const hocuspocus = new Server({
      quiet: true,
      stopOnSignals: false,
      onUpgrade: async ({ request }) => {
        // Rejecting with nothing leaves the upgrade to other listeners.
        if (request.url !== "/documents") return Promise.reject();
      },
      onConnect: async ({ request }) => app.connected(request),
      onStateless: async ({ payload, connection }) => {
        app.said(payload);
        if (payload !== "leave") return connection.sendStateless(payload);
        for (const socket of hocuspocus.webSocketServer.clients) socket.close(4001, "left");
      },
      onDisconnect: async () => app.left("disconnected"),
    });
    const { httpServer: server } = hocuspocus;
    prepare(server);
    return { server, close: () => hocuspocus.destroy() };
  },
  connect: (port) =>
    connecting(({ opened, failed, heard, ended }) => {
      const websocketProvider = new HocuspocusProviderWebsocket({
        url: `ws://127.0.0.1:${port}/documents`,
        WebSocketPolyfill: WebSocket,
        maxAttempts: 1,
        onClose: ({ event }) => {
          websocketProvider.disconnect();
          ended(`${event.code} ${event.reason}`);
        },
      });
      const provider = new HocuspocusProvider({
        name: "page",
        token: "",
        websocketProvider,
        onSynced: opened,
        onAuthenticationFailed: failed,
        onStateless: ({ payload }) => heard(payload),
        // The server has closed the document; its own shutting down waits for the socket.
        onClose: () => websocketProvider.disconnect(),
      });
      provider.attach();
      onTestFinished(() => {
        provider.destroy();
        websocketProvider.destroy();
      });
      return {
        send: (text) => provider.sendStateless(text),
        close: () => websocketProvider.disconnect(),
      };
    }),
  frameOf: (text) => frame("page", [5], text),
  opening: { frame: frame("page", [2, 0], ""), answer: "read-write" },
  keepsClients: false,
  lacks: { order: "it makes its server and listens for upgrades in one step" },
};

/** A masked binary frame with a message of its protocol: the document, numbers of the kind of message, a text. */
function frame(name: string, kinds: readonly number[], text: string): Buffer {
  const payload = Buffer.from([
    name.length,
    ...Buffer.from(name),
    ...kinds,
    ...lengthOf(text),
    ...Buffer.from(text),
  ]);
  return maskedFrame(0x82, payload);
}

/** Seven bits in each byte, the last ones first. */
function lengthOf({ length }: string): readonly number[] {
  return length < 128 ? [length] : [0x80 | (length & 127), length >> 7];
}
