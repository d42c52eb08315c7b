import { once } from "node:events";
import { createServer, type Server as HttpServer } from "node:http";
import {
  attach,
  bearerToken,
  connectionOf,
  cookieToken,
  type DecisionEvent,
  guard,
  handOver,
  identity,
  jwt,
  origin,
} from "@firmshake/express";
import express, { type Express, type Request } from "express";
import session from "express-session";
import { Server, type Socket as ServerSocket } from "socket.io";
import { describe, expect, it, onTestFinished } from "vitest";
import { audience, issuer, secret, tokenOf } from "../../core/tokens/signing.ts";
import { statusOf } from "../../support/raw-client.ts";
import { listen } from "../../support/server.ts";
import { client, connectError, connected, poll, sidIn } from "./socket-io.ts";

const chat = () =>
  guard(
    origin("same-origin", { allowMissing: true }),
    jwt({ issuer, audience, keys: secret, from: [bearerToken(), cookieToken("session")] }),
  );

interface Running {
  readonly port: number;
  readonly io: Server;
  readonly events: DecisionEvent[];
}

/** Socket.IO beside an Express app, on one server behind the gate. */
async function running(build: (app: Express) => void): Promise<Running> {
  const app = express();
  build(app);
  const server: HttpServer = createServer(app);
  const events: DecisionEvent[] = [];
  attach(server, app, { onDecision: (event) => events.push(event) });
  const io = new Server(server, { allowEIO3: true });
  io.on("connection", (socket) => socket.on("echo", (data, answer) => answer(data)));
  onTestFinished(() => void io.close());
  return { port: await listen(server), io, events };
}

describe("Socket.IO beside Express", () => {
  it.each([[["polling"]], [["websocket"]], [["polling", "websocket"]]])(
    "by %j",
    async (transports) => {
      const guarded = chat();
      const { port, io } = await running((app) => app.use("/socket.io", guarded, handOver));
      const options = { transports, extraHeaders: { Authorization: `Bearer ${await tokenOf()}` } };
      const coming = once(io, "connection") as Promise<[ServerSocket]>;
      const one = client(port, options);
      await connected(one);
      const [socket] = await coming;
      expect(connectionOf(socket.request, guarded).identity.subject).toBe("ann");
      expect(await one.emitWithAck("echo", { deep: Buffer.alloc(50_000, 1) })).toEqual({
        deep: Buffer.alloc(50_000, 1),
      });
    },
  );

  it("refusals arrive as such, by each transport", async () => {
    const { port, events } = await running((app) => {
      app.use("/socket.io", chat(), handOver);
      app.use((_request, response) => void response.status(418).send("the app's own"));
    });
    expect((await poll(port)).status).toBe(401);
    expect((await poll(port, { method: "POST", body: "40" })).status).toBe(401);
    expect((await connectError(client(port, { transports: ["polling"] }))).description).toBe(401);
    expect(await statusOf(port, { target: "/socket.io/?EIO=4&transport=websocket" })).toBe(401);
    expect(events.map(({ transport }) => transport)).toEqual([
      "polling",
      "polling",
      "polling",
      "websocket",
    ]);
    // The app answers for itself where it has no guard.
    expect((await poll(port, { path: "/elsewhere" })).status).toBe(418);
    expect((await poll(port, { path: "/socket.io", query: "transport=polling" })).status).toBe(401);
  });

  it("a path without a guard is refused", async () => {
    const { port } = await running((app) =>
      app.get("/", (_request, response) => void response.send("hello")),
    );
    expect((await poll(port)).status).toBe(404);
    expect((await connectError(client(port, { transports: ["polling"] }))).description).toBe(404);
  });

  it("the app's own sessions decide", async () => {
    type WithUser = Request & { session: { user?: string } };
    const { port, io } = await running((app) => {
      app.use(session({ secret: "s", resave: false, saveUninitialized: false }));
      app.post("/login", (request, response) => {
        (request as WithUser).session.user = "ann";
        response.send("welcome");
      });
      app.use(
        "/socket.io",
        guard(
          origin("same-origin"),
          identity(
            (request: WithUser) =>
              request.session.user !== undefined && { subject: request.session.user },
          ),
        ),
        handOver,
      );
    });
    const login = await poll(port, { path: "/login", query: "", method: "POST", body: "" });
    const cookie = (login.headers["set-cookie"] ?? "").split(";")[0] ?? "";
    const own = { Cookie: cookie, "Sec-Fetch-Site": "same-origin" };
    expect((await poll(port, { headers: { "Sec-Fetch-Site": "same-origin" } })).status).toBe(401);
    expect((await poll(port, { headers: { Cookie: cookie } })).status).toBe(403);
    const coming = once(io.engine, "connection");
    const opened = await poll(port, { headers: own });
    expect(opened.status).toBe(200);
    const [raw] = await coming;
    expect(connectionOf(raw.request).identity?.subject).toBe("ann");
    const query = `EIO=4&transport=polling&sid=${sidIn(opened)}`;
    const origins = { Cookie: cookie, Origin: "http://localhost" };
    expect((await poll(port, { query, headers: origins, method: "POST", body: "40" })).body).toBe(
      "ok",
    );
  });

  it("ordinary requests, Socket.IO's own script among them, pass as they did", async () => {
    const { port, events } = await running((app) => {
      app.use("/socket.io", chat(), handOver);
      app.get("/page", (_request, response) => void response.send("a page"));
    });
    expect((await poll(port, { path: "/page", query: "a=b" })).body).toBe("a page");
    expect((await poll(port, { path: "/socket.io/socket.io.js", query: "" })).status).toBe(200);
    expect(events).toEqual([]);
  });
});

describe("a body parser in front of the guard", () => {
  const parsers = {
    "express.json()": express.json(),
    "express.urlencoded()": express.urlencoded(),
    "express.text()": express.text(),
    'express.raw({ type: "*/*" })': express.raw({ type: "*/*" }),
  };

  async function sent(name: keyof typeof parsers, type: string, isBehind: boolean) {
    const { port, events } = await running((app) => {
      if (!isBehind) app.use(parsers[name]);
      app.use("/socket.io", chat(), handOver);
      if (isBehind) app.use(parsers[name]);
    });
    const headers = { Authorization: `Bearer ${await tokenOf()}`, "Content-Type": type };
    const sid = sidIn(await poll(port, { headers }));
    const query = `EIO=4&transport=polling&sid=${sid}`;
    const answer = await poll(port, { query, headers, method: "POST", body: "40" });
    return { answer, event: events.at(-1) };
  }

  it.each(Object.keys(parsers) as (keyof typeof parsers)[])(
    "%s behind it changes nothing",
    async (name) => {
      expect((await sent(name, "text/plain;charset=UTF-8", true)).answer.body).toBe("ok");
    },
  );

  it.each(["express.json()", "express.urlencoded()"] as const)(
    "%s in front of it leaves what Socket.IO's clients send alone",
    async (name) => {
      expect((await sent(name, "text/plain;charset=UTF-8", false)).answer.body).toBe("ok");
    },
  );

  it.each([
    ["express.text()", "text/plain;charset=UTF-8"],
    ["express.urlencoded()", "application/x-www-form-urlencoded"],
    ['express.raw({ type: "*/*" })', "text/plain;charset=UTF-8"],
  ] as const)(
    "%s in front of it takes %s: that is refused, not left hanging",
    async (name, type) => {
      const { answer, event } = await sent(name, type, false);
      expect(answer.status).toBe(500);
      expect(JSON.parse(answer.body)).toMatchObject({ code: "check_failed" });
      expect(event?.reason).toContain("body");
    },
  );
});
