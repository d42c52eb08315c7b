import {
  allow,
  firmshake,
  type GateOptions,
  insecureAnyOrigin,
  type RoutePolicy,
  refuse,
} from "@firmshake/fastify";
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteShorthandOptions } from "fastify";
import { describe, expect, it } from "vitest";
import { dial, handshakeText } from "../support/raw-client.ts";
import { connectionsOf, deferred } from "../support/server.ts";
import { captureThrown } from "../support/thrown.ts";
import { libraries, route, type Served, served } from "./apps.ts";

type Hook = (request: FastifyRequest, reply: FastifyReply, done: () => void) => unknown;
type Place = "in front of the plugin" | "behind the plugin" | "on the route";

const open = insecureAnyOrigin();
const hooks = ["onRequest", "preValidation", "preHandler"] as const;
const places: readonly Place[] = ["in front of the plugin", "behind the plugin", "on the route"];

/** Every place in which a hook may stand, with each library. */
const everywhere = libraries.flatMap(({ library }) =>
  places.flatMap((place) => hooks.map((at) => ({ library, place, at }))),
);

interface Watched extends Served {
  /** The statuses that onResponse hooks were told of. */
  readonly responses: number[];
}

/** An app with one hook somewhere, and hooks around it as helmet and loggers have them. */
async function withHook(
  { library, place, at }: (typeof everywhere)[number],
  hook: Hook,
  options: GateOptions = {},
  policy: RoutePolicy = { checks: [] },
): Promise<Watched> {
  const responses: number[] = [];
  const add = (app: FastifyInstance): void => void app.addHook(at as "onRequest", hook as never);
  const app = await served(library, async (instance, gate) => {
    instance.addHook("onSend", async (_request, reply) => {
      reply.header("X-Frame-Options", "DENY");
    });
    instance.addHook("onResponse", async (_request, reply) => {
      responses.push(reply.statusCode);
    });
    if (place === "in front of the plugin") add(instance);
    await instance.register(firmshake, { checks: [open], ...gate, ...options });
    if (place === "behind the plugin") add(instance);
    const own = place === "on the route" ? { [at]: hook } : {};
    route(instance, "/chat", policy, own as RouteShorthandOptions);
  });
  return { ...app, responses };
}

const answering: readonly {
  readonly name: string;
  readonly hook: Hook;
  readonly status: number;
}[] = [
  {
    name: "answers",
    hook: (_request, reply) => void reply.code(401).send({ error: "who?" }),
    status: 401,
  },
  {
    name: "answers after a while",
    hook: async (_request, reply) => {
      await Promise.resolve();
      return reply.code(401).send({ error: "who?" });
    },
    status: 401,
  },
  {
    name: "redirects",
    hook: (_request, reply) => void reply.redirect("/login"),
    status: 302,
  },
  {
    name: "answers by Node's response",
    hook: (_request, reply) => {
      reply.hijack();
      reply.raw.statusCode = 402;
      reply.raw.end("pay");
    },
    status: 402,
  },
  {
    name: "throws",
    hook: () => {
      throw Object.assign(new Error("no"), { statusCode: 403 });
    },
    status: 403,
  },
  {
    name: "rejects",
    hook: async () => Promise.reject(new Error("no")),
    status: 500,
  },
];

describe.each(answering)("a hook that $name", ({ name, hook, status }) => {
  it.each(everywhere)("$at $place, with $library: the client gets that", async (row) => {
    const thrown = captureThrown();
    const { shake, accepted, events, responses, app } = await withHook(row, hook);
    const answer = await shake();
    expect(answer).toMatchObject({ status, headers: { connection: "close" } });
    if (!name.includes("Node")) expect(answer.headers["x-frame-options"]).toBe("DENY");
    await expect.poll(() => events).toMatchObject([{ outcome: "answered", status }]);
    await expect.poll(() => responses).toEqual([status]);
    await expect.poll(() => connectionsOf(app.server)).toBe(0);
    expect([accepted, thrown]).toEqual([[], []]);
  });
});

describe("a hook that hangs", () => {
  it.each(everywhere)("$at $place, with $library: 503 when the time is over", async (row) => {
    const thrown = captureThrown();
    const late = deferred<() => void>();
    const hook: Hook = (_request, _reply, done) => late.resolve(done);
    const { shake, accepted, events, responses, app } = await withHook(row, hook, {
      decisionTimeoutMs: 30,
    });
    expect(await shake()).toMatchObject({ status: 503, body: expect.stringContaining("timeout") });
    (await late.promise)();
    await expect.poll(() => connectionsOf(app.server)).toBe(0);
    await expect.poll(() => responses).toEqual([503]);
    expect(events).toMatchObject([{ outcome: "refused", code: "decision_timeout" }]);
    expect([accepted, thrown, app.firmshake.pending]).toEqual([[], [], 0]);
  });

  it.each(everywhere)("$at $place, with $library: and then answers, is not heard", async (row) => {
    const thrown = captureThrown();
    const late = deferred<{ reply: FastifyReply }>();
    const hook: Hook = (_request, reply) => late.resolve({ reply });
    const { shake, events, responses, app } = await withHook(row, hook, { decisionTimeoutMs: 30 });
    const answer = await shake();
    expect(answer.status).toBe(503);
    (await late.promise).reply.code(401).send("who?");
    await expect.poll(() => connectionsOf(app.server)).toBe(0);
    await expect.poll(() => responses.length).toBe(1);
    expect(answer.body).not.toContain("who?");
    expect([events.length, thrown]).toEqual([1, []]);
  });

  it.each(everywhere)("$at $place, with $library: the client may reset", async (row) => {
    const thrown = captureThrown();
    const late = deferred<[FastifyReply, () => void]>();
    const hook: Hook = (_request, reply, done) => late.resolve([reply, done]);
    const { port, accepted, events, app } = await withHook(row, hook);
    const client = await dial(port);
    client.send(handshakeText());
    const [, done] = await late.promise;
    client.reset();
    await expect.poll(() => events).toMatchObject([{ outcome: "abandoned" }]);
    done();
    await expect.poll(() => connectionsOf(app.server)).toBe(0);
    expect([accepted, thrown, app.firmshake.pending]).toEqual([[], [], 0]);
  });
});

describe.each(libraries)("$library: a check", ({ library }) => {
  const row = { library, place: "behind the plugin", at: "onRequest" } as const;
  const goOn: Hook = (_request, _reply, done) => done();

  it("that refuses: the gate's own answer, one onResponse, and no hook behind it runs", async () => {
    let runs = 0;
    const { shake, events, responses, app } = await withHook(
      { ...row, at: "preHandler" },
      (_request, _reply, done) => {
        runs++;
        done();
      },
      {},
      { checks: [() => refuse("forbidden")] },
    );
    const answer = await shake();
    expect(answer).toMatchObject({
      status: 403,
      headers: { "content-type": "application/problem+json", connection: "close" },
    });
    expect(answer.headers["x-frame-options"]).toBeUndefined();
    await expect.poll(() => responses).toEqual([403]);
    await expect.poll(() => connectionsOf(app.server)).toBe(0);
    expect([runs, events.map(({ outcome }) => outcome)]).toEqual([0, ["refused"]]);
  });

  it.each([
    { name: "throws", check: () => Promise.reject(new Error("secret")) },
    { name: "hangs", check: () => new Promise<never>(() => undefined) },
  ])("that $name refuses", async ({ check }) => {
    const thrown = captureThrown();
    const { shake, app, responses } = await withHook(
      row,
      goOn,
      { decisionTimeoutMs: 30 },
      { checks: [check] },
    );
    const answer = await shake();
    expect(answer.status).toBeGreaterThanOrEqual(500);
    expect(answer.body).not.toContain("secret");
    await expect.poll(() => connectionsOf(app.server)).toBe(0);
    await expect.poll(() => responses).toEqual([answer.status]);
    expect(thrown).toEqual([]);
  });

  it("that waits while the client resets", async () => {
    const thrown = captureThrown();
    const asked = deferred<void>();
    const answer = deferred<typeof allow>();
    const check = () => {
      asked.resolve();
      return answer.promise;
    };
    const { port, events, app, accepted } = await withHook(row, goOn, {}, { checks: [check] });
    const client = await dial(port);
    client.send(handshakeText());
    await asked.promise;
    client.reset();
    await expect.poll(() => events).toMatchObject([{ outcome: "abandoned" }]);
    answer.resolve(allow);
    await expect.poll(() => connectionsOf(app.server)).toBe(0);
    expect([accepted, thrown]).toEqual([[], []]);
  });
});

it("onResponse of an accepted upgrade runs once, where the library does not keep the response", async () => {
  const row = { place: "behind the plugin", at: "onRequest" } as const;
  const goOn: Hook = (_request, _reply, done) => done();
  const [inside, onServer] = libraries;
  const below = await withHook({ ...row, library: onServer.library }, goOn);
  expect((await below.shake()).status).toBe(101);
  await expect.poll(() => below.responses).toEqual([101]);
  // Without the gate @fastify/websocket has none either: its response never finishes.
  const within = await withHook({ ...row, library: inside.library }, goOn);
  expect((await within.shake()).status).toBe(101);
  await expect.poll(() => connectionsOf(within.app.server)).toBe(0);
  expect(within.responses).toEqual([]);
});

describe("setErrorHandler", () => {
  it.each(libraries)(
    "answers for hooks that fail, and for nothing of the gate's: $library",
    async ({ library }) => {
      const errors: unknown[] = [];
      const { shake } = await served(library, async (app) => {
        app.setErrorHandler(async (error, _request, reply) => {
          errors.push(error);
          return reply.code(418).send("teapot");
        });
        await app.register(firmshake, { checks: [open] });
        const onRequest = async (): Promise<void> => Promise.reject(new Error("no"));
        route(app, "/fails", undefined, { onRequest });
        route(app, "/refused", { checks: [() => refuse("forbidden")] });
      });
      expect(await shake({ target: "/fails" })).toMatchObject({ status: 418, body: "teapot" });
      expect((await shake({ target: "/refused" })).status).toBe(403);
      expect(errors).toMatchObject([{ message: "no" }]);
    },
  );
});

describe("time-outs of Fastify's own", () => {
  it.each(libraries)("handlerTimeout answers while hooks wait: $library", async ({ library }) => {
    const thrown = captureThrown();
    const { shake, events, app } = await served(
      library,
      async (instance, gate) => {
        await instance.register(firmshake, { checks: [open], ...gate });
        route(instance, "/chat", { checks: [() => new Promise<never>(() => undefined)] });
        route(instance, "/open");
      },
      { handlerTimeout: 40 },
    );
    expect((await shake()).status).toBe(503);
    expect((await shake({ target: "/open" })).status).toBe(101);
    expect(events).toMatchObject([{ outcome: "answered", status: 503 }, { outcome: "accepted" }]);
    await expect.poll(() => connectionsOf(app.server)).toBe(0);
    expect(thrown).toEqual([]);
  });

  it.each(libraries)(
    "onTimeout hooks leave nothing on the socket: $library",
    async ({ library }) => {
      const { port, accepted } = await served(library, async (app) => {
        app.addHook("onTimeout", async () => undefined);
        await app.register(firmshake, { checks: [open, async () => allow] });
        route(app, "/chat");
      });
      const client = await dial(port);
      client.send(handshakeText());
      await client.until("101 Switching");
      const { socket } = accepted[0] ?? {};
      expect(socket?.listenerCount("timeout")).toBe(0);
      expect((socket as { _meta?: unknown })._meta ?? undefined).toBeUndefined();
    },
  );
});
