import { randomUUID } from "node:crypto";
import { attach, guard, jwt, origin, ticketRoute } from "@firmshake/koa";
import Router from "@koa/router";
import Koa, { type Context } from "koa";
import session from "koa-session";
import { WebSocketServer } from "ws";
import { callbackPage, sessionPage, tokenPage } from "./pages.ts";
import { audience } from "./provider.ts";
import { type Serve, sessionSecret } from "./site.ts";

/** koa-session, with `ws` behind the gate. */
export const onKoa: Serve = async (site) => {
  const { server, origins, issuer, party, entry, client, options, onTicket, onConnection } = site;
  const app = new Koa();
  app.keys = [sessionSecret];
  app.use(session({ sameSite: "lax", store: sessionsOnServer() }, app));
  const router = new Router();
  router.get("/", (ctx) => {
    ctx.body = sessionPage(ctx.session?.account);
  });
  router.get("/login", (ctx) => {
    const { url, pending } = party.begin(ctx.query.prompt);
    Object.assign(ctx.session ?? {}, { pending });
    ctx.redirect(url);
  });
  router.get("/callback", async (ctx) => {
    const account = await party.finish(ctx.url, ctx.session?.pending);
    ctx.body = callbackPage(account);
    if (account === undefined) return;
    Object.assign(ctx.session ?? {}, { account, sessionId: randomUUID(), pending: undefined });
    await ctx.session?.regenerate();
  });
  router.post("/logout", (ctx) => {
    const { account, sessionId } = ctx.session ?? {};
    const url = party.logoutUrl(account);
    ctx.session = null;
    if (sessionId !== undefined) gate.connections.revoke({ sessionId });
    ctx.status = 303;
    ctx.redirect(url);
  });

  router.all(
    "/ticket",
    ticketRoute(entry, {
      identity: ({ session }: Context) =>
        session?.account && { ...session.account, sessionId: session.sessionId },
      path: "/chat",
      origins,
      onDecision: onTicket,
    }),
  );
  router.get("/chat", guard(origin(origins), entry));
  router.get("/rooms", guard(origin(origins), jwt({ issuer, audience, profile: "rfc9068" })));

  router.get("/page", (ctx) => {
    ctx.body = tokenPage(issuer);
  });
  router.get("/client.js", (ctx) => {
    ctx.type = "text/javascript";
    ctx.body = client;
  });
  app.use(router.routes());
  const gate = attach(server.on("request", app.callback()), app, options);
  new WebSocketServer({ server }).on("connection", onConnection);
};

/** Without a store the cookie would be the session, and a copy of it would outlive the log-out. */
function sessionsOnServer() {
  const sessions = new Map<string, unknown>();
  return {
    get: async (key: string) => sessions.get(key),
    set: async (key: string, value: unknown) => void sessions.set(key, value),
    destroy: async (key: string) => void sessions.delete(key),
  };
}
