import { once } from "node:events";
import { createServer } from "node:http";
import { Readable } from "node:stream";
import {
  allow,
  allowWith,
  attach,
  type Check,
  connectionOf,
  contextOf,
  type DecisionEvent,
  guard,
  handOver,
  insecureAnyOrigin,
  refuse,
} from "@firmshake/koa";
import { attach as attachToNode } from "@firmshake/node";
import Router from "@koa/router";
import type { Context, Middleware } from "koa";
import { describe, expect, it, vi } from "vitest";
import { listenersOn } from "../support/listeners.ts";
import { dial, handshakeText, statusOf } from "../support/raw-client.ts";
import { connectionsOf, deferred, listen } from "../support/server.ts";
import { captureThrown } from "../support/thrown.ts";
import { walkedServerOf } from "../support/walked-server.ts";
import { captureWarnings } from "../support/warnings.ts";
import { composed, errorsOf, majors, mounted, routesOf, walkedServer } from "./apps.ts";

const open = (...checks: readonly Check<object>[]) => guard(insecureAnyOrigin(), ...checks);
const refusing = () => open(() => refuse("forbidden"));
const adding = (facts: object) => open(async () => allowWith(facts));
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
/** Dates differ from second to second. */
const undated = (bytes: string): string => bytes.replace(/^Date: .*$/m, "Date: now");

describe.each(majors)("$major", ({ Koa }) => {
  /** An app with middleware in front of a guard. */
  const appWith = (...stack: readonly Middleware[]) => {
    const app = new Koa();
    app.silent = true;
    for (const middleware of stack) app.use(middleware);
    return app;
  };

  describe("a guard stands", () => {
    it("on the app", async () => {
      const { shake } = await walkedServer(appWith(open()));
      expect((await shake()).status).toBe(101);
    });

    it("on a route, a router, a router in a router, behind a prefix; elsewhere there is 404", async () => {
      const router = new Router();
      const prefixed = new Router({ prefix: "/prefixed" });
      const outer = new Router({ prefix: "/outer" });
      const inner = new Router();
      router.get("/get", open());
      router.all("/all", open());
      router.get("/params/:room", open());
      router.get(/^\/regexp\/\d+$/, open());
      router.get(["/one", "/two"], open());
      router.post("/posted", open());
      prefixed.use(open());
      prefixed.get("/below", (_ctx, next) => next());
      inner.get("/leaf", open());
      outer.use("/inner", inner.routes());
      const app = appWith(routesOf(router), routesOf(prefixed), routesOf(outer));
      const { shake, handedOver } = await walkedServer(app);
      const allowed = [
        "/get",
        "/all",
        "/params/blue?x=1",
        "/regexp/7",
        "/one",
        "/two",
        "/prefixed/below",
        "/outer/inner/leaf",
      ];
      for (const target of allowed) expect((await shake({ target })).status, target).toBe(101);
      expect(handedOver.map(({ request }) => request.url)).toEqual(allowed);
      for (const target of [
        "/",
        "/get/below",
        "/posted",
        "/regexp/x",
        "/prefixed",
        "/outer/leaf",
      ]) {
        expect(await shake({ target }), target).toMatchObject({
          status: 404,
          body: expect.stringContaining("not_found"),
        });
      }
    });

    it("in a stack that is mounted below a path", async () => {
      const app = appWith(
        mounted("/sub", adding({ top: true }), mounted("/deep", adding({ deep: true }))),
      );
      const { shake, handedOver } = await walkedServer(app);
      expect((await shake({ target: "/other/chat" })).status).toBe(404);
      expect((await shake({ target: "/sub/deep/chat?x=1" })).status).toBe(101);
      const { request } = handedOver[0] ?? {};
      expect(connectionOf(request as object).facts).toEqual({ top: true, deep: true });
      expect(request?.url).toBe("/sub/deep/chat?x=1");
    });

    it("on what is mounted after the gate was attached, and after upgrades have come", async () => {
      const app = appWith();
      const { shake } = await walkedServer(app);
      expect((await shake()).status).toBe(404);
      app.use(open());
      expect((await shake()).status).toBe(101);
      app.middleware[0] = refusing();
      expect((await shake()).status).toBe(403);
    });
  });

  describe("guards on the way add up", () => {
    it.each([
      { name: "all allow", first: allow, second: allow, status: 101 },
      { name: "the first refuses", first: refuse("forbidden"), second: allow, status: 403 },
      { name: "the last refuses", first: allow, second: refuse("unauthorized"), status: 401 },
    ])("$name", async ({ first, second, status }) => {
      for (const isLate of [false, true]) {
        const answering = (answer: typeof first | typeof second) =>
          open(() => (isLate ? Promise.resolve(answer) : answer));
        const router = new Router();
        router.get("/chat", answering(second));
        const { shake, handedOver } = await walkedServer(
          appWith(answering(first), routesOf(router)),
        );
        expect((await shake()).status).toBe(status);
        expect(handedOver.length).toBe(status === 101 ? 1 : 0);
      }
    });

    it.each<{ name: string; mount: (router: Router, chat: ReturnType<typeof open>) => void }>([
      {
        name: "on the app in front of the router",
        mount: (router, chat) => router.get("/chat", refusing()).get("/other", chat),
      },
      {
        name: "by router.use of the same path",
        mount: (router, chat) => router.use("/chat", chat).get("/chat", refusing(), chat),
      },
      {
        name: "twice in one route",
        mount: (router, chat) => router.get("/chat", chat, refusing(), chat),
      },
      {
        name: "at the end of a route of another path, and in what this one is made of",
        mount: (router, chat) =>
          router.get("/chat", composed(chat, refusing())).get("/:room", chat),
      },
      {
        name: "at the end of a route for another method, and in what this one is made of",
        mount: (router, chat) =>
          router.get("/chat", composed(chat, refusing())).post("/chat", chat),
      },
      {
        name: "in a route of the same path before it",
        mount: (router, chat) => router.get("/chat", chat).get("/chat", refusing(), chat),
      },
    ])("also where the same guard stands twice: $name", async ({ mount }) => {
      const router = new Router();
      const chat = open();
      mount(router, chat);
      const { shake } = await walkedServer(appWith(chat, routesOf(router)));
      expect((await shake()).status).toBe(403);
    });

    it("and so do their facts", async () => {
      const [first, second] = [adding({ first: 1 }), adding({ second: 2 })];
      const { shake, handedOver } = await walkedServer(appWith(composed(first, second)));
      await shake();
      expect(connectionOf(handedOver[0]?.request as object, first).facts).toEqual({
        first: 1,
        second: 2,
      });
    });
  });

  describe("the end of the walk", () => {
    it("is a guard that is the last handler of its route: nothing behind runs", async () => {
      const warnings = captureWarnings();
      const router = new Router();
      let behind = 0;
      router.get("/chat", open());
      router.get("/chat", (ctx) => {
        behind++;
        ctx.body = "page";
      });
      const app = appWith(routesOf(router), router.allowedMethods() as Middleware, (ctx) =>
        ctx.throw(404),
      );
      const { shake, port } = await walkedServer(app);
      expect((await shake()).status).toBe(101);
      expect(behind).toBe(0);
      expect(await (await fetch(`http://127.0.0.1:${port}/chat`)).text()).toBe("page");
      expect(warnings).toEqual([]);
    });

    it("is handOver, which ordinary requests pass", async () => {
      const router = new Router();
      router.get("/chat", open(), handOver, (ctx) => {
        ctx.body = "page";
      });
      router.get("/unguarded", handOver);
      const { shake, port } = await walkedServer(appWith(routesOf(router)));
      expect((await shake()).status).toBe(101);
      expect((await shake({ target: "/unguarded" })).body).toContain("not_found");
      expect(await (await fetch(`http://127.0.0.1:${port}/chat`)).text()).toBe("page");
    });

    it("is not where middleware merely does not go on: that is a 404, as ever", async () => {
      for (const stopped of [appWith(open(), () => undefined), appWith(() => undefined, open())]) {
        const { shake, handedOver } = await walkedServer(stopped);
        expect(await shake()).toMatchObject({ status: 404, body: "Not Found" });
        expect(handedOver).toEqual([]);
      }
    });

    it("comes when the stack has unwound", async () => {
      const steps: string[] = [];
      const app = appWith(async (_ctx, next) => {
        await next();
        await settled();
        steps.push("unwound");
      }, open());
      const { shake, server } = await walkedServer(app);
      server.prependListener("upgrade", () => steps.push("handed over"));
      expect((await shake()).status).toBe(101);
      expect(steps).toEqual(["unwound", "handed over"]);
    });

    it.each<{ name: string; late: Middleware; status: number; body?: string }>([
      {
        name: "a body",
        late: (ctx) => {
          ctx.body = { late: true };
        },
        status: 200,
        body: '{"late":true}',
      },
      {
        name: "a status",
        late: (ctx) => {
          ctx.status = 409;
        },
        status: 409,
        body: "Conflict",
      },
      {
        name: "no content",
        late: (ctx) => {
          ctx.body = null;
        },
        status: 204,
      },
      { name: "a redirect", late: (ctx) => ctx.redirect("/login"), status: 302 },
      { name: "an error", late: (ctx) => ctx.throw(418), status: 418 },
      {
        name: "the raw response",
        late: (ctx) => {
          ctx.respond = false;
          ctx.res.statusCode = 451;
          ctx.res.end("raw");
        },
        status: 451,
        body: "raw",
      },
      {
        name: "the raw response, later",
        late: (ctx) => {
          ctx.respond = false;
          setImmediate(() => ctx.res.end("raw"));
        },
        status: 404,
        body: "raw",
      },
    ])(
      "does not come where somebody answers behind await next(): $name",
      async ({ late, status, body }) => {
        for (const end of [open(), composed(open(), handOver)]) {
          const app = appWith(async (ctx, next) => {
            await next();
            await late(ctx, next);
          }, end);
          const { shake, handedOver, server } = await walkedServer(app);
          const answer = await shake();
          expect(answer).toMatchObject({ status, headers: { connection: "close" } });
          if (body !== undefined) expect(answer.body).toBe(body);
          expect(handedOver).toEqual([]);
          await expect.poll(() => connectionsOf(server)).toBe(0);
        }
      },
    );

    it("does not come where somebody in front has answered and gone on, and no such answer says 101", async () => {
      for (const answer of [
        { status: 404, body: "preset" },
        { status: 201, body: "preset" },
        { status: 403, body: undefined },
      ]) {
        const app = appWith((ctx, next) => {
          ctx.status = answer.status;
          if (answer.body !== undefined) ctx.body = answer.body;
          return next();
        }, open());
        const { shake, handedOver } = await walkedServer(app);
        expect((await shake()).status).toBe(answer.status);
        expect(handedOver).toEqual([]);
      }
    });

    it("never is an answer of 101", async () => {
      const app = appWith(open(), (ctx) => {
        ctx.status = 101;
      });
      const { shake, handedOver } = await walkedServer(app);
      expect((await shake()).status).toBe(404);
      expect(handedOver).toEqual([]);
    });

    it("does not come where next() was not awaited and the guard is late", async () => {
      const thrown = captureThrown();
      const app = appWith((_ctx, next) => void next(), adding({}));
      const { shake, handedOver } = await walkedServer(app);
      expect((await shake()).status).toBe(404);
      await settled();
      expect(handedOver).toEqual([]);
      expect(thrown).toEqual([]);
    });
  });

  describe("middleware in front sees the status", () => {
    const router = new Router();
    router.get("/endpoint", open());
    router.get("/ended", open(), handOver);
    router.get("/refused", refusing());
    router.post("/posted", open());
    const seen: unknown[] = [];
    const app = appWith(
      async (ctx, next) => {
        await next();
        seen.push([ctx.path, ctx.status]);
        if (ctx.status === 404) ctx.body = "our own page";
      },
      routesOf(router),
      router.allowedMethods() as Middleware,
      mounted("/used", open()),
    );

    it.each([
      { target: "/endpoint", status: 101, answer: 101, what: "a guard at the end of a route" },
      { target: "/ended", status: 101, answer: 101, what: "handOver" },
      { target: "/used/x", status: 101, answer: 101, what: "a guard with nothing behind it" },
      { target: "/refused", status: 403, answer: 403, what: "a guard that refuses" },
      { target: "/posted", status: 405, answer: 405, what: "a route for another method" },
      { target: "/unguarded", status: 404, answer: 200, what: "no guard, and answers in its way" },
    ])("$status of $what", async ({ target, status, answer }) => {
      seen.length = 0;
      const { shake } = await walkedServer(app);
      expect((await shake({ target })).status).toBe(answer);
      expect(seen).toEqual([[target, status]]);
    });

    it("and what stands behind a guard sees nothing of it", async () => {
      const behind: unknown[] = [];
      const app = appWith(open(), async (ctx, next) => {
        behind.push([ctx.status, ctx.body, ctx.headerSent]);
        await next();
      });
      expect((await (await walkedServer(app)).shake()).status).toBe(101);
      expect(behind).toEqual([[404, undefined, false]]);
    });
  });

  describe("a refusal", () => {
    const writing: readonly Middleware[] = [
      async (ctx, next) => {
        ctx.set("X-Frame-Options", "DENY");
        ctx.message = "Mine";
        await next();
        ctx.status = 200;
        ctx.body = "instead";
        ctx.set("X-Late", "1");
        ctx.cookies.set("late", "1");
      },
      async (ctx, next) => {
        await next();
        ctx.respond = false;
        await settled();
        ctx.res.end("raw");
      },
      async (_ctx, next) => {
        await next();
        throw new Error("late");
      },
    ];

    it.each([
      { when: "at once", guardOf: refusing },
      { when: "later", guardOf: () => open(async () => refuse("forbidden")) },
    ])(
      "$when is the gate's own, byte for byte, whatever middleware in front writes",
      async ({ guardOf }) => {
        const thrown = captureThrown();
        const bare = createServer();
        const { bytesOf } = await walkedServerOf(bare, attachToNode(bare, guardOf()));
        const own = undated(await bytesOf());
        for (const front of writing) {
          const app = appWith(front, guardOf());
          expect(undated(await (await walkedServer(app)).bytesOf())).toBe(own);
          // The same where nobody listens for upgrades, and Node gives them out as requests.
          const server = createServer(app.callback());
          attach(server, app);
          const client = await dial(await listen(server));
          client.send(handshakeText());
          expect(undated(await client.closed)).toBe(own);
        }
        expect(thrown).toEqual([]);
      },
    );

    it("throws nothing, runs nothing behind, and is no error of the app", async () => {
      let [behind, caught] = [0, 0];
      const app = appWith(
        async (_ctx, next) => {
          await next().catch(() => caught++);
        },
        refusing(),
        () => void behind++,
      );
      const errors = errorsOf(app);
      expect((await (await walkedServer(app)).shake()).status).toBe(403);
      await settled();
      expect([behind, caught, errors]).toEqual([0, 0, []]);
    });
  });

  describe("errors", () => {
    const table: { name: string; error: unknown; status: number; says?: string; hides?: string }[] =
      [
        { name: "an error", error: new Error("secret"), status: 500, hides: "secret" },
        { name: "ctx.throw(401)", error: { throw: [401, "Who?"] }, status: 401, says: "Who?" },
        { name: "ctx.throw(503)", error: { throw: [503, "secret"] }, status: 503, hides: "secret" },
        {
          name: "ctx.throw with properties",
          error: { throw: [409, "secret", { expose: false }] },
          status: 409,
          hides: "secret",
        },
        { name: "a status that is none", error: { status: 99 }, status: 500 },
        { name: "a text", error: "secret", status: 500, hides: "secret" },
        { name: "undefined", error: undefined, status: 500 },
        { name: "null", error: null, status: 500 },
      ];
    it.each(table)(
      "reach the client by their status and expose, and the app once: $name",
      async ({ error, status, says, hides }) => {
        const thrown = captureThrown();
        const app = appWith((ctx) => {
          ctx.set("Content-Encoding", "gzip");
          const { throw: given } = Object(error) as { throw?: [number, string, object] };
          if (given !== undefined) ctx.throw(...given);
          throw error;
        }, open());
        const told: unknown[] = [];
        app.on("error", (one: unknown, ctx: Context) => told.push([one, ctx.app === app]));
        const { shake, handedOver } = await walkedServer(app);
        const answer = await shake();
        expect(answer).toMatchObject({
          status,
          headers: { "content-type": "application/problem+json" },
        });
        expect(answer.headers["content-encoding"]).toBeUndefined();
        expect(answer.body.length).toBe(Number(answer.headers["content-length"]));
        if (says !== undefined) expect(answer.body).toContain(says);
        if (hides !== undefined) expect(answer.body).not.toContain(hides);
        expect(handedOver).toEqual([]);
        await settled();
        expect(told).toEqual([[expect.any(Error), true]]);
        expect(thrown).toEqual([]);
      },
    );

    it("are the cause of the decision", async () => {
      const events: DecisionEvent[] = [];
      const app = appWith((ctx) => ctx.throw(418, "no"));
      const { shake } = await walkedServer(app, { onDecision: (event) => void events.push(event) });
      await shake();
      expect(events).toMatchObject([{ outcome: "answered", cause: { message: "no" } }]);
    });

    it("are shown by Koa's own listener where there is no other, without those that are exposed", async () => {
      const shown = vi.spyOn(console, "error").mockReturnValue(undefined);
      for (const [status, times] of [
        [401, 0],
        [500, 1],
      ] as const) {
        const app = new Koa();
        app.use((ctx) => ctx.throw(status));
        const { shake } = await walkedServer(app);
        expect((await shake()).status).toBe(status);
        await settled();
        expect(shown).toHaveBeenCalledTimes(times);
        expect(app.listenerCount("error")).toBe(1);
      }
      shown.mockRestore();
    });

    it("of a listener for errors end nothing", async () => {
      const thrown = captureThrown();
      const app = appWith((ctx) => ctx.throw(418));
      app.on("error", () => {
        throw new Error("listener");
      });
      const { shake, server } = await walkedServer(app);
      expect((await shake()).status).toBe(418);
      await expect.poll(() => connectionsOf(server)).toBe(0);
      expect(thrown).toEqual([]);
    });

    it("may be answered by the application's own middleware", async () => {
      const app = appWith(
        async (ctx, next) => {
          await next().catch((error: { status: number }) => {
            ctx.status = error.status;
            ctx.body = "mended";
          });
        },
        open(),
        (ctx) => ctx.throw(503),
      );
      const errors = errorsOf(app);
      const { shake } = await walkedServer(app);
      expect(await shake()).toMatchObject({ status: 503, body: "mended" });
      expect(errors).toEqual([]);
    });

    it("of a body count too", async () => {
      const thrown = captureThrown();
      const circular: { self?: object } = {};
      circular.self = circular;
      const app = appWith((ctx) => {
        ctx.body = circular;
      });
      const errors = errorsOf(app);
      expect((await (await walkedServer(app)).shake()).status).toBe(500);
      expect(errors.length).toBe(1);
      expect(thrown).toEqual([]);
    });

    it("behind half an answer close the socket", async () => {
      const app = appWith((ctx) => {
        ctx.res.write("half");
        throw new Error("no");
      });
      const { shake, server } = await walkedServer(app);
      expect((await shake()).body).not.toContain("HTTP/1.1");
      await expect.poll(() => connectionsOf(server)).toBe(0);
    });

    it("that a composition throws refuse, and leave the app as it was", async () => {
      const app = appWith();
      app.middleware.push("no middleware" as never);
      const server = createServer();
      attach(server, app);
      server.on("upgrade", (_request, socket) => socket.end("HTTP/1.1 101 x\r\n\r\n"));
      expect(await statusOf(await listen(server))).toBe(500);
    });
  });

  describe("middleware that takes its time", () => {
    it("and never goes on: 503 at the deadline", async () => {
      const app = appWith(() => new Promise(() => undefined));
      const { shake, gate } = await walkedServer(app, { decisionTimeoutMs: 30 });
      expect(await shake()).toMatchObject({
        status: 503,
        body: expect.stringContaining("decision_timeout"),
      });
      expect(gate.pending).toBe(0);
    });

    it.each<{ name: string; late: Middleware; errors: number }>([
      {
        name: "answer",
        late: (ctx) => {
          ctx.status = 401;
          ctx.body = { late: true };
        },
        errors: 0,
      },
      { name: "redirect", late: (ctx) => ctx.redirect("/login"), errors: 0 },
      { name: "go on", late: (_ctx, next) => next(), errors: 0 },
      { name: "fail", late: (ctx) => ctx.throw(500), errors: 1 },
    ])("may $name when it is too late", async ({ late, errors }) => {
      const thrown = captureThrown();
      const warnings = captureWarnings();
      const over = deferred<void>();
      const done = deferred<void>();
      let behind = 0;
      const app = appWith(
        async (ctx, next) => {
          await over.promise;
          try {
            await late(ctx, next);
          } finally {
            done.resolve();
          }
        },
        open(),
        () => void behind++,
      );
      const told = errorsOf(app);
      const { shake, handedOver } = await walkedServer(app, { decisionTimeoutMs: 20 });
      expect((await shake()).status).toBe(503);
      over.resolve();
      await done.promise;
      await settled();
      expect([behind, handedOver, thrown, warnings]).toEqual([0, [], [], []]);
      expect(told.length).toBe(errors);
    });

    it("is no error of the app where the client has left", async () => {
      const thrown = captureThrown();
      for (const leave of ["reset", "end"] as const) {
        const entered = deferred<Context>();
        const left = deferred<void>();
        const app = appWith(async (ctx) => {
          entered.resolve(ctx);
          await left.promise;
          ctx.body = "too late";
        });
        const errors = errorsOf(app);
        const { port, gate, server } = await walkedServer(app);
        const client = await dial(port);
        client.send(handshakeText());
        const closed = once((await entered.promise).res, "close");
        if (leave === "reset") client.reset();
        else client.socket.end();
        await closed;
        left.resolve();
        await settled();
        await expect.poll(() => gate.pending).toBe(0);
        await expect.poll(() => connectionsOf(server)).toBe(0);
        expect(errors).toEqual([]);
      }
      expect(thrown).toEqual([]);
    });
  });

  describe("the socket", () => {
    it("is handed over without a trace of the walk", async () => {
      const look = async (app: ReturnType<typeof appWith> | undefined): Promise<object> => {
        const server = createServer();
        if (app !== undefined) attach(server, app);
        const seen = deferred<object>();
        server.on("upgrade", (_request, socket) => {
          // A gate that waits watches the socket until the event is over.
          process.nextTick(() => {
            const { _httpMessage: message } = socket as { _httpMessage?: unknown };
            seen.resolve({
              listeners: listenersOn(socket),
              flowing: socket.readableFlowing,
              message: message ?? null,
            });
            socket.destroy();
          });
        });
        const client = await dial(await listen(server));
        client.send(handshakeText());
        return seen.promise;
      };
      const bare = await look(undefined);
      expect(await look(appWith(open()))).toEqual(bare);
      expect(await look(appWith(adding({})))).toEqual(bare);
    });

    it("that breaks after the hand-over is no error of the app", async () => {
      const app = appWith(open());
      const errors = errorsOf(app);
      const server = createServer();
      attach(server, app);
      const taken = deferred<NodeJS.EventEmitter>();
      server.on("upgrade", (_request, socket) => {
        socket.on("error", () => undefined);
        socket.write("HTTP/1.1 101 x\r\n\r\n");
        taken.resolve(socket);
      });
      const client = await dial(await listen(server));
      client.send(handshakeText());
      await client.until("101");
      const socket = await taken.promise;
      const closed = new Promise((resolve) => socket.on("close", resolve));
      client.reset();
      await closed;
      expect(errors).toEqual([]);
    });

    it("carries an answer that is longer than its buffers", async () => {
      const app = appWith((ctx) => {
        ctx.body = Readable.from(longAnswer());
      });
      const answer = await (await walkedServer(app)).shake();
      expect(answer.status).toBe(200);
      expect(answer.body.split("0123456789abcdef").length - 1).toBe(4_096 * 16);
    });

    function* longAnswer(): Generator<string> {
      for (let at = 0; at < 4_096; at++) yield "0123456789abcdef".repeat(16);
    }

    it("is closed where a stream of an answer fails", async () => {
      const app = appWith((ctx) => {
        ctx.body = Readable.from(
          (function* () {
            yield "half";
            throw new Error("disk");
          })(),
        );
      });
      const errors = errorsOf(app);
      const { shake, server, handedOver } = await walkedServer(app);
      await shake();
      await expect.poll(() => connectionsOf(server)).toBe(0);
      expect(handedOver).toEqual([]);
      // Koa 3 tells of it twice, as it does without a gate.
      expect([...new Set(errors)]).toMatchObject([{ message: "disk" }]);
    });
  });

  describe("the app", () => {
    it("is the one that middleware knows, and stays as it was", async () => {
      const stack = [open()];
      const app = appWith(...stack);
      const apps: unknown[] = [];
      app.use((ctx, next) => {
        apps.push(ctx.app, app.middleware.length);
        return next();
      });
      const { shake } = await walkedServer(app);
      expect((await shake()).status).toBe(101);
      expect(apps).toEqual([app, 2]);
      expect(app.middleware.length).toBe(2);
    });

    it("has its context of the moment in its asynchronous storage", async () => {
      const app = new Koa({ asyncLocalStorage: true });
      const same: boolean[] = [];
      app.use(
        open(async (handshake) => {
          await settled();
          same.push(contextOf(handshake) === (app as { currentContext?: unknown }).currentContext);
          return allow;
        }),
      );
      expect((await (await walkedServer(app)).shake()).status).toBe(101);
      expect(same).toEqual([true]);
    });
  });

  it("ordinary requests pass guards untouched", async () => {
    const app = appWith(refusing(), (ctx) => {
      ctx.body = "page";
    });
    const { port } = await walkedServer(app);
    expect(await (await fetch(`http://127.0.0.1:${port}/page`)).text()).toBe("page");
    const headers = { Upgrade: "h2c", Connection: "close" };
    expect(await statusOf(port, { target: "/page", headers })).toBe(200);
  });

  it("malformed upgrades reach no middleware", async () => {
    let walks = 0;
    const app = appWith((_ctx, next) => {
      walks++;
      return next();
    }, open());
    const { shake } = await walkedServer(app);
    expect((await shake({ method: "POST" })).status).toBe(405);
    expect((await shake({ target: "http://evil/chat" })).status).toBe(400);
    expect(walks).toBe(0);
  });
});

describe("Koa 3", () => {
  it("is entered by the composition that the app was given", async () => {
    const { Koa } = majors[0];
    const sizes: number[] = [];
    const compose = (stack: readonly Middleware[]) => {
      sizes.push(stack.length);
      return (ctx: Context) => composed(...stack)(ctx, async () => undefined);
    };
    const app = new Koa({ compose } as object);
    app.use(open());
    expect((await (await walkedServer(app)).shake()).status).toBe(101);
    expect(sizes).toEqual([1, 3]);
  });
});
