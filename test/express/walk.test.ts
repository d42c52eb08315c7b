import { once } from "node:events";
import { createServer } from "node:http";
import { Readable } from "node:stream";
import {
  allow,
  allowWith,
  attach,
  type Check,
  connectionOf,
  type DecisionEvent,
  guard,
  handOver,
  insecureAnyOrigin,
  jwt,
  queryToken,
  refuse,
} from "@firmshake/express";
import type { NextFunction, Request, Response } from "express";
import { SignJWT } from "jose";
import { describe, expect, it } from "vitest";
import { WebSocketServer } from "ws";
import { listenersOn } from "../support/listeners.ts";
import { dial, handshakeText, statusOf } from "../support/raw-client.ts";
import {
  connectionsOf,
  deferred,
  echoing,
  echoOf,
  listen,
  openWebSocket,
} from "../support/server.ts";
import { captureThrown } from "../support/thrown.ts";
import { captureWarnings } from "../support/warnings.ts";
import { majors, walkedServer } from "./apps.ts";

const open = (...checks: readonly Check<object>[]) => guard(insecureAnyOrigin(), ...checks);
const refusing = () => open(() => refuse("forbidden"));
const adding = (facts: object, isLate = false) =>
  open(() => (isLate ? Promise.resolve(allowWith(facts)) : allowWith(facts)));

describe.each(majors)("$major", ({ express }) => {
  describe("a guard stands", () => {
    it("on the app", async () => {
      const app = express();
      app.use(open());
      expect((await (await walkedServer(app)).shake()).status).toBe(101);
    });

    it("on a path, a route, a router and a router in a router; elsewhere there is 404", async () => {
      const app = express();
      const outer = express.Router();
      const inner = express.Router();
      app.use("/use", open());
      app.get("/get", open());
      app.all("/all", open());
      app
        .route("/route")
        .get(open())
        .post((_request, response) => void response.end("posted"));
      inner.get("/leaf", open());
      inner.use("/branch", open());
      outer.use("/inner", inner);
      app.use("/outer", outer);
      app.post("/posted", open());
      const { shake, handedOver } = await walkedServer(app);
      const allowed = [
        "/use",
        "/use/below",
        "/get",
        "/all",
        "/route",
        "/outer/inner/leaf",
        "/outer/inner/branch/x?y=1",
      ];
      for (const target of allowed) expect((await shake({ target })).status, target).toBe(101);
      expect(handedOver.map(({ request }) => request.url)).toEqual(allowed);
      for (const target of [
        "/",
        "/user",
        "/get/below",
        "/outer",
        "/outer/inner",
        "/outer/inner/leaf/x",
        "/posted",
      ]) {
        expect(await shake({ target }), target).toMatchObject({
          status: 404,
          body: expect.stringContaining("not_found"),
        });
      }
    });

    it("on a mounted app", async () => {
      const app = express();
      const sub = express();
      sub.get("/chat", adding({ sub: true }));
      app.use("/sub", adding({ top: true }), sub);
      const { shake, handedOver } = await walkedServer(app);
      expect((await shake({ target: "/sub/chat" })).status).toBe(101);
      const { request } = handedOver[0] ?? {};
      expect(connectionOf(request as Request).facts).toEqual({ top: true, sub: true });
      expect(request?.url).toBe("/sub/chat");
    });

    it("behind path parameters, which a user's own check may read", async () => {
      const app = express();
      app.param("room", (request, _response, next, room) => {
        Object.assign(request, { room: `room ${String(room)}` });
        next();
      });
      app.get("/rooms/:room", open());
      const { shake, handedOver } = await walkedServer(app);
      expect((await shake({ target: "/rooms/blue" })).status).toBe(101);
      expect(handedOver[0]?.request).toMatchObject({ room: "room blue", params: { room: "blue" } });
    });
  });

  describe("guards on the way add up", () => {
    it.each([
      { name: "all allow", first: allow, second: allow, status: 101 },
      { name: "the first refuses", first: refuse("forbidden"), second: allow, status: 403 },
      { name: "the last refuses", first: allow, second: refuse("unauthorized"), status: 401 },
    ])("$name", async ({ first, second, status }) => {
      for (const isLate of [false, true]) {
        const app = express();
        const answering = (answer: typeof first | typeof second) =>
          open(() => (isLate ? Promise.resolve(answer) : answer));
        app.use(answering(first));
        app.get("/chat", answering(second));
        const { shake, handedOver } = await walkedServer(app);
        expect((await shake()).status).toBe(status);
        expect(handedOver.length).toBe(status === 101 ? 1 : 0);
      }
    });

    it("also where the same guard is the end of a route that was left before it", async () => {
      const chat = open();
      const app = express();
      app.get("/chat", (_request, _response, next) => next("route"), chat);
      app.use("/chat", chat, refusing());
      const { shake, handedOver } = await walkedServer(app);
      expect((await shake()).status).toBe(403);
      expect(handedOver).toEqual([]);
    });

    it("and so do their facts", async () => {
      const first = adding({ first: 1 });
      const second = adding({ second: 2 }, true);
      const other = adding({ other: 3 });
      const app = express();
      app.use(first);
      app.get("/chat", second);
      const { shake, handedOver } = await walkedServer(app);
      await shake();
      const request = handedOver[0]?.request as Request;
      expect(connectionOf(request).facts).toEqual({ first: 1, second: 2 });
      expect(connectionOf(request, first).facts).toEqual({ first: 1, second: 2 });
      expect(() => connectionOf(request, other)).toThrow("another guard");
    });
  });

  describe("handlers behind a guard", () => {
    it("do not answer behind a guard that is the last handler of its route", async () => {
      const warnings = captureWarnings();
      const app = express();
      app.get("/chat", open());
      app.get("/chat", (_request, response) => void response.send("page"));
      app.use((_request, response) => void response.status(404).send("Not found"));
      const { shake, port } = await walkedServer(app);
      expect((await shake()).status).toBe(101);
      expect(await (await fetch(`http://127.0.0.1:${port}/chat`)).text()).toBe("page");
      expect(warnings).toEqual([]);
    });

    it("do not answer behind handOver, and ordinary requests pass it", async () => {
      const app = express();
      app.use("/chat", open(), handOver);
      app.use("/unguarded", handOver);
      app.use((_request, response) => void response.status(404).send("Not found"));
      const { shake, port } = await walkedServer(app);
      expect((await shake({ target: "/chat/x" })).status).toBe(101);
      expect((await shake({ target: "/unguarded" })).body).toContain("not_found");
      expect(await (await fetch(`http://127.0.0.1:${port}/chat/x`)).text()).toBe("Not found");
    });

    it("answer otherwise, and the client is told so", async () => {
      const app = express();
      app.use(open());
      app.use((_request, response) => void response.status(404).send("Not found"));
      const events: DecisionEvent[] = [];
      const { shake, handedOver, server } = await walkedServer(app, {
        onDecision: (event) => void events.push(event),
      });
      expect(await shake()).toMatchObject({
        status: 404,
        headers: { connection: "close" },
        body: "Not found",
      });
      expect(handedOver).toEqual([]);
      expect(events).toMatchObject([{ outcome: "answered", status: 404 }]);
      await expect.poll(() => connectionsOf(server)).toBe(0);
    });

    it.each([
      {
        name: "401 before the guard",
        order: "before",
        answer: (response: Response) => response.status(401).json({ error: "who" }),
        status: 401,
      },
      {
        name: "401 behind the guard",
        order: "behind",
        answer: (response: Response) => response.status(401).json({ error: "who" }),
        status: 401,
      },
      {
        name: "a redirect before the guard",
        order: "before",
        answer: (response: Response) => response.redirect("/login"),
        status: 302,
      },
      {
        name: "a redirect behind the guard",
        order: "behind",
        answer: (response: Response) => response.redirect("/login"),
        status: 302,
      },
    ])("may refuse by an answer of their own: $name", async ({ order, answer, status }) => {
      const app = express();
      const middleware = (_request: Request, response: Response): void => void answer(response);
      if (order === "before") app.use(middleware, open());
      else app.use(open(), middleware);
      const { shake, handedOver } = await walkedServer(app);
      const answered = await shake();
      expect(answered).toMatchObject({ status, headers: { connection: "close" } });
      expect(answered.body.length).toBe(Number(answered.headers["content-length"]));
      expect(handedOver).toEqual([]);
    });
  });

  describe("errors", () => {
    const table: {
      name: string;
      error: unknown;
      status: number;
      headers?: object;
      says?: string;
      hides?: string;
    }[] = [
      {
        name: "an error",
        error: new Error("connection string"),
        status: 500,
        hides: "connection string",
      },
      {
        name: "status",
        error: Object.assign(new Error("secret"), { status: 403 }),
        status: 403,
        hides: "secret",
      },
      {
        name: "statusCode",
        error: Object.assign(new Error("secret"), { statusCode: 429 }),
        status: 429,
      },
      {
        name: "a status beside a good statusCode",
        error: { status: "no", statusCode: 409 },
        status: 409,
      },
      {
        name: "expose",
        error: { status: 422, expose: true, message: "Say please." },
        status: 422,
        says: "Say please.",
      },
      {
        name: "expose of 500",
        error: { expose: true, message: "Sorry." },
        status: 500,
        says: "Sorry.",
      },
      {
        name: "headers",
        error: { status: 429, headers: { "Retry-After": "7" } },
        status: 429,
        headers: { "retry-after": "7" },
      },
      {
        name: "headers that cannot be sent",
        error: { status: 400, headers: { "X-Bad": "a\r\nb" } },
        status: 500,
      },
      { name: "a status that is no error", error: { status: 200 }, status: 500 },
      { name: "a status that is no number", error: { status: Number.NaN }, status: 500 },
      { name: "a text", error: "failed", status: 500, hides: "failed" },
    ];
    it.each(table)(
      "reach the client without a word too much: $name",
      async ({ error, status, headers = {}, says, hides }) => {
        const thrown = captureThrown();
        const app = express();
        app.use((_request, response, next) => {
          response.setHeader("Content-Encoding", "gzip");
          response.setHeader("X-Frame-Options", "DENY");
          next(error);
        });
        app.use(open());
        const { shake, handedOver } = await walkedServer(app);
        const answer = await shake();
        expect(answer).toMatchObject({
          status,
          headers: { "content-type": "application/problem+json", ...headers },
        });
        expect(answer.headers["content-encoding"]).toBeUndefined();
        expect(answer.body.length).toBe(Number(answer.headers["content-length"]));
        if (says !== undefined) expect(answer.body).toContain(says);
        if (hides !== undefined) expect(answer.body).not.toContain(hides);
        expect(handedOver).toEqual([]);
        expect(thrown).toEqual([]);
      },
    );

    it("that are thrown count too", async () => {
      const app = express();
      app.use(() => {
        throw Object.assign(new Error("no"), { status: 418 });
      });
      const events: DecisionEvent[] = [];
      const { shake } = await walkedServer(app, { onDecision: (event) => void events.push(event) });
      expect((await shake()).status).toBe(418);
      expect(events).toMatchObject([{ outcome: "answered", cause: { message: "no" } }]);
    });

    it("that come behind half an answer close the socket", async () => {
      const app = express();
      app.use((_request, response) => {
        response.write("half");
        throw new Error("no");
      });
      const { shake, server } = await walkedServer(app);
      expect((await shake()).body).not.toContain("HTTP/1.1");
      await expect.poll(() => connectionsOf(server)).toBe(0);
    });

    it("that an app throws past Express refuse too", async () => {
      const server = createServer();
      attach(server, () => {
        throw new Error("no framework caught it");
      });
      server.on("upgrade", (_request, socket) => socket.end("HTTP/1.1 101 x\r\n\r\n"));
      expect(await statusOf(await listen(server))).toBe(500);
    });

    it("may be answered by the application's own handler", async () => {
      const app = express();
      app.use(open());
      app.use(() => {
        throw new Error("no");
      });
      app.use((_error: unknown, _request: Request, response: Response, _next: NextFunction) => {
        response.status(503).send("mended");
      });
      const { shake } = await walkedServer(app);
      expect(await shake()).toMatchObject({ status: 503, body: "mended" });
    });

    it("of Express itself do not repeat what the client sent", async () => {
      const app = express();
      app.get("/rooms/:room", open());
      const { shake } = await walkedServer(app);
      const answer = await shake({ target: "/rooms/%zz<script>" });
      expect(answer.status).toBe(400);
      expect(answer.body).not.toContain("script");
    });
  });

  describe("middleware that takes its time", () => {
    it("is waited for", async () => {
      const app = express();
      app.use((_request, _response, next) => void setImmediate(next), open());
      expect((await (await walkedServer(app)).shake()).status).toBe(101);
    });

    it("and never goes on: 503 at the deadline", async () => {
      const app = express();
      app.use(() => undefined);
      const { shake, server, gate } = await walkedServer(app, { decisionTimeoutMs: 30 });
      expect(await shake()).toMatchObject({
        status: 503,
        body: expect.stringContaining("decision_timeout"),
      });
      expect(gate.pending).toBe(0);
      await expect.poll(() => connectionsOf(server)).toBe(0);
    });

    it("may answer, go on or fail when it is too late", async () => {
      const thrown = captureThrown();
      const warnings = captureWarnings();
      const late: ((request: Request, response: Response, next: NextFunction) => void)[] = [
        (_request, response) => void response.status(401).json({ late: true }),
        (_request, response) => void response.redirect("/login"),
        (_request, _response, next) => next(),
        (_request, _response, next) => next(new Error("late")),
        (_request, response) => {
          response.write("x");
          response.end("y");
        },
      ];
      for (const answerLate of late) {
        const app = express();
        const steps = deferred<[Request, Response, NextFunction]>();
        let behind = 0;
        app.use((request, response, next) => steps.resolve([request, response, next]));
        app.use(open(), () => void behind++);
        const { shake, handedOver } = await walkedServer(app, { decisionTimeoutMs: 20 });
        const answer = await shake();
        expect(answer).toMatchObject({ status: 503 });
        answerLate(...(await steps.promise));
        await new Promise(setImmediate);
        expect(behind).toBe(0);
        expect(handedOver).toEqual([]);
      }
      expect(thrown).toEqual([]);
      expect(warnings).toEqual([]);
    });

    it("may answer when the client has left", async () => {
      const thrown = captureThrown();
      const app = express();
      const entered = deferred<Response>();
      app.use((_request, response) => entered.resolve(response));
      const { port, gate, server } = await walkedServer(app);
      const client = await dial(port);
      client.send(handshakeText());
      const response = await entered.promise;
      const closed = once(response, "close");
      client.reset();
      await closed;
      response.status(401).send("too late");
      await expect.poll(() => gate.pending).toBe(0);
      expect(await connectionsOf(server)).toBe(0);
      expect(thrown).toEqual([]);
    });

    it("learns that it is over: the response closes once, whatever the outcome", async () => {
      for (const behind of [
        open(),
        refusing(),
        (_request: Request, response: Response) => void response.end("page"),
      ]) {
        const app = express();
        let closes = 0;
        const closed = deferred<void>();
        app.use((_request, response, next) => {
          response.on("close", () => {
            closes++;
            closed.resolve();
          });
          next();
        });
        app.use(behind);
        const { shake } = await walkedServer(app);
        await shake();
        await closed.promise;
        await new Promise(setImmediate);
        expect(closes).toBe(1);
      }
    });
  });

  describe("the socket", () => {
    it("is handed over without a trace of the walk", async () => {
      const look = async (app: ReturnType<typeof express> | undefined): Promise<object> => {
        const server = createServer();
        if (app !== undefined) attach(server, app);
        const seen = deferred<object>();
        server.on("upgrade", (_request, socket) => {
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
      for (const isLate of [false, true]) {
        const app = express();
        app.use(adding({}, isLate));
        expect(await look(app)).toEqual(bare);
      }
    });

    it("carries an answer that is longer than its buffers", async () => {
      const app = express();
      app.use((_request, response) => void Readable.from(longAnswer()).pipe(response));
      const { shake } = await walkedServer(app);
      const answer = await shake();
      expect(answer.status).toBe(200);
      expect(answer.body.split("0123456789abcdef").length - 1).toBe(4_096 * 16);
    });

    function* longAnswer(): Generator<string> {
      for (let at = 0; at < 4_096; at++) yield "0123456789abcdef".repeat(16);
    }

    it("is closed behind half an answer, without a second one", async () => {
      const app = express();
      app.use((_request, response, next) => {
        response.write("half");
        next();
      });
      app.get("/allowed", open());
      app.get("/refused", refusing());
      app.get("/stalled", () => undefined);
      const { shake, handedOver } = await walkedServer(app, { decisionTimeoutMs: 30 });
      for (const target of ["/allowed", "/refused", "/stalled", "/unguarded"]) {
        const answer = await shake({ target });
        expect(answer.status, target).toBe(200);
        expect(answer.body, target).not.toContain("HTTP/1.1");
      }
      expect(handedOver).toEqual([]);
    });

    it("that still owes the answer to an earlier request gets no upgrade, and nobody is harmed", async () => {
      const thrown = captureThrown();
      const app = express();
      const slow = deferred<Response>();
      app.get("/slow", (_request, response) => slow.resolve(response));
      app.use(open());
      const { port, handedOver, server } = await walkedServer(app);
      const client = await dial(port);
      client.send(`GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n${handshakeText()}`);
      const response = await slow.promise;
      await client.ended;
      response.send("late");
      await expect.poll(() => connectionsOf(server)).toBe(0);
      expect(handedOver).toEqual([]);
      expect(thrown).toEqual([]);
    });

    it("serves ws behind the walk, and early frames", async () => {
      const app = express();
      app.get("/chat", adding({}, true));
      const server = createServer(app);
      attach(server, app);
      echoing(new WebSocketServer({ server }));
      const socket = await openWebSocket(`ws://127.0.0.1:${await listen(server)}/chat`);
      expect(await echoOf(socket, "hello")).toBe("hello");
    });
  });

  describe("the request", () => {
    it("has its URL back at the hand-over, however deep the walk ended and whoever rewrote it", async () => {
      const app = express();
      const router = express.Router();
      router.get("/deep", open(), handOver);
      app.use((request, _response, next) => {
        request.url = request.url.replace("/old", "/new");
        next();
      });
      app.use("/new", router);
      const { shake, handedOver } = await walkedServer(app);
      await shake({ target: "/old/deep?x=1" });
      expect(handedOver[0]?.request).toMatchObject({
        url: "/old/deep?x=1",
        originalUrl: "/old/deep?x=1",
      });
    });

    it("holds a token of the query neither in its URLs nor in what was parsed", async () => {
      const keys = new Uint8Array(32).fill(7);
      const token = await new SignJWT({ sub: "ada", iss: "https://id.test", aud: "chat" })
        .setProtectedHeader({ alg: "HS256" })
        .setExpirationTime("1m")
        .sign(keys);
      const app = express();
      app.get(
        "/chat",
        open(
          jwt({ issuer: "https://id.test", audience: "chat", keys, from: [queryToken("token")] }),
        ),
      );
      const { shake, handedOver } = await walkedServer(app);
      expect((await shake({ target: `/chat?token=${token}&room=1` })).status).toBe(101);
      expect(handedOver[0]?.request).toMatchObject({
        url: "/chat?room=1",
        originalUrl: "/chat?room=1",
        query: { room: "1" },
      });
    });

    it("that is no upgrade passes guards untouched", async () => {
      const app = express();
      app.use(refusing());
      app.get("/page", refusing(), (_request, response) => void response.send("page"));
      const { port } = await walkedServer(app);
      expect(await (await fetch(`http://127.0.0.1:${port}/page`)).text()).toBe("page");
      expect(
        await statusOf(port, { target: "/page", headers: { Upgrade: "h2c", Connection: "close" } }),
      ).toBe(200);
    });

    it("that is malformed reaches no middleware", async () => {
      const app = express();
      let walks = 0;
      app.use((_request, _response, next) => {
        walks++;
        next();
      }, open());
      const { shake } = await walkedServer(app);
      expect((await shake({ method: "POST" })).status).toBe(405);
      expect((await shake({ target: "http://evil/chat" })).status).toBe(400);
      expect((await shake({ headers: { "Content-Length": "3" } })).status).toBe(400);
      expect(walks).toBe(0);
    });
  });

  describe("where nobody listens for upgrades", () => {
    const accepting = (behind: readonly ReturnType<typeof open>[]) => {
      const app = express();
      const wss = echoing(new WebSocketServer({ noServer: true }));
      let accepted = 0;
      app.get("/chat", ...behind, handOver, (request, response) => {
        if (request.headers.upgrade === undefined) return void response.send("page");
        accepted++;
        wss.handleUpgrade(request, request.socket, Buffer.alloc(0), (socket) =>
          wss.emit("connection", socket, request),
        );
      });
      return { app, accepted: () => accepted };
    };

    async function served(app: ReturnType<typeof express>, options: object = {}): Promise<number> {
      const server = createServer(app);
      attach(server, app, options);
      return listen(server);
    }

    it.each([false, true])(
      "a library may accept inside a handler behind handOver (late check: %s)",
      async (isLate) => {
        const port = await served(accepting([adding({ a: 1 }, isLate)]).app);
        expect(await echoOf(await openWebSocket(`ws://127.0.0.1:${port}/chat`), "hello")).toBe(
          "hello",
        );
        expect(await (await fetch(`http://127.0.0.1:${port}/chat`)).text()).toBe("page");
      },
    );

    it("what is refused, answered or unguarded gets one whole answer", async () => {
      const { app, accepted } = accepting([refusing()]);
      app.get("/answered", (_request, response) => void response.status(401).send("who"));
      app.get("/failed", () => {
        throw Object.assign(new Error(), { status: 409 });
      });
      const port = await served(app);
      for (const [target, status] of [
        ["/chat", 403],
        ["/answered", 401],
        ["/failed", 409],
        ["/none", 404],
      ] as const) {
        expect(await statusOf(port, { target }), target).toBe(status);
      }
      expect(accepted()).toBe(0);
    });

    it("half an answer is cut off at the deadline", async () => {
      const app = express();
      app.use((_request, response) => void response.write("half"));
      const client = await dial(await served(app, { decisionTimeoutMs: 20 }));
      client.send(handshakeText());
      const text = await client.closed;
      expect(text).toContain("half");
      expect(text.split("HTTP/1.1 ").length).toBe(2);
    });

    it("late answers harm nobody", async () => {
      const thrown = captureThrown();
      const app = express();
      const entered = deferred<Response>();
      app.use((_request, response) => entered.resolve(response));
      const port = await served(app, { decisionTimeoutMs: 20 });
      expect(await statusOf(port)).toBe(503);
      (await entered.promise).status(401).json({ late: true });
      await new Promise(setImmediate);
      expect(thrown).toEqual([]);
    });
  });
});

describe("Express 5", () => {
  it("sends rejected middleware to the client as an error", async () => {
    const { express } = majors[0];
    const app = express();
    app.use(async () => {
      throw Object.assign(new Error("late"), { status: 403 });
    }, open());
    const { shake, handedOver } = await walkedServer(app);
    expect((await shake()).status).toBe(403);
    expect(handedOver).toEqual([]);
  });
});
