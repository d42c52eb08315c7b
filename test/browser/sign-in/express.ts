import { attach, guard, jwt, origin, ticketRoute } from "@firmshake/express";
import express, { type Request } from "express";
import session from "express-session";
import { WebSocketServer } from "ws";
import { callbackPage, sessionPage, tokenPage } from "./pages.ts";
import { audience } from "./provider.ts";
import type { Account, Pending } from "./relying-party.ts";
import { type Serve, sessionSecret } from "./site.ts";

declare module "express-session" {
  interface SessionData {
    account?: Account | undefined;
    pending?: Pending;
  }
}

/** express-session, with `ws` behind the gate. */
export const onExpress: Serve = async (site) => {
  const { server, origins, issuer, party, entry, client, options, onTicket, onConnection } = site;
  const app = express();
  app.use(
    session({
      secret: sessionSecret,
      resave: false,
      saveUninitialized: false,
      cookie: { sameSite: "lax" },
    }),
  );
  app.get("/", (request, response) => {
    response.send(sessionPage(request.session.account));
  });
  app.get("/login", (request, response) => {
    const { url, pending } = party.begin(request.query.prompt);
    request.session.pending = pending;
    response.redirect(url);
  });
  app.get("/callback", async (request, response, next) => {
    const account = await party.finish(request.url, request.session.pending);
    if (account === undefined) return void response.send(callbackPage(account));
    request.session.regenerate((error: unknown) => {
      if (error) return next(error);
      request.session.account = account;
      response.send(callbackPage(account));
    });
  });
  app.post("/logout", (request, response, next) => {
    const { session, sessionID: sessionId } = request;
    const url = party.logoutUrl(session.account);
    session.destroy((error: unknown) => {
      if (error) return next(error);
      gate.connections.revoke({ sessionId });
      response.redirect(303, url);
    });
  });

  app.all(
    "/ticket",
    ticketRoute(entry, {
      identity: ({ session: { account }, sessionID: sessionId }: Request) =>
        account && { ...account, sessionId },
      path: "/chat",
      origins,
      onDecision: onTicket,
    }),
  );
  app.get("/chat", guard(origin(origins), entry));
  app.get("/rooms", guard(origin(origins), jwt({ issuer, audience, profile: "rfc9068" })));

  app.get("/page", (_request, response) => {
    response.send(tokenPage(issuer));
  });
  app.get("/client.js", (_request, response) => {
    response.type("text/javascript").send(client);
  });
  const gate = attach(server.on("request", app), app, options);
  new WebSocketServer({ server }).on("connection", onConnection);
};
