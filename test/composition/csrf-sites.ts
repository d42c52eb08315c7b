import { randomBytes, randomUUID } from "node:crypto";
import type { IncomingMessage, Server } from "node:http";
import cookie from "@fastify/cookie";
import session from "@fastify/session";
import websocket from "@fastify/websocket";
import * as onExpress from "@firmshake/express";
import * as onFastify from "@firmshake/fastify";
import * as onKoa from "@firmshake/koa";
import { type Csrf, csrf, type DecisionEvent, type GateOptions, origin } from "@firmshake/node";
import Router from "@koa/router";
import express, { type Request } from "express";
import expressSession from "express-session";
import fastify from "fastify";
import Koa, { type Context } from "koa";
import koaSession, { type CreateSessionOptions } from "koa-session";
import { type WebSocket, WebSocketServer } from "ws";
import { secret } from "./application.ts";

/** What an application with CSRF tokens is served by. */
export interface CsrfSite {
  /** Already listening. */
  readonly server: Server;
  /** Of its own pages. */
  readonly own: string;
  readonly options: GateOptions & { readonly onDecision: (event: DecisionEvent) => void };
  /** Called by the WebSocket library. */
  readonly onConnection: (socket: WebSocket, request: IncomingMessage) => void;
}

/**
 * Serves a page at `/`, `/login`, where `?name=` signs in with a new session, `/csrf`, where the signed-in get a token, and sockets at
 * `/chat`.
 */
type ServeCsrf = (site: CsrfSite) => Promise<void>;

export const sites: Readonly<Record<string, ServeCsrf>> = {
  "express-session": serveExpress,
  "koa-session with a store": (site) => serveKoa(site, true),
  "koa-session in the cookie": (site) => serveKoa(site, false),
  "@fastify/session": serveFastify,
};

const csrfSecret = randomBytes(32);

const html = `<!doctype html><title>page</title><link rel="icon" href="data:,">`;

const nameIn = (url = ""): string =>
  new URL(url, "http://localhost").searchParams.get("name") ?? "";

type User = { name?: string };

async function serveExpress(site: CsrfSite): Promise<void> {
  const app = express();
  app.use(expressSession({ secret, resave: false, saveUninitialized: false }));
  app.get("/", (_request, response) => void response.send(html));
  app.post("/login", (request, response, next) => {
    request.session.regenerate((error: unknown) => {
      if (error) return next(error);
      Object.assign(request.session, { name: nameIn(request.url) });
      response.end();
    });
  });
  const ownPage: Csrf = csrf({
    secret: csrfSecret,
    session: (handshake) => onExpress.requestOf<Request>(handshake).sessionID,
  });
  app.post("/csrf", async (request, response) => {
    if ((request.session as User).name === undefined) return void response.sendStatus(401);
    const { token, cookie: half } = await ownPage.issue(request.sessionID, request.headers.cookie);
    response.append("Set-Cookie", half).json({ token });
  });
  app.get(
    "/chat",
    onExpress.guard(
      origin([site.own]),
      onExpress.identity((request: Request) => {
        const { name } = request.session as User;
        return name !== undefined && { subject: name };
      }),
      ownPage,
    ),
  );
  onExpress.attach(site.server.on("request", app), app, site.options);
  withWs(site);
}

async function serveKoa(site: CsrfSite, hasStore: boolean): Promise<void> {
  const app = new Koa();
  app.keys = [secret];
  app.silent = true;
  app.use(koaSession(hasStore ? { store: storeInMemory() } : {}, app));
  // A session that is wholly in its cookie has no id but the one that the login writes into it.
  const idOf = ({ session: known }: Context): string | undefined =>
    hasStore ? known?.externalKey : known?.id;
  const ownPage: Csrf = csrf({
    secret: csrfSecret,
    session: (handshake) => idOf(onKoa.contextOf<Context>(handshake)),
  });
  const router = new Router();
  router.get("/", (ctx) => {
    ctx.body = html;
  });
  router.post("/login", async (ctx) => {
    await ctx.session?.regenerate();
    Object.assign(ctx.session as object, { name: nameIn(ctx.url), id: randomUUID() });
    ctx.status = 200;
  });
  router.post("/csrf", async (ctx) => {
    const id = idOf(ctx as Context);
    if (ctx.session?.name === undefined || id === undefined) return ctx.throw(401);
    const { token, cookie: half } = await ownPage.issue(id, ctx.get("cookie"));
    ctx.append("Set-Cookie", half);
    ctx.body = { token };
  });
  router.get(
    "/chat",
    onKoa.guard(
      origin([site.own]),
      onKoa.identity(
        ({ session: known }: Context) => known?.name !== undefined && { subject: known.name },
      ),
      ownPage,
    ),
  );
  app.use(router.routes() as Koa.Middleware);
  onKoa.attach(site.server.on("request", app.callback()), app, site.options);
  withWs(site);
}

function storeInMemory(): NonNullable<CreateSessionOptions["store"]> {
  const kept = new Map<string, unknown>();
  return {
    get: async (key: string) => kept.get(key) as never,
    set: async (key: string, value: unknown) => void kept.set(key, value),
    destroy: async (key: string) => void kept.delete(key),
  };
}

async function serveFastify({ server, own, options, onConnection }: CsrfSite): Promise<void> {
  const app = fastify({ serverFactory: (handler) => server.on("request", handler) });
  await app.register(cookie);
  await app.register(session, { secret, saveUninitialized: false, cookie: { secure: "auto" } });
  await app.register(websocket);
  const ownPage: Csrf = csrf({
    secret: csrfSecret,
    session: (handshake) => onFastify.requestOf(handshake).session.sessionId,
  });
  await app.register(onFastify.firmshake, options);
  app.get("/", async (_request, reply) => reply.type("text/html").send(html));
  app.post("/login", async (request) => {
    await request.session.regenerate();
    request.session.user = nameIn(request.url);
    return "";
  });
  app.post("/csrf", async (request, reply) => {
    const { sessionId, user } = request.session;
    if (user === undefined) return reply.code(401).send();
    const { token, cookie: half } = await ownPage.issue(sessionId, request.headers.cookie);
    return reply.header("Set-Cookie", half).send({ token });
  });
  const signedIn = onFastify.identity(
    ({ session: { user } }) => user !== undefined && { subject: user },
  );
  const config = { firmshake: { checks: [origin([own]), signedIn, ownPage] } };
  app.get("/chat", { websocket: true, config }, (socket, request) =>
    onConnection(socket, request.raw),
  );
  await app.ready();
}

const withWs = ({ server, onConnection }: CsrfSite): void =>
  void new WebSocketServer({ server }).on("connection", onConnection);
