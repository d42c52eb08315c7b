import { createServer, type Server } from "node:http";
import * as onExpress from "@firmshake/express";
import { firmshake } from "@firmshake/fastify";
import * as onKoa from "@firmshake/koa";
import {
  type AnyCheck,
  attach,
  connectionOf,
  type Gate,
  type GateOptions,
  type GuardMode,
  guard,
} from "@firmshake/node";
import Router from "@koa/router";
import express from "express";
import express4 from "express4";
import fastify, { type FastifyServerOptions } from "fastify";
import Koa from "koa";
import { WebSocketServer } from "ws";
import { Koa2 } from "../koa/libraries.ts";

/** What every framework is asked to serve alike. */
export interface Application {
  /** What guards each path; `*` guards all of them. */
  readonly guards: Readonly<Record<string, Guarded>>;
  readonly options?: GateOptions;
  /** Is given the gate. */
  readonly onGate?: (gate: Gate) => void;
}

export interface Guarded {
  readonly checks: readonly AnyCheck[];
  readonly mode?: GuardMode;
}

/** A way to put the same application behind a gate. */
export interface Framework {
  readonly name: string;
  readonly serve: (application: Application) => Promise<Server>;
}

export const everywhere = "*";

const bareNode: Framework = {
  name: "bare Node",
  serve: async ({ guards, options, onGate }) => {
    const server = createServer();
    const routes = Object.entries(guards).map(([path, guarded]) => [
      path === everywhere ? "/*" : path,
      guard(guarded),
    ]);
    const gate = attach(server, Object.fromEntries(routes), options);
    onGate?.(gate);
    return server;
  },
};

/** Paths are compared by the letter in this table; Express does so when it is told to. */
const ofExpress = (name: string, make: typeof express | typeof express4): Framework => ({
  name,
  serve: async ({ guards, options, onGate }) => {
    const app = make();
    app.enable("strict routing").enable("case sensitive routing");
    for (const [path, guarded] of Object.entries(guards)) {
      if (path === everywhere) app.use(onExpress.guard(guarded));
      else app.get(path, onExpress.guard(guarded));
    }
    const server = createServer(app);
    const gate = onExpress.attach(server, app, options);
    onGate?.(gate);
    return server;
  },
});

const ofKoa = (name: string, make: typeof Koa): Framework => ({
  name,
  serve: async ({ guards, options, onGate }) => {
    const app = new make();
    const router = new Router({ strict: true, sensitive: true });
    for (const [path, guarded] of Object.entries(guards)) {
      if (path === everywhere) app.use(onKoa.guard(guarded));
      else router.get(path, onKoa.guard(guarded));
    }
    app.use(router.routes());
    const server = createServer(app.callback());
    const gate = onKoa.attach(server, app, options);
    onGate?.(gate);
    return server;
  },
});

export const ofFastify = (settings: FastifyServerOptions = {}): Framework => ({
  name: "Fastify 5",
  serve: async ({ guards, options = {}, onGate }) => {
    const app = fastify(settings);
    await app.register(firmshake, options);
    for (const [path, guarded] of Object.entries(guards)) {
      if (path === everywhere) await app.register(firmshake, guarded);
      else app.get(path, { config: { firmshake: guarded } }, async () => "the page of this path");
    }
    await app.ready();
    onGate?.(app.firmshake);
    return app.server;
  },
});

/** The first is what the others are compared with. */
export const frameworks: readonly Framework[] = [
  bareNode,
  ofExpress("Express 5", express),
  ofExpress("Express 4", express4),
  ofKoa("Koa 3", Koa),
  ofKoa("Koa 2", Koa2),
  ofFastify(),
];

/** Puts `ws` behind the gate. It says what it was handed, and echoes. */
export function speakOn(server: Server): WebSocketServer {
  const sockets = new WebSocketServer({ server });
  sockets.on("connection", (socket, request) => {
    const { path, facts } = connectionOf(request);
    const { method, url, headers, rawHeaders } = request;
    socket.on("error", () => undefined);
    socket.on("message", (data) => socket.send(String(data)));
    socket.send(JSON.stringify({ path, facts, method, url, headers, rawHeaders }));
  });
  return sockets;
}
