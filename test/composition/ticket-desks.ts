import { randomUUID } from "node:crypto";
import type { IncomingMessage, RequestListener, Server } from "node:http";
import cookie from "@fastify/cookie";
import session from "@fastify/session";
import websocket from "@fastify/websocket";
import * as onExpress from "@firmshake/express";
import { firmshake } from "@firmshake/fastify";
import * as onKoa from "@firmshake/koa";
import {
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
import express, { type Request } from "express";
import expressSession from "express-session";
import express4 from "express4";
import fastify, { type FastifyRequest } from "fastify";
import Koa, { type Context } from "koa";
import koaSession from "koa-session";
import { type WebSocket, WebSocketServer } from "ws";
import { Koa2 } from "../koa/libraries.ts";
import { secret } from "./application.ts";

/** What an application with tickets is served by. */
export interface TicketSite {
  readonly server: Server;
  /** Whose pages may open sockets and ask for tickets. */
  readonly origins: readonly string[];
  readonly entry: Tickets;
  readonly options: GateOptions;
  readonly onTicket: (event: TicketEvent) => void;
  /** Called by the WebSocket library. */
  readonly onConnection: (socket: WebSocket, request: IncomingMessage) => void;
}

/** Serves `/login`, where `?name=` signs in, `/ticket`, which gives tickets for `/chat`, and sockets at `/chat` and `/news`. */
type ServeTickets = (site: TicketSite) => Promise<void>;

export const desks: Readonly<Record<string, ServeTickets>> = {
  Node: async (site) => {
    const users = new Map<string, string>();
    const route = ticketRoute(site.entry, {
      identity: ({ headers }) => {
        const subject = users.get(String(headers.cookie));
        return subject !== undefined && { subject };
      },
      path: "/chat",
      origins: site.origins,
      onDecision: site.onTicket,
    });
    const listener: RequestListener = (request, response) => {
      if (request.url === "/ticket") {
        void route(request, response);
        return;
      }
      const id = `id=${randomUUID()}`;
      users.set(id, nameIn(request.url));
      response.setHeader("Set-Cookie", id).end();
    };
    const chat = guardOf(site);
    attach(site.server.on("request", listener), { "/chat": chat, "/news": chat }, site.options);
    withWs(site);
  },
  "Express 5": (site) => serveExpress(express, site),
  "Express 4": (site) => serveExpress(express4, site),
  "Koa 3": (site) => serveKoa(new Koa(), site),
  "Koa 2": (site) => serveKoa(new Koa2(), site),
  "Fastify, ws": (site) => serveFastify(site, false),
  "Fastify, @fastify/websocket": (site) => serveFastify(site, true),
};

const guardOf = ({ origins, entry }: TicketSite): onExpress.Guard => guard(origin(origins), entry);

const withWs = ({ server, onConnection }: TicketSite): void =>
  void new WebSocketServer({ server }).on("connection", onConnection);

const nameIn = (url = ""): string =>
  new URL(url, "http://localhost").searchParams.get("name") ?? "";

type SignedInRequest = Request & { user?: { readonly id: string } };

async function serveExpress(make: typeof express, site: TicketSite): Promise<void> {
  const app = make();
  app.use(expressSession({ secret, resave: false, saveUninitialized: false }));
  app.use((request, _response, next) => {
    const { name } = request.session as { name?: string };
    if (name !== undefined) Object.assign(request, { user: { id: name } });
    next();
  });
  app.post("/login", (request, response) => {
    Object.assign(request.session, { name: nameIn(request.url) });
    response.end();
  });
  const answerAll = onExpress.ticketRoute(site.entry, {
    identity: ({ user }: SignedInRequest) => user && { subject: user.id },
    path: "/chat",
    origins: site.origins,
    onDecision: site.onTicket,
  });
  app.all("/ticket", answerAll);
  app.get(["/chat", "/news"], onExpress.guard(origin(site.origins), site.entry));
  onExpress.attach(site.server.on("request", app), app, site.options);
  withWs(site);
}

async function serveKoa(app: Koa, site: TicketSite): Promise<void> {
  app.keys = [secret];
  app.silent = true;
  // Written with each answer, behind the one of the route.
  app.use(koaSession({ rolling: true }, app));
  const router = new Router();
  router.post("/login", (ctx) => {
    Object.assign(ctx.session, { name: nameIn(ctx.url) });
    ctx.status = 200;
  });
  const answerAll = onKoa.ticketRoute(site.entry, {
    identity: ({ session: known }: Context) => known?.name && { subject: known.name },
    path: "/chat",
    origins: site.origins,
    onDecision: site.onTicket,
  });
  router.all("/ticket", answerAll);
  const chat = onKoa.guard(origin(site.origins), site.entry);
  router.get("/chat", chat).get("/news", chat);
  app.use(router.routes() as Koa.Middleware);
  onKoa.attach(site.server.on("request", app.callback()), app, site.options);
  withWs(site);
}

async function serveFastify(site: TicketSite, isPlugin: boolean): Promise<void> {
  const { server, origins, entry, onConnection, onTicket, options } = site;
  const app = fastify({ serverFactory: (handler) => server.on("request", handler) });
  await app.register(cookie);
  if (isPlugin) await app.register(websocket);
  await app.register(session, { secret, saveUninitialized: false, cookie: { secure: "auto" } });
  await app.register(firmshake, options);
  app.post("/login", async (request) => {
    request.session.user = nameIn(request.url);
    return "";
  });
  const answerTo = ticketAnswers(entry, {
    identity: ({ session: { user } }: FastifyRequest) => user !== undefined && { subject: user },
    path: "/chat",
    origins,
    onDecision: onTicket,
  });
  app.route({
    method: ["POST", "OPTIONS"],
    url: "/ticket",
    handler: async (request, reply) => {
      const { status, headers, body } = await answerTo(request.raw, request);
      return reply.code(status).headers(Object.fromEntries(headers)).send(body);
    },
  });
  for (const url of ["/chat", "/news"]) {
    app.route({
      method: "GET",
      url,
      config: { firmshake: { checks: [origin(origins), entry] } },
      handler: async () => "a socket",
      ...(isPlugin && {
        wsHandler: (socket: WebSocket, request: FastifyRequest) =>
          onConnection(socket, request.raw),
      }),
    });
  }
  await app.ready();
  if (!isPlugin) withWs(site);
}
