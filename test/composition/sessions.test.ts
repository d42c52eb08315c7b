import { createServer } from "node:http";
import { MemoryStore as FastifyMemoryStore } from "@fastify/session";
import type { DecisionEvent, Gate, GateOptions } from "@firmshake/node";
import { RedisStore } from "connect-redis";
import { MemoryStore } from "express-session";
import type { Browser, BrowserContext, Locator, Page } from "playwright-core";
import { createClient } from "redis";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { chromiumPath, launch } from "../browser/browser.ts";
import { dial, handshakeText, statusOf } from "../support/raw-client.ts";
import { type RedisServer, redisServerPath, startRedisServer } from "../support/redis-server.ts";
import { requirement } from "../support/requirement.ts";
import { listen } from "../support/server.ts";
import { captureThrown } from "../support/thrown.ts";
import { foreignPage, passwordOf, type Serve } from "./application.ts";
import { onExpress } from "./express.ts";
import { onFastify, onFastifyWithTokens } from "./fastify.ts";

const needed = [
  requirement("chromium", chromiumPath),
  requirement("redis-server", redisServerPath),
];

describe.skipIf(needed.some(({ isMissing }) => isMissing))("a session in Chromium", () => {
  let browser: Browser;
  let redis: RedisServer;
  let client: ReturnType<typeof createClient>;
  let context: BrowserContext;

  beforeAll(async () => {
    [browser, redis] = await Promise.all([launch(), startRedisServer()]);
    const socket = { reconnectStrategy: () => 20 };
    // With a queue a command waits for a Redis that is not there, and so does the request.
    client = createClient({ url: redis.url, disableOfflineQueue: true, socket });
    client.on("error", () => undefined);
    await client.connect();
  });
  afterAll(async () => {
    client?.destroy();
    await Promise.all([browser?.close(), redis?.stop()]);
  });
  beforeEach(async () => {
    context = await browser.newContext();
    return () => context.close();
  });

  /** Where sessions are kept, and how they are ended there without the application. */
  interface Sessions<Store> {
    readonly store: Store;
    readonly end: () => Promise<void>;
  }

  interface Stack {
    readonly name: string;
    readonly make: () => {
      readonly serve: Serve;
      /** Undefined where the cookie itself is the session. */
      readonly endSessions?: () => Promise<void>;
    };
  }

  const prefix = "sessions of the chat:";
  const endInRedis = async (): Promise<void> => {
    const keys = await client.keys(`${prefix}*`);
    expect(keys).toHaveLength(1);
    await client.del(keys);
  };
  const inRedis = (): Sessions<RedisStore> => ({
    store: new RedisStore({ client, prefix }),
    end: endInRedis,
  });
  const inMemoryOfExpress = (): Sessions<MemoryStore> => {
    const store = new MemoryStore();
    return {
      store,
      end: () => new Promise((resolve) => store.clear(() => resolve())),
    };
  };
  const inMemoryOfFastify = (): Sessions<FastifyMemoryStore> => {
    const sessions = new Map();
    return { store: new FastifyMemoryStore(sessions), end: async () => sessions.clear() };
  };

  const inMemory: readonly Stack[] = [
    {
      name: "Express, express-session in memory, Passport",
      make: () => {
        const { store, end } = inMemoryOfExpress();
        return { serve: onExpress({ store }), endSessions: end };
      },
    },
    ...(["ws", "@fastify/websocket"] as const).map((library) => ({
      name: `Fastify, @fastify/session in memory, ${library}`,
      make: () => {
        const { store, end } = inMemoryOfFastify();
        return { serve: onFastify(library, store), endSessions: end };
      },
    })),
  ];
  const onRedis: readonly Stack[] = [
    {
      name: "Express, express-session in Redis, Passport",
      make: () => {
        const { store, end } = inRedis();
        return { serve: onExpress({ store }), endSessions: end };
      },
    },
    ...(["ws", "@fastify/websocket"] as const).map((library) => ({
      name: `Fastify, @fastify/session in Redis, ${library}`,
      make: () => {
        const { store, end } = inRedis();
        return { serve: onFastify(library, store as never), endSessions: end };
      },
    })),
  ];
  const inCookies: readonly Stack[] = [
    {
      name: "Fastify, a token of @fastify/jwt in a cookie, @fastify/websocket",
      make: () => ({ serve: onFastifyWithTokens }),
    },
  ];
  const onServer = [...inMemory, ...onRedis];
  const stacks = [...onServer, ...inCookies];

  interface Decided extends Pick<DecisionEvent, "outcome" | "status" | "code" | "subject"> {
    readonly cookie: string | undefined;
  }

  interface Running {
    readonly port: number;
    readonly origin: string;
    readonly gate: Gate;
    /** In their order. */
    readonly decided: readonly Decided[];
    readonly endSessions: () => Promise<void>;
    /** The answer's status to a handshake of the application's own page with these cookies. */
    readonly statusWith: (cookie: string) => Promise<number>;
  }

  async function started(stack: Stack, options: GateOptions = {}): Promise<Running> {
    const { serve, endSessions = async () => undefined } = stack.make();
    const server = createServer();
    const port = await listen(server);
    const origin = `http://localhost:${port}`;
    const decided: Decided[] = [];
    const onDecision: GateOptions["onDecision"] = (
      { outcome, status, code, subject },
      { headers },
    ) => {
      decided.push({ outcome, status, code, subject, cookie: headers.only("cookie") });
    };
    const gate = await serve({ server, origin, options: { ...options, onDecision } });
    const headers = { Host: `localhost:${port}`, Origin: origin };
    return {
      port,
      origin,
      gate,
      decided,
      endSessions,
      statusWith: (Cookie) => statusOf(port, { headers: { ...headers, Cookie } }),
    };
  }

  async function pageOf({ origin }: Running, inContext = context): Promise<Page> {
    const page = await inContext.newPage();
    await page.goto(origin);
    return page;
  }

  async function signIn(page: Page, user: string): Promise<void> {
    await page.getByLabel("Name").fill(user);
    await page.getByLabel("Password").fill(passwordOf(user));
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText(`Signed in as ${user}`).waitFor();
  }

  async function signedIn(running: Running, user = "ada"): Promise<Page> {
    const page = await pageOf(running);
    await signIn(page, user);
    return page;
  }

  const firstHeard = (page: Page): Locator => page.locator("#heard li").first();

  async function openSocket(page: Page): Promise<string | null> {
    await page.getByRole("button", { name: "Open a socket" }).click();
    return firstHeard(page).textContent();
  }

  async function cookieOf({ origin }: Running, of = context): Promise<string> {
    const cookies = await of.cookies(origin);
    return cookies.map(({ name, value }) => `${name}=${value}`).join("; ");
  }

  describe.each(stacks)("$name", (stack) => {
    it("opens a socket from the login until the logout", async () => {
      const running = await started(stack);
      const page = await pageOf(running);
      expect(await openSocket(page)).toBe("closed with 1006");
      await signIn(page, "ada");
      expect(await openSocket(page)).toBe("Welcome, ada.");
      await page.getByRole("button", { name: "Sign out" }).click();
      await page.getByRole("button", { name: "Sign in" }).waitFor();
      expect(await openSocket(page)).toBe("closed with 1006");
      expect(running.decided).toMatchObject([
        { outcome: "refused", status: 401, code: "unauthorized" },
        { outcome: "accepted", status: undefined, subject: "ada" },
        { outcome: "refused", status: 401, code: "unauthorized" },
      ]);
    });

    it("refuses the page of another origin, although the browser sends the cookie along", async () => {
      const running = await started(stack);
      await signedIn(running);
      const cookie = await cookieOf(running);
      const foreign = createServer((_request, response) => {
        response.setHeader("Content-Type", "text/html");
        response.end(foreignPage(`localhost:${running.port}`));
      });
      const foreignPort = await listen(foreign);
      const page = await context.newPage();
      // Another port is another origin of the same site: SameSite does not help. Another address is another site.
      for (const host of ["localhost", "127.0.0.1"]) {
        await page.goto(`http://${host}:${foreignPort}`);
        expect(await openSocket(page)).toBe("closed with 1006");
      }
      const refused = { outcome: "refused", status: 403, code: "origin_denied" };
      expect(running.decided).toMatchObject([
        { ...refused, cookie },
        { ...refused, cookie: undefined },
      ]);
    });

    it("knows two people apart", async () => {
      const running = await started(stack);
      const other = await browser.newContext();
      onTestFinished(() => other.close());
      const [ada, grace] = [await pageOf(running), await pageOf(running, other)];
      await Promise.all([signIn(ada, "ada"), signIn(grace, "grace")]);
      expect(await Promise.all([openSocket(ada), openSocket(grace)])).toEqual([
        "Welcome, ada.",
        "Welcome, grace.",
      ]);
    });

    it("lets one cookie open two sockets at once", async () => {
      const running = await started(stack);
      await signedIn(running);
      const pages = await Promise.all([pageOf(running), pageOf(running)]);
      expect(await Promise.all(pages.map(openSocket))).toEqual(["Welcome, ada.", "Welcome, ada."]);
    });

    it("refuses a cookie that was changed, and the one from before the login", async () => {
      const running = await started(stack);
      const page = await pageOf(running);
      const before = await cookieOf(running);
      await signIn(page, "ada");
      const cookie = await cookieOf(running);
      expect(await running.statusWith(cookie)).toBe(101);
      expect(await running.statusWith(before)).toBe(401);
      for (const changed of changesOf(cookie)) {
        expect(await running.statusWith(changed), changed).toBe(401);
      }
    });
  });

  describe.each(onServer)("$name", (stack) => {
    it("refuses a session that was ended in the store", async () => {
      const running = await started(stack);
      const page = await signedIn(running);
      expect(await openSocket(page)).toBe("Welcome, ada.");
      await running.endSessions();
      expect(await openSocket(page)).toBe("closed with 1006");
      expect(running.decided.at(-1)).toMatchObject({ status: 401 });
    });

    it("refuses a copy of the cookie after the logout", async () => {
      const running = await started(stack);
      const page = await signedIn(running);
      const cookie = await cookieOf(running);
      await page.getByRole("button", { name: "Sign out" }).click();
      await page.getByRole("button", { name: "Sign in" }).waitFor();
      expect(await running.statusWith(cookie)).toBe(401);
    });
  });

  describe.each(inCookies)("$name", (stack) => {
    it("takes a copy of the cookie after the logout, since nobody but the browser was told of it", async () => {
      const running = await started(stack);
      const page = await signedIn(running);
      const cookie = await cookieOf(running);
      await page.getByRole("button", { name: "Sign out" }).click();
      await page.getByRole("button", { name: "Sign in" }).waitFor();
      expect(await running.statusWith(cookie)).toBe(101);
    });
  });

  describe.each(onRedis)("$name", (stack) => {
    it("lets nobody in while Redis is down, and everybody when it is back", async () => {
      const thrown = captureThrown();
      const running = await started(stack);
      const page = await signedIn(running);
      await redis.stop();
      onTestFinished(() => redis.start());
      expect(await openSocket(page)).toBe("closed with 1006");
      expect(running.decided).toMatchObject([{ outcome: "answered", status: 500 }]);
      await redis.start();
      await expect.poll(() => client.isReady).toBe(true);
      await page.goto(running.origin);
      await signIn(page, "ada");
      expect(await openSocket(page)).toBe("Welcome, ada.");
      expect(thrown).toEqual([]);
    });

    it("lets nobody in whom Redis does not answer in time", async () => {
      const thrown = captureThrown();
      const running = await started(stack, { decisionTimeoutMs: 250 });
      const page = await signedIn(running);
      redis.freeze();
      onTestFinished(() => redis.thaw());
      expect(await openSocket(page)).toBe("closed with 1006");
      expect(running.decided).toMatchObject([{ outcome: "refused", status: 503 }]);
      redis.thaw();
      expect(await openSocket(page)).toBe("Welcome, ada.");
      expect(thrown).toEqual([]);
    });

    it("outlives clients that reset while Redis is asked", async () => {
      const thrown = captureThrown();
      const running = await started(stack);
      await signedIn(running);
      const cookie = await cookieOf(running);
      redis.freeze();
      onTestFinished(() => redis.thaw());
      const clients = await Promise.all(Array.from({ length: 5 }, () => dial(running.port)));
      const headers = {
        Host: `localhost:${running.port}`,
        Origin: running.origin,
        Cookie: cookie,
      };
      for (const one of clients) one.send(handshakeText({ headers }));
      await expect.poll(() => running.gate.pending).toBe(5);
      for (const one of clients) one.reset();
      await expect.poll(() => running.gate.pending).toBe(0);
      redis.thaw();
      expect(await running.statusWith(cookie)).toBe(101);
      expect(running.decided.map(({ outcome }) => outcome)).toEqual([
        ...clients.map(() => "abandoned"),
        "accepted",
      ]);
      expect(thrown).toEqual([]);
    });
  });
});

/** Each cookie with its last letters changed, and cut short. */
const changesOf = (cookie: string): readonly string[] => [
  cookie.replace(/[^=; ]{4}(?=;|$)/g, "AAAA"),
  cookie.replace(/[^=; ]{4}(?=;|$)/g, ""),
];
