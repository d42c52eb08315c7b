import { createServer, type IncomingMessage } from "node:http";
import {
  allow,
  allowWith,
  attach,
  connectionOf,
  contextOf,
  guard,
  handOver,
  type Identity,
  identity,
  insecureAnyOrigin,
  origin,
  refuse,
} from "@firmshake/koa";
import { bodyParser } from "@koa/bodyparser";
import Router from "@koa/router";
import type Koa from "koa";
import type { Context, Middleware } from "koa";
import createSession from "koa-session";
import { Strategy as LocalStrategy } from "passport-local";
import { describe, expect, it } from "vitest";
import { WebSocketServer } from "ws";
import { handshakeOf, thrownBy } from "../support/handshakes.ts";
import { dial, handshakeText, statusOf } from "../support/raw-client.ts";
import { deferred, echoing, echoOf, listen, openWebSocket } from "../support/server.ts";
import { captureThrown } from "../support/thrown.ts";
import { captureWarnings } from "../support/warnings.ts";
import { errorsOf, majors, routesOf, walkedServer } from "./apps.ts";
import { easyWs, KoaPassport, koaWebsocket } from "./libraries.ts";

const page = "http://127.0.0.1:1";

/** Where koa-session keeps sessions: in the cookie itself, or in a store beside it. */
const stores = {
  "in the cookie": () => ({}),
  "in a store": () => {
    const sessions = new Map<string, object>();
    return {
      store: {
        get: async (key: string) => sessions.get(key),
        set: async (key: string, session: object) => void sessions.set(key, session),
        destroy: async (key: string) => void sessions.delete(key),
      },
    };
  },
};

/** Signs in by a form whoever knows the password. */
function signInWith(app: Koa, options: object): void {
  const passport = new KoaPassport();
  passport.use(
    new LocalStrategy((user, password, done) =>
      done(null, password === "opensesame" && { id: user }),
    ),
  );
  passport.serializeUser((user, done) => done(null, user.id));
  passport.deserializeUser((id, done) => done(null, id === "gone" ? false : { id }));
  app.keys = ["keyboard cat"];
  app.use(createSession(options, app));
  app.use(bodyParser());
  app.use(passport.initialize()).use(passport.session());
  const router = new Router();
  router.post("/login", passport.authenticate("local"), (ctx) => {
    ctx.body = "welcome";
  });
  router.post("/logout", async (ctx) => {
    await ctx.logout();
    ctx.body = "farewell";
  });
  app.use(routesOf(router)).use(router.allowedMethods() as Middleware);
}

/** A browser's cookies, after a form was sent. */
async function cookiesAfter(port: number, path: string, form = {}, Cookie = ""): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: "POST",
    body: new URLSearchParams(form),
    headers: { Cookie },
  });
  expect(response.status).toBe(200);
  const jar = new Map(Cookie.split("; ").map((cookie) => [cookie.split("=")[0], cookie]));
  for (const cookie of response.headers.getSetCookie()) {
    jar.set(cookie.split("=")[0], cookie.split(";")[0] ?? "");
  }
  return [...jar.values()].filter((cookie) => cookie !== "").join("; ");
}

const cookiesOf = (port: number, username: string): Promise<string> =>
  cookiesAfter(port, "/login", { username, password: "opensesame" });

describe.each(majors)("$major", ({ Koa }) => {
  describe.each(Object.entries(stores))(
    "a session of koa-session %s, and koa-passport",
    (_, optionsOf) => {
      async function served() {
        const app = new Koa();
        const router = new Router();
        const chat = guard(
          origin([page]),
          identity((ctx: Context) => ctx.state.user && { subject: ctx.state.user.id }),
        );
        signInWith(app, optionsOf());
        router.get("/chat", chat);
        app.use(routesOf(router)).use((ctx) => ctx.throw(404));
        const errors = errorsOf(app);
        const server = createServer(app.callback());
        attach(server, app);
        const found = deferred<Identity>();
        echoing(new WebSocketServer({ server })).on("connection", (_socket, request) => {
          found.resolve(connectionOf(request, chat).identity);
        });
        const port = await listen(server);
        const status = (headers: Record<string, string>) =>
          statusOf(port, { headers: { Origin: page, ...headers } });
        return { port, found: found.promise, status, errors };
      }

      it("opens the socket by its cookie", async () => {
        const { port, found } = await served();
        const headers = { Cookie: await cookiesOf(port, "ada"), Origin: page };
        const socket = await openWebSocket(`ws://127.0.0.1:${port}/chat`, [], { headers });
        expect(await echoOf(socket, "hello")).toBe("hello");
        expect(await found).toMatchObject({ subject: "ada", scheme: "session" });
      });

      it("does not without a cookie, with a forged one, of a user that is gone, or from a foreign page", async () => {
        const { port, status, errors } = await served();
        const Cookie = await cookiesOf(port, "ada");
        expect(await status({})).toBe(401);
        expect(await status({ Cookie: Cookie.replace(/.$/, "!") })).toBe(401);
        expect(await status({ Cookie: await cookiesOf(port, "gone") })).toBe(401);
        expect(await status({ Cookie, Origin: "https://evil.test" })).toBe(403);
        expect(await status({ Cookie })).toBe(101);
        expect(errors).toEqual([]);
      });

      it("does not when it was signed out", async () => {
        const { port, status } = await served();
        const before = await cookiesOf(port, "ada");
        expect(await status({ Cookie: before })).toBe(101);
        const after = await cookiesAfter(port, "/logout", {}, before);
        expect(await status({ Cookie: after })).toBe(401);
        // A session in a cookie ends where the cookie does; one in a store ends there.
        if (optionsOf === stores["in a store"]) expect(await status({ Cookie: before })).toBe(401);
      });
    },
  );

  it("a check of one's own may ask for the context, with parameters of the path and state", async () => {
    const router = new Router();
    const room = guard(insecureAnyOrigin(), (handshake) => {
      const { params, state } = contextOf<Context>(handshake);
      return state.tenant === "blue"
        ? allowWith({ room: params.room as string })
        : refuse("forbidden");
    });
    router.get("/rooms/:room", room);
    const app = new Koa().use((ctx, next) => {
      ctx.state.tenant = ctx.query.tenant;
      return next();
    });
    app.use(routesOf(router));
    const { shake, handedOver } = await walkedServer(app);
    expect((await shake({ target: "/rooms/7" })).status).toBe(403);
    expect((await shake({ target: "/rooms/7?tenant=blue" })).status).toBe(101);
    const { request } = handedOver[0] ?? {};
    expect(connectionOf(request as IncomingMessage, room).facts.room).toBe("7");
  });

  it("headers that middleware sets stand on answers of the application, and not in the way of the upgrade", async () => {
    const app = new Koa().use((ctx, next) => {
      ctx.set("X-Content-Type-Options", "nosniff");
      return next();
    });
    const router = new Router();
    router.get("/chat", guard(insecureAnyOrigin()));
    router.get("/private", (ctx) => {
      ctx.status = 401;
    });
    app.use(routesOf(router));
    const server = createServer();
    attach(server, app);
    echoing(new WebSocketServer({ server }));
    const port = await listen(server);
    expect(await echoOf(await openWebSocket(`ws://127.0.0.1:${port}/chat`), "well")).toBe("well");
    const client = await dial(port);
    client.send(handshakeText({ target: "/private" }));
    expect(await client.closed).toContain("X-Content-Type-Options: nosniff\r\n");
  });

  describe("koa-easy-ws behind the gate, which accepts in a handler", () => {
    async function served(...guards: readonly ReturnType<typeof guard>[]) {
      const app = new Koa();
      const router = new Router();
      const accepting: Middleware = async (ctx) => {
        if (ctx.ws === undefined) {
          ctx.body = "page";
          return;
        }
        const socket = await ctx.ws();
        socket.on("message", () => socket.send(JSON.stringify(connectionOf(ctx.req).facts)));
      };
      const seen: number[] = [];
      app.use(async (ctx, next) => {
        ctx.set("X-Frame-Options", "DENY");
        await next();
        seen.push(ctx.status);
      });
      app.use(easyWs());
      const [first = guard(), ...late] = guards;
      router.get("/chat", first, handOver, ...late, accepting);
      router.get("/unguarded", accepting);
      app.use(routesOf(router));
      const errors = errorsOf(app);
      const server = createServer(app.callback());
      attach(server, app);
      // What the gate lets through finds Node's response as it was.
      server.prependListener("request", (_request, response) => seen.push(response.statusCode));
      return { port: await listen(server), errors, seen };
    }
    const factsAt = async (port: number): Promise<unknown> =>
      JSON.parse(await echoOf(await openWebSocket(`ws://127.0.0.1:${port}/chat`), "?"));

    it("a guard that has let the upgrade in passes it the second time, without deciding again", async () => {
      let decisions = 0;
      const { port, seen } = await served(
        guard(insecureAnyOrigin(), async () => {
          decisions++;
          return allowWith({ room: "blue" });
        }),
      );
      expect(await factsAt(port)).toEqual({ room: "blue" });
      expect(decisions).toBe(1);
      expect(seen.slice(0, 2)).toEqual([101, 200]);
      expect(await (await fetch(`http://127.0.0.1:${port}/chat`)).text()).toBe("page");
    });

    it("a guard behind handOver decides then, by the context of that time, and its facts are added", async () => {
      const contexts = new Set<unknown>();
      const noting = (facts: object) =>
        guard(insecureAnyOrigin(), (handshake) => {
          contexts.add(contextOf(handshake));
          return allowWith(facts);
        });
      const { port } = await served(noting({ first: true }), noting({ late: true }));
      expect(await factsAt(port)).toEqual({ first: true, late: true });
      expect(contexts.size).toBe(2);
    });

    it("a guard that refuses then is an error with its status, which Koa answers", async () => {
      const { port, errors } = await served(
        guard(insecureAnyOrigin()),
        guard(insecureAnyOrigin(), () => refuse("forbidden")),
      );
      expect(await statusOf(port)).toBe(403);
      expect(errors).toMatchObject([{ status: 403, code: "forbidden", expose: true }]);
    });

    it("what is refused or unguarded gets the gate's answer, and no handler runs", async () => {
      const { port, errors, seen } = await served(
        guard(insecureAnyOrigin(), () => refuse("forbidden")),
      );
      for (const [target, text] of [
        ["/chat", "403 Forbidden"],
        ["/nowhere", "404 Not Found"],
      ] as const) {
        const client = await dial(port);
        client.send(handshakeText({ target }));
        const answer = await client.closed;
        expect(answer).toContain(`HTTP/1.1 ${text}\r\nContent-Type: application/problem+json\r\n`);
        expect(answer).not.toContain("X-Frame-Options");
      }
      expect(seen).toEqual([403, 404]);
      expect(errors).toEqual([]);
    });
  });

  describe("koa-websocket behind the gate", () => {
    async function served(late: ReturnType<typeof guard>, behind: () => void) {
      const app = koaWebsocket(new Koa());
      const first = guard(insecureAnyOrigin(), () => allowWith({ first: true }));
      app.use((ctx, next) => (ctx.path === "/chat" ? first(ctx, next) : next()));
      app.ws.use(late);
      app.ws.use((ctx) => {
        behind();
        ctx.websocket.on("message", () =>
          ctx.websocket.send(JSON.stringify(connectionOf(ctx.req).facts)),
        );
      });
      const server = app.listen(0, "127.0.0.1");
      attach(server, app);
      return listen(server);
    }

    it("serves what the app's guards let in, and guards of its own stack add to it", async () => {
      const port = await served(
        guard(insecureAnyOrigin(), () => allowWith({ late: true })),
        () => undefined,
      );
      const socket = await openWebSocket(`ws://127.0.0.1:${port}/chat`);
      expect(JSON.parse(await echoOf(socket, "?"))).toEqual({ first: true, late: true });
      expect(await statusOf(port, { target: "/elsewhere" })).toBe(404);
    });

    it("runs nothing behind a guard of its own stack that refuses", async () => {
      const thrown = captureThrown();
      const refused = deferred<void>();
      let behind = 0;
      const port = await served(
        guard(insecureAnyOrigin(), () => {
          refused.resolve();
          return refuse("forbidden");
        }),
        () => behind++,
      );
      await openWebSocket(`ws://127.0.0.1:${port}/chat`);
      await refused.promise;
      await new Promise(setImmediate);
      expect(behind).toBe(0);
      expect(thrown).toEqual([]);
    });
  });

  it("the app's own proxy setting is not believed, and that is said", async () => {
    const warnings = captureWarnings();
    const chat = guard(insecureAnyOrigin(), ({ clientAddress }) => allowWith({ clientAddress }));
    const app = new Koa({ proxy: true });
    app.use(chat);
    const headers = { "X-Forwarded-For": "203.0.113.7" };
    const addressOf = async (options: object): Promise<unknown> => {
      const { shake, handedOver } = await walkedServer(app, options);
      await shake({ headers });
      return connectionOf(handedOver[0]?.request as IncomingMessage, chat).facts.clientAddress;
    };
    expect(await addressOf({})).toBe("127.0.0.1");
    expect(warnings).toEqual(["FIRMSHAKE_TRUST_PROXY_UNUSED"]);
    expect(await addressOf({ trustProxy: ["loopback"] })).toBe("203.0.113.7");
    expect(warnings).toEqual(["FIRMSHAKE_TRUST_PROXY_UNUSED"]);
  });
});

describe("identity", () => {
  it("counts as a cookie: not beside insecureAnyOrigin, and same-origin by default", () => {
    const read = () => ({ subject: "ada" });
    expect(thrownBy(() => guard(insecureAnyOrigin(), identity(read)))).toContain(
      "ERR_FIRMSHAKE_COOKIE_WITHOUT_ORIGIN",
    );
    expect(guard(identity(read)).explain()).toContain("same-origin");
    expect(thrownBy(() => identity(undefined as never))).toContain(
      "identity((ctx) => ctx.state.user && { subject: ctx.state.user.id })",
    );
  });

  it("has no context where there is no app", () => {
    expect(thrownBy(() => contextOf(handshakeOf()))).toContain("contextOf: this handshake");
    expect(allow.ok).toBe(true);
  });
});
