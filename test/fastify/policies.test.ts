import {
  allow,
  allowWith,
  type Check,
  firmshake,
  guard,
  insecureAnyOrigin,
  origin,
  refuse,
} from "@firmshake/fastify";
import type { FastifyInstance } from "fastify";
import Fastify from "fastify";
import { describe, expect, it } from "vitest";
import { libraries, listening, route, scoped, served, statusesOf } from "./apps.ts";

const open = insecureAnyOrigin();
/** A check that refuses with 403 unless the header names it. */
const needs =
  (name: string): Check =>
  ({ headers }) =>
    (headers.only("x-has") ?? "").split(" ").includes(name) ? allow : refuse("forbidden");

interface Case {
  readonly name: string;
  readonly build: (app: FastifyInstance) => unknown;
  /** By path, and what the request has: the status. */
  readonly answers: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

const cases: readonly Case[] = [
  {
    name: "the instance",
    build: async (app) => {
      await app.register(firmshake, { checks: [open, needs("a")] });
      route(app, "/chat");
    },
    answers: { "/chat": { "": 403, a: 101 } },
  },
  {
    name: "nowhere: unguarded paths are refused",
    build: async (app) => {
      await app.register(firmshake);
      route(app, "/chat");
      app.get("/page", async () => "page");
    },
    answers: { "/chat": { "": 404 }, "/page": { "": 404 }, "/none": { "": 404 } },
  },
  {
    name: "a route, which adds to the instance",
    build: async (app) => {
      await app.register(firmshake, { checks: [open, needs("a")] });
      route(app, "/chat");
      route(app, "/room", { checks: [needs("b")] });
    },
    answers: { "/chat": { a: 101 }, "/room": { "": 403, a: 403, b: 403, "a b": 101 } },
  },
  {
    name: "a route alone",
    build: async (app) => {
      await app.register(firmshake);
      route(app, "/chat", { checks: [open, needs("a")] });
      route(app, "/other");
    },
    answers: { "/chat": { "": 403, a: 101 }, "/other": { a: 404 }, "/none": { a: 404 } },
  },
  {
    name: "a scope alone: what is outside is unguarded",
    build: async (app) => {
      route(app, "/before");
      await scoped(app, async (scope) => {
        await scope.register(firmshake, { checks: [open, needs("a")] });
        route(scope, "/in");
      });
      route(app, "/behind");
    },
    answers: {
      "/in": { "": 403, a: 101 },
      "/before": { a: 404 },
      "/behind": { a: 404 },
      "/none": { a: 404 },
    },
  },
  {
    name: "the instance and a scope in a scope, which add up",
    build: async (app) => {
      await app.register(firmshake, { checks: [open, needs("a")] });
      await scoped(
        app,
        async (outer) => {
          await outer.register(firmshake, { checks: [needs("b")] });
          route(outer, "/leaf");
          await scoped(
            outer,
            async (inner) => {
              await inner.register(firmshake, { checks: [needs("c")] });
              route(inner, "/leaf");
              route(inner, "/", { checks: [needs("d")] });
            },
            { prefix: "/inner" },
          );
        },
        { prefix: "/outer" },
      );
      route(app, "/leaf");
    },
    answers: {
      "/leaf": { "": 403, a: 101 },
      "/outer/leaf": { a: 403, b: 403, "a b": 101 },
      "/outer/inner/leaf": { "a b": 403, "b c": 403, "a b c": 101 },
      "/outer/inner": { "a b c": 403, "a b c d": 101 },
      "/outer/inner/": { "a b c": 403, "a b c d": 101 },
    },
  },
  {
    name: "scopes side by side, which know nothing of each other",
    build: async (app) => {
      for (const name of ["a", "b"]) {
        await scoped(app, async (scope) => {
          await scope.register(firmshake, { checks: [open, needs(name)] });
          route(scope, `/${name}`);
        });
      }
    },
    answers: { "/a": { b: 403, a: 101 }, "/b": { a: 403, b: 101 } },
  },
  {
    name: "one scope, twice",
    build: async (app) => {
      await app.register(firmshake, { checks: [open, needs("a")] });
      await app.register(firmshake, { checks: [needs("b")] });
      route(app, "/chat");
    },
    answers: { "/chat": { a: 403, b: 403, "a b": 101 } },
  },
  {
    name: "a scope that was loaded before the instance's own registration",
    build: async (app) => {
      await scoped(app, async (scope) => {
        await scope.register(firmshake, { checks: [open, needs("b")] });
        route(scope, "/chat");
      });
      await app.register(firmshake, { checks: [needs("a")] });
    },
    answers: { "/chat": { b: 403, a: 403, "a b": 101 } },
  },
  {
    name: "an object that routes of two scopes share",
    build: async (app) => {
      await app.register(firmshake, { checks: [open] });
      const shared = { checks: [needs("c")] };
      for (const name of ["a", "b"]) {
        await scoped(app, async (scope) => {
          await scope.register(firmshake, { checks: [needs(name)] });
          route(scope, `/${name}`, shared);
        });
      }
    },
    answers: {
      "/a": { "b c": 403, a: 403, "a c": 101 },
      "/b": { "a c": 403, b: 403, "b c": 101 },
    },
  },
  {
    name: "whole guards, which decide beside the checks",
    build: async (app) => {
      await app.register(firmshake, { guard: guard(open, needs("a")), checks: [open, needs("b")] });
      route(app, "/chat");
      route(app, "/room", guard(open, needs("c")));
      route(app, "/late", { guard: guard(open, needs("c")), hook: "preHandler" });
    },
    answers: {
      "/chat": { a: 403, b: 403, "a b": 101 },
      "/room": { "a b": 403, "a b c": 101 },
      "/late": { "a b": 403, "a b c": 101 },
    },
  },
  {
    name: "a list without checks: pages of the same origin",
    build: async (app) => {
      await app.register(firmshake, { checks: [] });
      route(app, "/chat");
    },
    answers: { "/chat": { "": 403 } },
  },
  {
    name: "checks that only report, which weaken no others",
    build: async (app) => {
      await app.register(firmshake, { checks: [open, needs("a")] });
      await scoped(app, async (scope) => {
        await scope.register(firmshake, { mode: "report", checks: [needs("b")] });
        route(scope, "/chat");
      });
    },
    answers: { "/chat": { "": 403, b: 403, a: 101 } },
  },
  {
    name: "routes by host: each has its own",
    build: async (app) => {
      await app.register(firmshake, { checks: [open] });
      route(app, "/chat", { checks: [needs("a")] }, { constraints: { host: "localhost" } });
      route(app, "/chat", { checks: [needs("b")] }, { constraints: { host: "b.test" } });
    },
    answers: { "/chat": { b: 403, a: 101 } },
  },
  {
    name: "a route for HEAD and GET",
    build: async (app) => {
      await app.register(firmshake, { checks: [open] });
      route(app, "/chat", { checks: [needs("a")] }, { exposeHeadRoute: true });
    },
    answers: { "/chat": { "": 403, a: 101 } },
  },
];

describe.each(libraries)("$library: a policy stands on", ({ library }) => {
  it.each(cases)("$name", async ({ build, answers }) => {
    const app = await served(library, build);
    for (const [path, byWhat] of Object.entries(answers)) {
      for (const [has, status] of Object.entries(byWhat)) {
        const headers = { "X-Has": has, Origin: "https://app.example.com" };
        const found = await statusesOf(app, [path], headers);
        expect({ has, ...found }).toEqual({ has, [path]: status });
      }
    }
  });
});

describe.each(libraries)("$library: whoever is refused gets a problem", ({ library }) => {
  it("for a path without a policy", async () => {
    const { shake, accepted, events } = await served(library, async (app, gate) => {
      await app.register(firmshake, gate);
      route(app, "/chat");
    });
    for (const target of ["/chat", "/none"]) {
      expect(await shake({ target })).toMatchObject({
        status: 404,
        headers: { "content-type": "application/problem+json", connection: "close" },
        body: expect.stringContaining('"not_found"'),
      });
    }
    expect(accepted).toEqual([]);
    expect(events).toMatchObject([{ outcome: "refused" }, { outcome: "refused" }]);
  });

  it("of the instance's origin list, which a route need not repeat", async () => {
    const { shake } = await served(library, async (app) => {
      await app.register(firmshake, { checks: [origin(["https://app.example.com"])] });
      route(app, "/chat", { checks: [needs("a")] });
    });
    const statusFrom = async (Origin: string): Promise<number> =>
      (await shake({ headers: { Origin, "X-Has": "a" } })).status;
    expect(await statusFrom("https://app.example.com")).toBe(101);
    expect(await statusFrom("https://evil.test")).toBe(403);
  });
});

describe("paths without a route", () => {
  const onServer = libraries[1].library;

  it("are decided by the instance, for libraries such as Socket.IO", async () => {
    const app = await served(onServer, async (instance) => {
      await instance.register(firmshake, { checks: [open, needs("a")] });
    });
    expect(await statusesOf(app, ["/socket.io/?EIO=4"], { "X-Has": "a" })).toEqual({
      "/socket.io/?EIO=4": 101,
    });
    expect(await statusesOf(app, ["/socket.io/"])).toEqual({ "/socket.io/": 403 });
  });

  it.each(["onRequest", "preValidation", "preHandler"] as const)(
    "are decided in the hook that is asked for, whichever registration names it: %s",
    async (hook) => {
      const app = await served(onServer, async (instance) => {
        await instance.register(firmshake, { checks: [open, needs("a")] });
        await instance.register(firmshake, { checks: [needs("b")], hook });
        await instance.register(firmshake, { checks: [needs("c")] });
      });
      for (const [has, status] of [
        ["a b c", 101],
        ["a b", 403],
        ["b c", 403],
        ["a c", 403],
      ] as const) {
        expect(await statusesOf(app, ["/ws"], { "X-Has": has })).toEqual({ "/ws": status });
      }
    },
  );

  it.each([
    { name: "a prefix", prefix: "/admin", path: "/admin/ws" },
    { name: "the prefix itself", prefix: "/admin", path: "/admin" },
    { name: "a prefix in other letters", prefix: "/admin", path: "/ADMIN/ws" },
    { name: "a prefix with a parameter", prefix: "/rooms/:room", path: "/rooms/blue/ws" },
  ])("are refused below $name of a guarded scope, whose hooks do not run there", async (row) => {
    const app = await served(onServer, async (instance) => {
      await instance.register(firmshake, { checks: [open] });
      await scoped(
        instance,
        async (scope) => {
          await scope.register(firmshake, { checks: [needs("a")] });
          route(scope, "/page");
        },
        { prefix: row.prefix },
      );
    });
    for (const has of ["", "a"]) {
      expect(await statusesOf(app, [row.path, "/else"], { "X-Has": has })).toEqual({
        [row.path]: 404,
        "/else": 101,
      });
    }
  });

  it("are decided by a scope with a not-found handler of its own", async () => {
    const app = await served(onServer, async (instance) => {
      await instance.register(firmshake, { checks: [open, needs("a")] });
      await scoped(
        instance,
        async (scope) => {
          await scope.register(firmshake, { checks: [needs("b")] });
          scope.setNotFoundHandler(async (_request, reply) => reply.code(404).send("no such room"));
        },
        { prefix: "/rooms" },
      );
    });
    expect(await statusesOf(app, ["/rooms/x", "/x"], { "X-Has": "a" })).toEqual({
      "/rooms/x": 403,
      "/x": 101,
    });
    expect(await statusesOf(app, ["/rooms/x"], { "X-Has": "a b" })).toEqual({ "/rooms/x": 101 });
    expect(await (await fetch(`http://127.0.0.1:${app.port}/rooms/x`)).text()).toBe("no such room");
  });
});

describe.each(libraries)(
  "$library: routes that were declared before the plugin was loaded",
  (row) => {
    it("do not get around a policy of theirs", async () => {
      const app = await served(row.library, (instance) => {
        void instance.register(firmshake, { checks: [open] });
        route(instance, "/chat", { checks: [needs("a")] });
        route(instance, "/plain");
      });
      const plain = row.isInside ? 101 : 404;
      for (const has of ["", "a"]) {
        expect(await statusesOf(app, ["/chat", "/plain"], { "X-Has": has })).toEqual({
          "/chat": 404,
          "/plain": plain,
        });
      }
      expect(app.lines.map(({ msg }) => msg).join()).toContain("await its registration");
    });

    it("are guarded by the instance, if at all", async () => {
      const app = await served(row.library, async (instance) => {
        route(instance, "/chat");
        await instance.register(firmshake, { checks: [open, needs("a")] });
      });
      expect(await statusesOf(app, ["/chat"])).toEqual({ "/chat": row.isInside ? 403 : 404 });
    });
  },
);

describe("mistakes", () => {
  const table: readonly { name: string; build: (app: FastifyInstance) => unknown; code: string }[] =
    [
      {
        name: "an unknown option of the gate",
        build: (app) => app.register(firmshake, { trustProxies: [] } as never),
        code: "ERR_FIRMSHAKE_OPTION_UNKNOWN",
      },
      {
        name: "a prefix, which a plugin without a scope cannot have",
        build: (app) => app.register(firmshake, { prefix: "/chat" }),
        code: "ERR_FIRMSHAKE_OPTION_UNKNOWN",
      },
      {
        name: "options of the gate in the second registration",
        build: async (app) => {
          await app.register(firmshake);
          await app.register(firmshake, { maxPending: 1 });
        },
        code: "ERR_FIRMSHAKE_OPTIONS_CONTRADICT",
      },
      {
        name: "an unknown hook",
        build: (app) => app.register(firmshake, { hook: "onSend" } as never),
        code: "ERR_FIRMSHAKE_OPTION_INVALID",
      },
      {
        name: "a guard that is none",
        build: (app) => app.register(firmshake, { guard: {} } as never),
        code: "ERR_FIRMSHAKE_OPTION_INVALID",
      },
      {
        name: "a mode without checks",
        build: (app) => app.register(firmshake, { mode: "report" }),
        code: "ERR_FIRMSHAKE_OPTION_MISSING",
      },
      {
        name: "an unknown option of a route",
        build: async (app) => {
          await app.register(firmshake);
          route(app, "/chat", { cheks: [open] } as never);
        },
        code: "ERR_FIRMSHAKE_OPTION_UNKNOWN",
      },
      ...[null, "text", 7, [open], { checks: open }].map((policy) => ({
        name: `a route's policy that is ${JSON.stringify(policy) ?? "a function"}`,
        build: async (app: FastifyInstance) => {
          await app.register(firmshake);
          route(app, "/chat", policy as never);
        },
        code: "ERR_FIRMSHAKE_OPTION_INVALID",
      })),
      {
        name: "what is no check",
        build: async (app) => {
          await app.register(firmshake, { checks: ["origin"] } as never);
          await app.ready();
        },
        code: "ERR_FIRMSHAKE_CHECK_INVALID",
      },
      {
        name: "a route's check that the instance's makes dangerous",
        build: async (app) => {
          const { identity } = await import("@firmshake/fastify");
          await app.register(firmshake, { checks: [open] });
          route(app, "/chat", { checks: [identity(() => ({ subject: "ada" }))] });
          await app.ready();
        },
        code: "ERR_FIRMSHAKE_COOKIE_WITHOUT_ORIGIN",
      },
      {
        name: "somebody else's decorator of that name",
        build: (app) => {
          app.decorate("firmshake" as never, {} as never);
          return app.register(firmshake);
        },
        code: "FST_ERR_DEC_ALREADY_PRESENT",
      },
    ];

  it.each(table)("are thrown at start: $name", async ({ build, code }) => {
    const app = Fastify();
    const start = async (): Promise<void> => {
      await build(app);
      await app.ready();
    };
    await expect(start()).rejects.toMatchObject({ code });
    await app.close().catch(() => undefined);
  });
});

it("a scope's facts and the instance's are one connection's", async () => {
  const { shake, app } = await served(libraries[0].library, async (instance) => {
    await instance.register(firmshake, { checks: [open, () => allowWith({ outer: 1 })] });
    await scoped(instance, async (scope) => {
      await scope.register(firmshake, { checks: [async () => allowWith({ inner: 2 })] });
      scope.get("/chat", { websocket: true }, (_socket, request) => {
        facts.push(request.firmshake?.facts);
      });
    });
  });
  const facts: unknown[] = [];
  expect((await shake()).status).toBe(101);
  expect(facts).toEqual([{ outer: 1, inner: 2 }]);
  expect(app.firmshake.pending).toBe(0);
});

it("apps do not know of each other", async () => {
  const [one, other] = [Fastify(), Fastify()];
  await one.register(firmshake, { checks: [open] });
  await other.register(firmshake, { maxPending: 1 });
  expect(await listening(one)).not.toBe(await listening(other));
  expect(one.firmshake).not.toBe(other.firmshake);
});
