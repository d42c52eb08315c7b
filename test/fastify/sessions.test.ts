import fastifyCookie from "@fastify/cookie";
import fastifyJwt from "@fastify/jwt";
import fastifyRateLimit from "@fastify/rate-limit";
import fastifySession from "@fastify/session";
import {
  allowWith,
  connectionOf,
  firmshake,
  guard,
  identity,
  insecureAnyOrigin,
  origin,
  rateLimit,
  requestOf,
} from "@firmshake/fastify";
import type { FastifyInstance } from "fastify";
import { describe, expect, it } from "vitest";
import { handshakeOf, thrownBy } from "../support/handshakes.ts";
import { captureWarnings } from "../support/warnings.ts";
import { libraries, route, scoped, served } from "./apps.ts";

declare module "fastify" {
  interface Session {
    user?: string;
  }
}

const page = "https://app.example.com";

describe.each(libraries)("$library", ({ library }) => {
  describe("a session of @fastify/session", () => {
    const chat = guard(
      origin([page]),
      identity(({ session }) => session.user !== undefined && { subject: session.user }),
    );

    const build = async (app: FastifyInstance): Promise<void> => {
      await app.register(fastifyCookie);
      await app.register(fastifySession, {
        secret: "a secret with a length of thirty-two letters",
        cookie: { secure: false },
      });
      await app.register(firmshake, {
        checks: [origin([page]), rateLimit({ limit: 9, windowMs: 60_000 })],
      });
      app.post("/login", async ({ session }) => {
        session.user = "ada";
        return "welcome";
      });
      route(app, "/chat", chat);
    };

    it("authenticates the upgrade by its cookie", async () => {
      const { shake, port, accepted } = await served(library, build);
      const login = await fetch(`http://127.0.0.1:${port}/login`, { method: "POST" });
      const Cookie = login.headers.get("set-cookie")?.split(";")[0] ?? "";
      const statusOf = async (headers: Record<string, string>): Promise<number> =>
        (await shake({ headers })).status;
      expect(await statusOf({ Origin: page })).toBe(401);
      expect(await statusOf({ Origin: page, Cookie: `${Cookie}x` })).toBe(401);
      expect(await statusOf({ Origin: "https://evil.test", Cookie })).toBe(403);
      expect(await statusOf({ Origin: page, Cookie })).toBe(101);
      expect(connectionOf(accepted[0] as object, chat).identity).toMatchObject({
        subject: "ada",
        scheme: "session",
      });
    });
  });

  describe("jwtVerify of @fastify/jwt", () => {
    const cases = [
      { name: "in onRequest of the instance", at: "onRequest", isRoute: false },
      { name: "in preValidation of the instance", at: "preValidation", isRoute: false },
      { name: "in onRequest of the route", at: "onRequest", isRoute: true },
      { name: "in preValidation of the route", at: "preValidation", isRoute: true },
      { name: "in preHandler of the route", at: "preHandler", isRoute: true },
    ] as const;

    it.each(cases)("authenticates $name", async ({ at, isRoute }) => {
      const chat = guard(
        origin([page]),
        identity(({ user }) => ({ subject: (user as { sub: string }).sub })),
      );
      const { shake, app, accepted, events } = await served(library, async (instance, gate) => {
        await instance.register(fastifyJwt, { secret: "supersecret" });
        const verify = async (request: Parameters<typeof requestUser>[0]): Promise<void> =>
          requestUser(request);
        await instance.register(firmshake, gate);
        await scoped(instance, async (scope) => {
          if (!isRoute) scope.addHook(at as "onRequest", verify);
          route(scope, "/chat", { guard: chat, hook: at }, isRoute ? { [at]: verify } : {});
        });
      });
      const token = app.jwt.sign({ sub: "ada" });
      const answer = await shake({ headers: { Origin: page } });
      expect(answer).toMatchObject({ status: 401, headers: { connection: "close" } });
      expect(answer.body).toContain("FST_JWT_NO_AUTHORIZATION_IN_HEADER");
      const headers = { Origin: page, Authorization: `Bearer ${token}` };
      expect((await shake({ headers })).status).toBe(101);
      expect(connectionOf(accepted[0] as object, chat).identity.subject).toBe("ada");
      expect(events.map(({ outcome }) => outcome)).toEqual(["answered", "accepted"]);
    });
  });

  it("@fastify/rate-limit counts upgrades too, and answers for itself", async () => {
    const { shake, accepted } = await served(library, async (app) => {
      await app.register(fastifyRateLimit, { max: 2, timeWindow: 60_000 });
      await app.register(firmshake, { checks: [insecureAnyOrigin()] });
      route(app, "/chat");
    });
    const statuses = [(await shake()).status, (await shake()).status, (await shake()).status];
    expect(statuses).toEqual([101, 101, 429]);
    expect(accepted.length).toBe(2);
  });

  it("Fastify's own trustProxy is not believed, and that is said once", async () => {
    const warnings = captureWarnings();
    const found: unknown[] = [];
    const address = guard(insecureAnyOrigin(), ({ clientAddress }) => {
      found.push(clientAddress);
      return allowWith({ clientAddress });
    });
    const headers = { "X-Forwarded-For": "203.0.113.7" };
    for (const trust of [undefined, ["loopback"]]) {
      const { shake } = await served(
        library,
        async (app) => {
          await app.register(firmshake, trust === undefined ? {} : { trustProxy: trust });
          route(app, "/chat", address);
        },
        { trustProxy: true },
      );
      for (const _ of [1, 2]) expect((await shake({ headers })).status).toBe(101);
    }
    expect(found).toEqual(["127.0.0.1", "127.0.0.1", "203.0.113.7", "203.0.113.7"]);
    expect(warnings).toEqual(["FIRMSHAKE_TRUST_PROXY_UNUSED"]);
  });
});

const requestUser = async (request: {
  readonly jwtVerify: () => Promise<unknown>;
}): Promise<void> => {
  await request.jwtVerify();
};

describe("identity", () => {
  it("counts as a cookie, and has no request where there is no app", () => {
    const signedIn = identity(() => ({ subject: "ada" }));
    expect(thrownBy(() => guard(insecureAnyOrigin(), signedIn))).toContain(
      "ERR_FIRMSHAKE_COOKIE_WITHOUT_ORIGIN",
    );
    expect(thrownBy(() => identity(undefined as never))).toContain("ERR_FIRMSHAKE_CHECK_INVALID");
    expect(thrownBy(() => requestOf(handshakeOf()))).toContain("ERR_FIRMSHAKE_NOT_ATTACHED");
  });
});
