import { createServer } from "node:http";
import { createRequire } from "node:module";
import { createClient } from "graphql-ws";
import { type Extra, useServer } from "graphql-ws/use/ws";
import { onTestFinished } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { textFrame } from "../support/raw-client.ts";
import { connecting } from "./client.ts";
import type { Application, Library } from "./library.ts";

export const graphqlWs: Library = {
  name: "graphql-ws",
  package: "graphql-ws",
  path: "/graphql",
  target: "/graphql",
  protocols: ["graphql-transport-ws"],
  start: async (app, prepare) => {
    const server = createServer();
    prepare(server);
    const wss = new WebSocketServer({ noServer: true });
    server.on("upgrade", (request, socket, head) => {
      if (request.url !== "/graphql") return;
      wss.handleUpgrade(request, socket, head, (one) => wss.emit("connection", one, request));
    });
    wss.on("connection", (socket, request) => {
      app.connected(request);
      socket.on("close", app.left);
    });
    const served = useServer(
      { schema, roots: { query: rootOf(app) }, context: ({ extra }) => extra },
      wss,
    );
    const close = async (): Promise<void> => {
      await served.dispose();
      server.close();
    };
    return { server, close };
  },
  connect: (port) =>
    connecting(({ opened, failed, heard, ended }) => {
      const client = createClient({
        url: `ws://127.0.0.1:${port}/graphql`,
        webSocketImpl: WebSocket,
        lazy: false,
        retryAttempts: 0,
        onNonLazyError: failed,
      });
      client.on("connected", opened);
      client.on("closed", (event) => ended(`${(event as CloseEvent).code}`));
      const send = (text: string): void => {
        const query = `{ say(text: ${JSON.stringify(text)}) }`;
        client.subscribe<{ readonly say: string }>(
          { query },
          {
            next: ({ data }) => heard(data?.say ?? ""),
            error: () => undefined,
            complete: () => undefined,
          },
        );
      };
      const close = (): void => void client.dispose();
      onTestFinished(() => client.terminate());
      return { send, close };
    }),
  frameOf: (text) => textFrame(JSON.stringify({ type: "ping", payload: { text } })),
  opening: {
    frame: textFrame(JSON.stringify({ type: "connection_init" })),
    answer: "connection_ack",
  },
  keepsClients: false,
  lacks: {},
};

// The copy that graphql-ws itself loads: bundlers' `module` condition would lead to a second one, which it refuses.
const { buildSchema } = createRequire(import.meta.url)("graphql") as typeof import("graphql");

const schema = buildSchema("type Query { say(text: String!): String! }");

const rootOf = (app: Application) => ({
  say: ({ text }: { readonly text: string }, { socket }: Extra): string => {
    app.said(text);
    if (text === "leave") socket.close(4001, "left");
    return text;
  },
});
