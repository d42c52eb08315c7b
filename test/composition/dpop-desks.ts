import type { IncomingMessage, Server } from "node:http";
import websocket from "@fastify/websocket";
import * as onExpress from "@firmshake/express";
import { firmshake } from "@firmshake/fastify";
import * as onKoa from "@firmshake/koa";
import {
  type AnyCheck,
  attach,
  type GateOptions,
  guard,
  origin,
  type TicketEvent,
  type Tickets,
  ticketAnswers,
  ticketRoute,
} from "@firmshake/node";
import Router from "@koa/router";
import express from "express";
import express4 from "express4";
import fastify, { type FastifyPluginAsync, type FastifyRequest } from "fastify";
import Koa from "koa";
import { type WebSocket, WebSocketServer } from "ws";
import { Koa2 } from "../koa/libraries.ts";

/** Where tickets are given to who has a token. */
export interface DpopSite {
  /** Already listening. */
  readonly server: Server;
  readonly origins: readonly string[];
  readonly entry: Tickets;
  readonly by: readonly AnyCheck[];
  readonly options: GateOptions;
  readonly onTicket: (event: TicketEvent) => void;
  /** Called by the WebSocket library. */
  readonly onConnection: (socket: WebSocket, request: IncomingMessage) => void;
}

/** Serves `/api/ticket`, by a router that is mounted at `/api` where there are such, and sockets at `/chat`. */
type ServeDpop = (site: DpopSite) => Promise<void>;

export const desks: Readonly<Record<string, ServeDpop>> = {
  Node: async (site) => {
    const answerTo = ticketRoute(site.entry, routeOf(site));
    site.server.on("request", (request, response) => {
      if (request.url?.startsWith("/api/ticket")) void answerTo(request, response);
      else
        response.setHeader("Content-Type", "text/html").end("<!doctype html><title>page</title>");
    });
    attach(site.server, { "/chat": guard(origin(site.origins), site.entry) }, site.options);
    withWs(site);
  },
  "Express 5": (site) => serveExpress(express, site),
  "Express 4": (site) => serveExpress(express4, site),
  "Koa 3": (site) => serveKoa(new Koa(), site),
  "Koa 2": (site) => serveKoa(new Koa2(), site),
  Fastify: serveFastify,
};

const routeOf = ({ by, origins, onTicket }: DpopSite) => ({
  by,
  path: "/chat",
  origins,
  onDecision: onTicket,
});

const withWs = ({ server, onConnection }: DpopSite): void =>
  void new WebSocketServer({ server }).on("connection", onConnection);

async function serveExpress(make: typeof express, site: DpopSite): Promise<void> {
  const app = make();
  const api = make.Router();
  api.all("/ticket", onExpress.ticketRoute(site.entry, routeOf(site)));
  app.use("/api", api);
  app.get("/chat", onExpress.guard(origin(site.origins), site.entry));
  onExpress.attach(site.server.on("request", app), app, site.options);
  withWs(site);
}

async function serveKoa(app: Koa, site: DpopSite): Promise<void> {
  app.silent = true;
  const api = new Router();
  api.all("/ticket", onKoa.ticketRoute(site.entry, routeOf(site)));
  const router = new Router();
  router.get("/chat", onKoa.guard(origin(site.origins), site.entry));
  app.use(mounted("/api", api.routes() as Koa.Middleware));
  app.use(router.routes() as Koa.Middleware);
  onKoa.attach(site.server.on("request", app.callback()), app, site.options);
  withWs(site);
}

/** As koa-mount does it: what is mounted sees its own part of the path, in Node's request too. */
const mounted =
  (prefix: string, inner: Koa.Middleware): Koa.Middleware =>
  (ctx, next) => {
    if (!ctx.path.startsWith(`${prefix}/`)) return next();
    ctx.path = ctx.path.slice(prefix.length);
    return inner(ctx, next);
  };

async function serveFastify(site: DpopSite): Promise<void> {
  const { server, origins, entry, onConnection, options } = site;
  const app = fastify({ serverFactory: (handler) => server.on("request", handler) });
  await app.register(websocket);
  await app.register(firmshake, options);
  const answerTo = ticketAnswers<FastifyRequest>(entry, routeOf(site));
  const api: FastifyPluginAsync = async (scope) => {
    scope.route({
      method: ["POST", "OPTIONS"],
      url: "/ticket",
      handler: async (request, reply) => {
        const { status, headers, body } = await answerTo(request.raw, request);
        return reply.code(status).headers(Object.fromEntries(headers)).send(body);
      },
    });
  };
  await app.register(api, { prefix: "/api" });
  const config = { firmshake: { checks: [origin(origins), entry] } };
  app.get("/chat", { websocket: true, config }, (socket, request) =>
    onConnection(socket, request.raw),
  );
  await app.ready();
}
