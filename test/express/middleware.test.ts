import { once } from "node:events";
import { createServer } from "node:http";
import {
  allow,
  allowWith,
  attach,
  connectionOf,
  guard,
  type Identity,
  identity,
  insecureAnyOrigin,
  lifetime,
  limits,
  origin,
  rateLimit,
  refuse,
  requestOf,
} from "@firmshake/express";
import type { Application, Request } from "express";
import session from "express-session";
import expressWs from "express-ws";
import { Passport, Strategy } from "passport";
import { describe, expect, it } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { fakeClock } from "../corpus/fake-clock.ts";
import { handshakeOf, thrownBy } from "../support/handshakes.ts";
import { statusOf } from "../support/raw-client.ts";
import { deferred, echoOf, listen, openWebSocket } from "../support/server.ts";
import { captureThrown } from "../support/thrown.ts";
import { captureWarnings } from "../support/warnings.ts";
import { majors, walkedServer } from "./apps.ts";

type SignedInRequest = Request & { user?: { id: string }; session: { visits?: number } };

/** A strategy that signs in whoever knows the password. */
class LocalStrategy extends Strategy {
  override name = "local";
  override authenticate(request: Request): void {
    const { user, password } = request.query;
    if (password === "opensesame") this.success({ id: String(user) });
    else this.fail(401);
  }
}

function signInWith(app: Application): void {
  const passport = new Passport();
  passport.use(new LocalStrategy());
  passport.serializeUser((user, done) => done(null, (user as { id: string }).id));
  passport.deserializeUser((id, done) => done(null, id === "gone" ? false : { id }));
  app.use(session({ secret: "keyboard cat", resave: false, saveUninitialized: false }));
  app.use(passport.initialize());
  app.use(passport.session());
  app.post(
    "/login",
    passport.authenticate("local"),
    (_request, response) => void response.send("welcome"),
  );
}

const cookieOf = async (port: number, user: string): Promise<string> => {
  const url = `http://127.0.0.1:${port}/login?user=${user}&password=opensesame`;
  const response = await fetch(url, { method: "POST" });
  expect(response.status).toBe(200);
  return response.headers.get("set-cookie")?.split(";")[0] ?? "";
};

const page = "http://127.0.0.1:1";

describe.each(majors)("$major", ({ express }) => {
  describe("a session of express-session and Passport", () => {
    const chatOf = () =>
      guard(
        origin([page]),
        identity((request: SignedInRequest) => request.user && { subject: request.user.id }),
        rateLimit({ limit: 2, windowMs: 60_000, key: "identity" }),
      );

    async function served(): Promise<{
      port: number;
      found: Promise<Identity>;
      chat: ReturnType<typeof chatOf>;
    }> {
      const app = express();
      const chat = chatOf();
      signInWith(app);
      app.get("/chat", chat);
      app.use((_request, response) => void response.status(404).send("Not found"));
      const server = createServer(app);
      attach(server, app);
      const found = deferred<Identity>();
      new WebSocketServer({ server }).on("connection", (socket, request) => {
        found.resolve(connectionOf(request, chat).identity);
        socket.on("message", (data) => socket.send(String(data)));
      });
      return { port: await listen(server), found: found.promise, chat };
    }

    it("authenticates the upgrade by its cookie", async () => {
      const { port, found } = await served();
      const headers = { Cookie: await cookieOf(port, "ada"), Origin: page };
      const socket = await openWebSocket(`ws://127.0.0.1:${port}/chat`, [], { headers });
      expect(await echoOf(socket, "hello")).toBe("hello");
      expect(await found).toEqual({
        subject: "ada",
        scheme: "session",
        claims: {},
        expiresAt: undefined,
      });
    });

    it("is refused without a cookie, with a forged one, of a user that is gone, and from a foreign page", async () => {
      const { port } = await served();
      const cookie = await cookieOf(port, "ada");
      const status = (headers: Record<string, string>) =>
        statusOf(port, { headers: { Origin: page, ...headers } });
      expect(await status({})).toBe(401);
      expect(await status({ Cookie: `${cookie}x` })).toBe(401);
      expect(await status({ Cookie: await cookieOf(port, "gone") })).toBe(401);
      expect(await status({ Cookie: cookie, Origin: "https://evil.test" })).toBe(403);
      expect(await status({ Cookie: cookie })).toBe(101);
    });

    it("is counted by who it is", async () => {
      const { port } = await served();
      const [ada, bob] = [await cookieOf(port, "ada"), await cookieOf(port, "bob")];
      const status = (Cookie: string) => statusOf(port, { headers: { Origin: page, Cookie } });
      expect([await status(ada), await status(ada), await status(ada), await status(bob)]).toEqual([
        101, 101, 429, 101,
      ]);
    });
  });

  it("a check of one's own may ask for the request", async () => {
    const app = express();
    app.use((request, _response, next) => {
      Object.assign(request, { tenant: request.query.tenant });
      next();
    });
    const tenant = guard(insecureAnyOrigin(), (handshake) => {
      const { tenant } = requestOf<Request & { tenant?: string }>(handshake);
      return tenant === undefined ? refuse("forbidden") : allowWith({ tenant });
    });
    app.use("/nested", express.Router().get("/chat", tenant));
    const { shake, handedOver } = await walkedServer(app);
    expect((await shake({ target: "/nested/chat" })).status).toBe(403);
    expect((await shake({ target: "/nested/chat?tenant=blue" })).status).toBe(101);
    expect(connectionOf(handedOver[0]?.request as Request, tenant).facts.tenant).toBe("blue");
  });

  it("headers that middleware sets stand on answers of the application, and not in the way of the upgrade", async () => {
    const app = express();
    app.disable("x-powered-by");
    app.use((_request, response, next) => {
      response.setHeader("X-Content-Type-Options", "nosniff");
      response.setHeader("Content-Security-Policy", "default-src 'self'");
      next();
    });
    app.get("/chat", guard(insecureAnyOrigin()));
    app.get("/private", (_request, response) => void response.sendStatus(401));
    const server = createServer(app);
    attach(server, app);
    new WebSocketServer({ server }).on("connection", (socket) =>
      socket.on("message", () => socket.send("well")),
    );
    const port = await listen(server);
    expect(await echoOf(await openWebSocket(`ws://127.0.0.1:${port}/chat`), "?")).toBe("well");
    const { shake } = await walkedServer(app);
    expect((await shake({ target: "/private" })).headers).toMatchObject({
      "x-content-type-options": "nosniff",
    });
  });

  describe("express-ws behind the gate", () => {
    async function served(mount: (app: Application) => void): Promise<number> {
      const app = express();
      const server = createServer(app);
      expressWs(app, server);
      mount(app);
      attach(server, app);
      return listen(server);
    }
    const echo = (app: Application, path: string): void => {
      const { ws } = app as unknown as {
        ws: (path: string, handler: (socket: WebSocket, request: Request) => void) => void;
      };
      ws.call(app, path, (socket, request) => {
        socket.on("message", () => socket.send(JSON.stringify(connectionOf(request).facts)));
      });
    };
    const factsAt = async (port: number): Promise<unknown> =>
      JSON.parse(await echoOf(await openWebSocket(`ws://127.0.0.1:${port}/chat`), "?"));

    it("a guard that has let the upgrade in passes it the second time, without deciding again", async () => {
      let decisions = 0;
      const port = await served((app) => {
        app.use(
          "/chat",
          guard(insecureAnyOrigin(), () => {
            decisions++;
            return allowWith({ room: "blue" });
          }),
        );
        echo(app, "/chat");
      });
      expect(await factsAt(port)).toEqual({ room: "blue" });
      expect(decisions).toBe(1);
    });

    it("a guard that the first walk did not reach decides on the second, and its facts are added", async () => {
      const late = guard(insecureAnyOrigin(), async () => allowWith({ late: true }));
      const port = await served((app) => {
        app.get(
          "/chat",
          guard(insecureAnyOrigin(), () => allowWith({ first: true })),
        );
        app.use("/chat", late);
        echo(app, "/chat");
      });
      expect(await factsAt(port)).toEqual({ first: true, late: true });
    });

    it("limits of a guard that the first walk did not reach count from then on", async () => {
      const port = await served((app) => {
        app.get("/chat", guard(insecureAnyOrigin(), limits({ maxMessageBytes: 100 })));
        app.use("/chat", guard(insecureAnyOrigin(), limits({ maxMessageBytes: 10 })));
        echo(app, "/chat");
      });
      const socket = await openWebSocket(`ws://127.0.0.1:${port}/chat`);
      expect(await echoOf(socket, "1234567890")).toBe("{}");
      socket.send("12345678901");
      const [code, reason] = await once(socket, "close");
      expect([code, String(reason)]).toEqual([1009, "message_too_big"]);
    });

    it("what a gate and a guard before it have said stays, whatever one says that is reached later", async () => {
      const clock = fakeClock();
      const quiet = { pingIntervalMs: 0 };
      const app = express();
      const server = createServer(app);
      expressWs(app, server);
      app.get(
        "/chat",
        guard(
          insecureAnyOrigin(),
          limits({ maxMessageBytes: 10 }),
          lifetime({ ...quiet, idleMs: 60_000 }),
        ),
      );
      app.use(
        "/chat",
        guard(
          insecureAnyOrigin(),
          limits({ maxMessageBytes: 100 }),
          lifetime({ ...quiet, idleMs: 90_000 }),
        ),
      );
      echo(app, "/chat");
      attach(server, app, { clock });
      attach(server, guard(insecureAnyOrigin()), { clock });
      const url = `ws://127.0.0.1:${await listen(server)}/chat`;
      const [silent, long] = [await openWebSocket(url), await openWebSocket(url)];
      expect(await echoOf(long, "1234567890")).toBe("{}");
      const closes = [long, silent].map(async (socket) => (await once(socket, "close"))[0]);
      long.send("12345678901");
      expect(await closes[0]).toBe(1009);
      clock.advance(61_000);
      expect(await closes[1]).toBe(3008);
    });

    it("a guard that refuses on the second walk keeps the handler from running", async () => {
      const thrown = captureThrown();
      let handled = 0;
      const port = await served((app) => {
        app.get("/chat", guard(insecureAnyOrigin()));
        app.use(
          "/chat",
          guard(insecureAnyOrigin(), () => refuse("forbidden")),
        );
        const { ws } = app as unknown as { ws: (path: string, handler: () => void) => void };
        ws.call(app, "/chat", () => handled++);
        app.use(
          (
            _error: unknown,
            _request: Request,
            response: { status: (code: number) => { end: () => void } },
            _next: unknown,
          ) => {
            response.status(403).end();
          },
        );
      });
      const socket = await openWebSocket(`ws://127.0.0.1:${port}/chat`);
      await new Promise((resolve) => socket.once("close", resolve));
      expect(handled).toBe(0);
      expect(thrown).toEqual([]);
    });

    it("paths without a guard are refused, although express-ws would take them", async () => {
      const port = await served((app) => echo(app, "/chat"));
      expect(await statusOf(port)).toBe(404);
    });
  });

  it("the app's own trust proxy is not believed, and that is said", async () => {
    const warnings = captureWarnings();
    const app = express();
    app.set("trust proxy", true);
    const chat = guard(insecureAnyOrigin(), ({ clientAddress }) => allowWith({ clientAddress }));
    app.get("/chat", chat);
    const headers = { "X-Forwarded-For": "203.0.113.7" };
    const addressOf = async (options: object): Promise<unknown> => {
      const { shake, handedOver } = await walkedServer(app, options);
      await shake({ headers });
      return connectionOf(handedOver[0]?.request as Request, chat).facts.clientAddress;
    };
    expect(await addressOf({})).toBe("127.0.0.1");
    expect(warnings).toEqual(["FIRMSHAKE_TRUST_PROXY_UNUSED"]);
    expect(await addressOf({ trustProxy: ["loopback"] })).toBe("203.0.113.7");
    expect(warnings).toEqual(["FIRMSHAKE_TRUST_PROXY_UNUSED"]);
  });
});

describe("identity", () => {
  it.each([
    { name: "nothing", found: undefined, code: "unauthorized" },
    { name: "null", found: null, code: "unauthorized" },
    { name: "false", found: false, code: "unauthorized" },
    { name: "a subject that is no text", found: { subject: 7 }, code: "check_failed" },
    { name: "an empty subject", found: { subject: "" }, code: "check_failed" },
    { name: "a text", found: "ada", code: "check_failed" },
  ])("refuses $name", async ({ found, code }) => {
    for (const read of [() => found as never, async () => found as never]) {
      const app = majors[0].express();
      app.use(guard(origin([page]), identity(read)));
      const { shake } = await walkedServer(app);
      expect((await shake({ headers: { Origin: page } })).body).toContain(code);
    }
  });

  it("keeps claims and expiry, as a copy", async () => {
    const claims = { roles: ["admin"] };
    const chat = guard(
      origin([page]),
      identity(async () => ({ subject: "ada", claims, expiresAt: 4_102_444_800_000 })),
    );
    const app = majors[0].express();
    app.use(chat);
    const { shake, handedOver } = await walkedServer(app);
    await shake({ headers: { Origin: page } });
    const found = connectionOf(handedOver[0]?.request as Request, chat).identity;
    expect(found).toEqual({
      subject: "ada",
      scheme: "session",
      claims,
      expiresAt: 4_102_444_800_000,
    });
    expect(Object.isFrozen(found) && Object.isFrozen(found.claims)).toBe(true);
    expect(found.claims).not.toBe(claims);
  });

  it("counts as a cookie: not beside insecureAnyOrigin, and same-origin by default", () => {
    const read = () => ({ subject: "ada" });
    expect(thrownBy(() => guard(insecureAnyOrigin(), identity(read)))).toContain(
      "ERR_FIRMSHAKE_COOKIE_WITHOUT_ORIGIN",
    );
    expect(guard(identity(read)).explain()).toContain("same-origin");
    expect(thrownBy(() => identity(undefined as never))).toContain("ERR_FIRMSHAKE_CHECK_INVALID");
  });

  it("has no request where there is no app", () => {
    expect(thrownBy(() => requestOf(handshakeOf()))).toContain("ERR_FIRMSHAKE_NOT_ATTACHED");
    expect(allow.ok).toBe(true);
  });
});
