import cookie from "@fastify/cookie";
import formbody from "@fastify/formbody";
import session from "@fastify/session";
import websocket from "@fastify/websocket";
import { firmshake, jwt, origin, ticketAnswers } from "@firmshake/fastify";
import fastify, { type FastifyRequest } from "fastify";
import { callbackPage, sessionPage, tokenPage } from "./pages.ts";
import { audience } from "./provider.ts";
import type { Account, Pending } from "./relying-party.ts";
import { type Serve, sessionSecret } from "./site.ts";

declare module "fastify" {
  interface Session {
    account?: Account | undefined;
    pending?: Pending;
  }
}

/** `@fastify/session`, with `@fastify/websocket` behind the gate. */
export const onFastify: Serve = async (site) => {
  const { server, origins, issuer, party, entry, client, options, onTicket, onConnection } = site;
  const app = fastify({ serverFactory: (handler) => server.on("request", handler) });
  await app.register(cookie);
  await app.register(formbody);
  await app.register(session, {
    secret: sessionSecret,
    saveUninitialized: false,
    cookie: { secure: "auto", sameSite: "lax" },
  });
  await app.register(websocket);
  await app.register(firmshake, { ...options, checks: [origin(origins)] });

  app.get("/", async (request, reply) =>
    reply.type("text/html").send(sessionPage(request.session.account)),
  );
  app.get<{ Querystring: { prompt?: string } }>("/login", async (request, reply) => {
    const { url, pending } = party.begin(request.query.prompt);
    request.session.pending = pending;
    return reply.redirect(url);
  });
  app.get("/callback", async (request, reply) => {
    const account = await party.finish(request.url, request.session.pending);
    if (account !== undefined) {
      await request.session.regenerate();
      request.session.account = account;
    }
    return reply.type("text/html").send(callbackPage(account));
  });
  app.post("/logout", async (request, reply) => {
    const { account, sessionId } = request.session;
    const url = party.logoutUrl(account);
    await request.session.destroy();
    app.firmshake.connections.revoke({ sessionId });
    return reply.redirect(url, 303);
  });

  const answerTo = ticketAnswers(entry, {
    identity: ({ session: { account, sessionId } }: FastifyRequest) =>
      account && { ...account, sessionId },
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
  for (const [url, check] of [
    ["/chat", entry],
    ["/rooms", jwt({ issuer, audience, profile: "rfc9068" })],
  ] as const) {
    app.get(
      url,
      { websocket: true, config: { firmshake: { checks: [check] } } },
      (socket, { raw }) => onConnection(socket, raw),
    );
  }

  app.get("/page", async (_request, reply) => reply.type("text/html").send(tokenPage(issuer)));
  app.get("/client.js", async (_request, reply) => reply.type("text/javascript").send(client));
  await app.ready();
};
