import fastifyWebsocket from "@fastify/websocket";
import Fastify from "fastify";
import { textFrame } from "../support/raw-client.ts";
import { wsClient } from "./client.ts";
import { converse } from "./converse.ts";
import type { Library } from "./library.ts";

export const fastify: Library = {
  name: "@fastify/websocket",
  package: "@fastify/websocket",
  path: "/chat",
  target: "/chat",
  start: async (app, prepare) => {
    const fastify = Fastify();
    prepare(fastify.server);
    await fastify.register(fastifyWebsocket);
    fastify.get("/chat", { websocket: true }, (socket, { raw }) => converse(app, socket, raw));
    await fastify.listen({ port: 0, host: "127.0.0.1" });
    return { server: fastify.server, close: () => fastify.close() };
  },
  connect: (port) => wsClient(port, "/chat"),
  frameOf: textFrame,
  keepsClients: false,
  lacks: { shared: "it answers 404 itself to every path without a route" },
};
