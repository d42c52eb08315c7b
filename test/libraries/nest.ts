import "reflect-metadata";
import type { Server } from "node:http";
import { type INestApplication, Module, type WebSocketAdapter } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { IoAdapter } from "@nestjs/platform-socket.io";
import { WsAdapter } from "@nestjs/platform-ws";
import { SubscribeMessage, WebSocketGateway } from "@nestjs/websockets";
import type { Socket } from "socket.io";
import type { WebSocket } from "ws";
import { textFrame } from "../support/raw-client.ts";
import { wsClient } from "./client.ts";
import type { Library, Started } from "./library.ts";
import { socketIo } from "./socket-io.ts";

export const nestWs: Library = {
  name: "NestJS gateway (ws)",
  package: "@nestjs/platform-ws",
  path: "/chat",
  target: "/chat",
  start: (app, prepare) => {
    class Chat {
      handleConnection(socket: WebSocket, request: object): void {
        app.connected(request);
        socket.on("close", app.left);
      }

      say(socket: WebSocket, text: string): object | undefined {
        app.said(text);
        if (text !== "leave") return { event: "say", data: text };
        socket.close(4001, "left");
        return undefined;
      }
    }
    return startNest(Chat, { path: "/chat" }, (nest) => new WsAdapter(nest), prepare);
  },
  connect: (port) =>
    wsClient(port, "/chat", [], {
      wrap: (text) => JSON.stringify({ event: "say", data: text }),
      unwrap: (data) => (JSON.parse(data) as { readonly data: string }).data,
    }),
  frameOf: (text) => textFrame(JSON.stringify({ event: "say", data: text })),
  keepsClients: false,
  lacks: { shared: "it destroys the sockets of every path without a gateway" },
};

export const nestSocketIo: Library = {
  ...socketIo,
  name: "NestJS gateway (Socket.IO)",
  package: "@nestjs/platform-socket.io",
  start: (app, prepare) => {
    class Chat {
      handleConnection(socket: Socket): void {
        app.connected(socket.request);
        socket.on("disconnect", app.left);
      }

      say(socket: Socket, text: string): object | undefined {
        app.said(text);
        if (text !== "leave") return { event: "say", data: text };
        socket.disconnect(true);
        return undefined;
      }
    }
    return startNest(Chat, {}, (nest) => new IoAdapter(nest), prepare);
  },
};

interface Gateway {
  new (): object;
  readonly prototype: { readonly say: (...given: never) => object | undefined };
}

/** Decorators are plain functions: no compiler flag is needed. */
async function startNest(
  Chat: Gateway,
  options: { readonly path?: string },
  adapterOf: (nest: INestApplication) => WebSocketAdapter,
  prepare: (server: Server) => void,
): Promise<Started> {
  WebSocketGateway(options)(Chat);
  const say = Object.getOwnPropertyDescriptor(Chat.prototype, "say") as PropertyDescriptor;
  SubscribeMessage("say")(Chat.prototype, "say", say);
  class Root {}
  Module({ providers: [Chat] })(Root);

  const nest = await NestFactory.create(Root, { logger: false, abortOnError: false });
  nest.useWebSocketAdapter(adapterOf(nest));
  const server = nest.getHttpServer() as Server;
  prepare(server);
  await nest.listen(0, "127.0.0.1");
  return { server, close: () => nest.close() };
}
