import { createSecretKey } from "node:crypto";
import { createServer } from "node:http";
import fastifyJwt from "@fastify/jwt";
import fastifyRateLimit from "@fastify/rate-limit";
import fastifyWebsocket from "@fastify/websocket";
import * as onExpress from "@firmshake/express";
import { firmshake } from "@firmshake/fastify";
import * as onKoa from "@firmshake/koa";
import { address, attach, guard, jwt, origin, rateLimit } from "@firmshake/node";
import Router from "@koa/router";
import express from "express";
import { expressjwt } from "express-jwt";
import expressRateLimit from "express-rate-limit";
import expressWs from "express-ws";
import { createVerifier } from "fast-jwt";
import fastify from "fastify";
import Koa from "koa";
import koaJwt from "koa-jwt";
import koaRateLimit from "koa-ratelimit";
import koaWebsocket from "koa-websocket";
import { WebSocketServer } from "ws";
import { site } from "./requests.mjs";

const windowMs = 3_600_000;
const never = 1_000_000_000;

/**
 * Each makes a server, or a promise of one, not yet listening, that calls `accepted` for every WebSocket that the application gets to see.
 * Options: `limit` of handshakes for an address, `algorithm` of tokens (none are asked for without), `cache` of verified tokens.
 */
export const contenders = {
  "bare ws": ({ accepted }) => {
    const server = createServer();
    const sockets = new WebSocketServer({ noServer: true });
    server.on("upgrade", (request, socket, head) => {
      sockets.handleUpgrade(request, socket, head, accepted);
    });
    return server;
  },

  "canned answer": ({ options }) => {
    const server = createServer();
    const bytes = `HTTP/1.1 ${options.status} No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`;
    server.on("upgrade", (_request, socket) => socket.end(bytes));
    return server;
  },

  "ws by hand": ({ accepted, options, keys }) => {
    const server = createServer();
    const sockets = new WebSocketServer({ noServer: true });
    const origins = new Set([site.origin]);
    const counts = new Map();
    const verify = options.algorithm && fastVerifier(options, keys);
    setInterval(() => counts.clear(), windowMs).unref();
    const refuse = (socket, line) => {
      socket.write(`HTTP/1.1 ${line}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      socket.destroy();
    };
    server.on("upgrade", (request, socket, head) => {
      if (!origins.has(request.headers.origin)) return refuse(socket, "403 Forbidden");
      const client = request.socket.remoteAddress;
      const count = (counts.get(client) ?? 0) + 1;
      counts.set(client, count);
      if (count > (options.limit ?? never)) return refuse(socket, "429 Too Many Requests");
      if (verify) {
        try {
          request.user = verify((request.headers.authorization ?? "").slice("Bearer ".length));
        } catch {
          return refuse(socket, "401 Unauthorized");
        }
      }
      sockets.handleUpgrade(request, socket, head, accepted);
    });
    return server;
  },

  firmshake: ({ accepted, options, keys }) => {
    const server = createServer();
    attach(
      server,
      guard(
        origin([site.origin]),
        address({ deny: deniedBlocks }),
        rateLimit({ limit: options.limit ?? never, windowMs }),
        ...(options.algorithm ? [ownJwt(options, keys)] : []),
      ),
    );
    new WebSocketServer({ server }).on("connection", accepted);
    return server;
  },

  "firmshake express": ({ accepted, options, keys }) => {
    const app = express();
    const server = createServer(app);
    app.get("/chat", onExpress.guard(...usualChecks(options, keys)));
    onExpress.attach(server, app);
    new WebSocketServer({ server }).on("connection", accepted);
    return server;
  },

  "express-ws": ({ accepted, options, keys }) => {
    const app = express();
    const server = createServer(app);
    expressWs(app, server);
    app.use((request, response, next) => {
      if (request.headers.origin === site.origin) next();
      else response.status(403).end();
    });
    app.use(expressRateLimit({ windowMs, limit: options.limit ?? never }));
    app.use(
      expressjwt({
        secret: options.keyObject ? createSecretKey(keys.secret, "utf8") : keys.secret,
        algorithms: [options.algorithm],
        issuer: site.issuer,
        audience: site.audience,
      }),
    );
    app.ws("/chat", accepted);
    return server;
  },

  "firmshake koa": ({ accepted, options, keys }) => {
    const app = new Koa();
    const router = new Router();
    router.get("/chat", onKoa.guard(...usualChecks(options, keys)));
    app.use(router.routes());
    const server = createServer(app.callback());
    onKoa.attach(server, app);
    new WebSocketServer({ server }).on("connection", accepted);
    return server;
  },

  /** It accepts first and asks afterwards; measured until the middleware has let the connection through. */
  "koa-websocket": ({ accepted, options, keys }) => {
    const app = koaWebsocket(new Koa());
    const server = createServer(app.callback());
    app.ws.listen({ server });
    app.ws.use(async (context, next) => {
      if (context.headers.origin === site.origin) await next();
      else context.websocket.terminate();
    });
    app.ws.use(
      koaRateLimit({
        driver: "memory",
        db: new Map(),
        duration: windowMs,
        max: options.limit ?? never,
        disableHeader: true,
      }),
    );
    app.ws.use(
      koaJwt({
        secret: keys.secret,
        algorithms: [options.algorithm],
        issuer: site.issuer,
        audience: site.audience,
      }),
    );
    app.ws.use((context) => accepted(context.websocket));
    return server;
  },

  "firmshake fastify": async ({ accepted, options, keys }) => {
    const app = fastify();
    await app.register(firmshake);
    await app.register(fastifyWebsocket);
    const policy = { checks: usualChecks(options, keys) };
    app.get("/chat", { websocket: true, config: { firmshake: policy } }, accepted);
    await app.ready();
    return app.server;
  },

  "@fastify/websocket": async ({ accepted, options, keys }) => {
    const app = fastify();
    await app.register(fastifyRateLimit, { max: options.limit ?? never, timeWindow: windowMs });
    await app.register(fastifyJwt, {
      secret: keys.secret,
      verify: {
        algorithms: [options.algorithm],
        allowedIss: site.issuer,
        allowedAud: site.audience,
        cache: options.cache ?? false,
      },
    });
    await app.register(fastifyWebsocket);
    app.addHook("onRequest", async (request, reply) => {
      if (request.headers.origin !== site.origin) return reply.code(403).send();
      await request.jwtVerify();
    });
    app.get("/chat", { websocket: true }, accepted);
    await app.ready();
    return app.server;
  },
};

const usualChecks = (options, keys) => [
  origin([site.origin]),
  rateLimit({ limit: options.limit ?? never, windowMs }),
  ownJwt(options, keys),
];

function fastVerifier({ algorithm, cache = false }, { secret, publicPem }) {
  return createVerifier({
    key: algorithm === "HS256" ? secret : publicPem,
    algorithms: [algorithm],
    allowedIss: site.issuer,
    allowedAud: site.audience,
    requiredClaims: ["exp"],
    cache,
  });
}

function ownJwt({ algorithm, cache }, { secret, publicJwk }) {
  return jwt({
    issuer: site.issuer,
    audience: site.audience,
    keys: algorithm === "HS256" ? new TextEncoder().encode(secret) : publicJwk,
    ...(cache === undefined ? {} : { cache: { maxTokens: cache } }),
  });
}

/** The blocks of RFC 5737, RFC 3849 and others that no client comes from, as a list of the usual length. */
const deniedBlocks = [
  "0.0.0.0/8",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/4",
  "240.0.0.0/4",
  "2001:db8::/32",
  "ff00::/8",
];
