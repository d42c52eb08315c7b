import cookie from "@fastify/cookie";
import formbody from "@fastify/formbody";
import jwt from "@fastify/jwt";
import session, { type FastifySessionOptions } from "@fastify/session";
import websocket from "@fastify/websocket";
import { type FirmshakeOptions, firmshake, identity, origin } from "@firmshake/fastify";
import fastify, { type FastifyInstance, type FastifyRequest, type RouteOptions } from "fastify";
import { WebSocketServer } from "ws";
import { greet, isPassword, pageFor, type Serve, type Site, secret } from "./application.ts";

declare module "fastify" {
  interface Session {
    user?: string;
    seen?: boolean;
  }
}
declare module "@fastify/jwt" {
  interface FastifyJWT {
    user: { readonly sub: string; readonly exp: number };
  }
}

type Library = "ws" | "@fastify/websocket";

/** `@fastify/session`, with either library behind the gate. */
export const onFastify =
  (library: Library, options: Partial<FastifySessionOptions>): Serve =>
  async (site) => {
    const app = await appAt(site, library);
    await app.register(session, {
      secret,
      saveUninitialized: false,
      cookie: { secure: "auto", sameSite: "lax" },
      ...options,
    });
    const userOf = ({ session: { user } }: FastifyRequest): string | undefined => user;
    await addChat(app, site, library, [
      identity((request) => {
        const subject = userOf(request);
        return subject !== undefined && { subject };
      }),
    ]);
    app.get("/", (request, reply) => {
      // So that there is a session before the login.
      request.session.seen = true;
      void reply.type("text/html").send(pageFor(userOf(request)));
    });
    app.post<{ Body: Login }>("/login", async (request, reply) => {
      const { username, password } = request.body;
      await request.session.regenerate();
      if (isPassword(username, password)) request.session.user = username;
      return reply.redirect("/", 303);
    });
    app.post("/logout", async (request, reply) => {
      await request.session.destroy();
      return reply.redirect("/", 303);
    });
    await app.ready();
    return app.firmshake;
  };

/** A token of `@fastify/jwt` in a cookie, with `@fastify/websocket` behind the gate. */
export const onFastifyWithTokens: Serve = async (site) => {
  const app = await appAt(site, "@fastify/websocket");
  await app.register(jwt, { secret, cookie: { cookieName: "token", signed: false } });
  app.addHook("onRequest", async (request) => {
    await request.jwtVerify({ onlyCookie: true }).catch(() => undefined);
  });
  const userOf = (request: FastifyRequest): FastifyRequest["user"] | null => request.user;
  await addChat(app, site, "@fastify/websocket", [
    identity((request) => {
      const user = userOf(request);
      return user && { subject: user.sub, expiresAt: user.exp * 1_000 };
    }),
  ]);
  app.get("/", (request, reply) => {
    void reply.type("text/html").send(pageFor(userOf(request)?.sub));
  });
  app.post<{ Body: Login }>("/login", async (request, reply) => {
    const { username, password } = request.body;
    if (isPassword(username, password)) {
      const token = await reply.jwtSign({}, { sign: { sub: username, expiresIn: "10m" } });
      reply.setCookie("token", token, { path: "/", httpOnly: true, sameSite: "lax" });
    }
    return reply.redirect("/", 303);
  });
  app.post("/logout", async (_request, reply) => reply.clearCookie("token").redirect("/", 303));
  await app.ready();
  return app.firmshake;
};

interface Login {
  readonly username: string;
  readonly password: string;
}

async function appAt({ server }: Site, library: Library): Promise<FastifyInstance> {
  const app = fastify({ serverFactory: (handler) => server.on("request", handler) });
  await app.register(cookie);
  await app.register(formbody);
  if (library === "@fastify/websocket") await app.register(websocket);
  return app;
}

async function addChat(
  app: FastifyInstance,
  { server, origin: own, options }: Site,
  library: Library,
  checks: NonNullable<FirmshakeOptions["checks"]>,
): Promise<void> {
  // Behind the plugins whose hooks find out who is signed in.
  await app.register(firmshake, { ...options, checks: [origin([own]), ...checks] });
  const route: RouteOptions = { method: "GET", url: "/chat", handler: async () => "a socket" };
  if (library === "ws") {
    app.route(route);
    new WebSocketServer({ server }).on("connection", greet);
  } else {
    app.route({ ...route, wsHandler: (socket, request) => greet(socket, request.raw) });
  }
}
