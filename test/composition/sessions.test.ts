import { createServer } from "node:http";
import type { DecisionEvent, Gate, GateOptions } from "@firmshake/node";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { createClient } from "redis";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { chromiumPath, launch } from "../browser/browser.ts";
import { dial } from "../support/raw-client.ts";
import { type RedisServer, redisServerPath, startRedisServer } from "../support/redis-server.ts";
import { requirement } from "../support/requirement.ts";
import { listen } from "../support/server.ts";
import { captureThrown } from "../support/thrown.ts";
import { foreignPage, passwordOf } from "./application.ts";
import {
  inCookies,
  inMemory,
  inRedis,
  type RedisClient,
  type Stack,
  secondsLeft,
  writtenAlways,
} from "./stacks.ts";
import { answerTo, ownHandshake, statusWith, Visitor } from "./visitor.ts";

const chromium = requirement("chromium", chromiumPath);
const redisServer = requirement("redis-server", redisServerPath);
const isAnythingMissing = chromium.isMissing || redisServer.isMissing;

describe.skipIf(isAnythingMissing)("a session", () => {
  let browser: Browser;
  let redis: RedisServer;
  let client: RedisClient;

  beforeAll(async () => {
    [browser, redis] = await Promise.all([launch(), startRedisServer()]);
    // In a queue a command would wait for as long as Redis is away, and the request with it.
    const options = { disableOfflineQueue: true, socket: { reconnectStrategy: () => 20 } };
    client = createClient({ url: redis.url, ...options });
    client.on("error", () => undefined);
    await client.connect();
  });
  afterAll(async () => {
    client?.destroy();
    await Promise.all([browser?.close(), redis?.stop()]);
  });

  beforeEach(async () => {
    await expect.poll(() => client.isReady).toBe(true);
    await client.flushDb();
  });

  const onRedis = inRedis(() => client);
  const onServer = [...inMemory, ...onRedis];

  describe.each(named([...onServer, ...inCookies]))("%s, in Chromium", (_, stack) => {
    let context: BrowserContext;
    beforeEach(async () => {
      context = await browser.newContext();
      return () => context.close();
    });

    it("opens a socket from the login until the logout", async () => {
      const running = await started(stack);
      const page = await pageOf(context, running);
      expect(await openSocket(page)).toBe("closed with 1006");
      await signIn(page, "ada");
      expect(await openSocket(page)).toBe("Welcome, ada.");
      await page.getByRole("button", { name: "Sign out" }).click();
      await page.getByRole("button", { name: "Sign in" }).waitFor();
      expect(await openSocket(page)).toBe("closed with 1006");
      expect(running.decided).toMatchObject([
        { outcome: "refused", status: 401, code: "unauthorized" },
        { outcome: "accepted", subject: "ada" },
        { outcome: "refused", status: 401, code: "unauthorized" },
      ]);
    });

    it("opens none from a page of another origin, although the browser sends the cookie along", async () => {
      const running = await started(stack);
      const page = await pageOf(context, running);
      await signIn(page, "ada");
      const cookies = await context.cookies(running.origin);
      const cookie = cookies.map(({ name, value }) => `${name}=${value}`).join("; ");
      const foreign = createServer((_request, response) => {
        response.setHeader("Content-Type", "text/html");
        response.end(foreignPage(`localhost:${running.port}`));
      });
      const foreignPort = await listen(foreign);
      // Another port is the same site, and SameSite does not keep the cookie back; another host is another site.
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

    it("opens several at once for two people, each by their own name", async () => {
      const running = await started(stack);
      const other = await browser.newContext();
      onTestFinished(() => other.close());
      const pages = await Promise.all([pageOf(context, running), pageOf(other, running)]);
      const [ada, grace] = pages;
      await Promise.all([signIn(ada, "ada"), signIn(grace, "grace")]);
      expect(await Promise.all([openSocket(ada, 2), openSocket(grace, 2)])).toEqual([
        "Welcome, ada.Welcome, ada.",
        "Welcome, grace.Welcome, grace.",
      ]);
    });
  });

  describe.each(named([...onServer, ...inCookies]))("%s", (_, stack) => {
    it("is not opened by the cookie from before the login, nor by one that was changed", async () => {
      const { port } = await started(stack);
      const visitor = new Visitor(port);
      await visitor.look();
      const before = visitor.cookie;
      await visitor.signIn();
      expect(await statusWith(port, visitor.cookie)).toBe(101);
      expect(await statusWith(port, before)).toBe(401);
      for (const changed of changesOf(visitor.cookie)) {
        expect(await statusWith(port, changed), changed).toBe(401);
      }
    });
  });

  describe.each(named(onServer))("%s", (_, stack) => {
    it("is over when it was ended where it is kept", async () => {
      const { port, endSessions } = await started(stack);
      const visitor = new Visitor(port);
      await visitor.signIn();
      expect(await statusWith(port, visitor.cookie)).toBe(101);
      await endSessions();
      expect(await statusWith(port, visitor.cookie)).toBe(401);
    });

    it("is over with the logout for a copy of the cookie too", async () => {
      const { port } = await started(stack);
      const visitor = new Visitor(port);
      await visitor.signIn();
      const copy = visitor.cookie;
      await visitor.signOut();
      expect(await statusWith(port, copy)).toBe(401);
    });
  });

  describe.each(named(inCookies))("%s", (_, stack) => {
    it("lives on in a copy of the cookie after the logout, of which nobody but the browser was told", async () => {
      const { port } = await started(stack);
      const visitor = new Visitor(port);
      await visitor.signIn();
      const copy = visitor.cookie;
      await visitor.signOut();
      expect(await statusWith(port, visitor.cookie)).toBe(401);
      expect(await statusWith(port, copy)).toBe(101);
    });
  });

  describe.each(named(writtenAlways(() => client)))(
    "%s, written with every answer",
    (name, stack) => {
      it("sets no cookie by the answer to a handshake", async () => {
        const { port } = await started(stack);
        const visitor = new Visitor(port);
        await visitor.signIn();
        const answers = [await answerTo(port, visitor.cookie), await answerTo(port, "")];
        expect(answers.map(({ status }) => status)).toEqual([101, 401]);
        for (const { headers } of answers) expect(headers).not.toHaveProperty("set-cookie");
      });

      const isProlonged = name.startsWith("Koa");
      it(`${isProlonged ? "lives" : "does not live"} longer by a handshake`, async () => {
        const { port } = await started(stack);
        const visitor = new Visitor(port);
        await visitor.signIn();
        expect(await secondsLeft(client, 100)).toEqual([100]);
        expect(await statusWith(port, visitor.cookie)).toBe(101);
        const [seconds = 0] = await secondsLeft(client);
        expect(seconds > 100).toBe(isProlonged);
      });
    },
  );

  describe.each(named(onRedis))("%s", (_, stack) => {
    it("opens nothing while Redis is down, and again when it is back", async () => {
      const thrown = captureThrown();
      const { port, decided } = await started(stack);
      const visitor = new Visitor(port);
      await visitor.signIn();
      onTestFinished(() => redis.start());
      await redis.stop();
      expect(await statusWith(port, visitor.cookie)).toBe(500);
      await redis.start();
      await expect.poll(() => client.isReady).toBe(true);
      await visitor.signIn();
      expect(await statusWith(port, visitor.cookie)).toBe(101);
      expect(decided).toMatchObject([
        { outcome: "answered", status: 500 },
        { outcome: "accepted", subject: "ada" },
      ]);
      expect(thrown).toEqual([]);
    });

    it("opens nothing while Redis does not answer, and again when it does", async () => {
      const thrown = captureThrown();
      const { port, decided } = await started(stack, { decisionTimeoutMs: 250 });
      const visitor = new Visitor(port);
      await visitor.signIn();
      onTestFinished(() => redis.thaw());
      redis.freeze();
      expect(await statusWith(port, visitor.cookie)).toBe(503);
      redis.thaw();
      await client.ping();
      expect(await statusWith(port, visitor.cookie)).toBe(101);
      expect(decided).toMatchObject([{ outcome: "refused", status: 503 }, { outcome: "accepted" }]);
      expect(thrown).toEqual([]);
    });

    it("outlives clients that reset while Redis is asked", async () => {
      const thrown = captureThrown();
      const { port, gate, decided } = await started(stack);
      const visitor = new Visitor(port);
      await visitor.signIn();
      onTestFinished(() => redis.thaw());
      redis.freeze();
      const clients = await Promise.all(Array.from({ length: 5 }, () => dial(port)));
      for (const one of clients) one.send(ownHandshake(port, visitor.cookie));
      await expect.poll(() => gate.pending).toBe(5);
      for (const one of clients) one.reset();
      await expect.poll(() => gate.pending).toBe(0);
      redis.thaw();
      await client.ping();
      expect(await statusWith(port, visitor.cookie)).toBe(101);
      expect(decided.map(({ outcome }) => outcome)).toEqual([
        ...clients.map(() => "abandoned"),
        "accepted",
      ]);
      expect(thrown).toEqual([]);
    });
  });
});

function named(stacks: readonly Stack[]): readonly (readonly [string, Stack])[] {
  return stacks.map((stack) => [stack.name, stack]);
}

interface Decided extends Pick<DecisionEvent, "outcome" | "status" | "code" | "subject"> {
  readonly cookie: string | undefined;
}

interface Running {
  readonly port: number;
  readonly origin: string;
  readonly gate: Gate;
  /** In their order. */
  readonly decided: readonly Decided[];
  readonly endSessions: () => Promise<unknown>;
}

async function started(stack: Stack, options: GateOptions = {}): Promise<Running> {
  const { serve, endSessions = async () => undefined } = stack.make();
  const server = createServer();
  const port = await listen(server);
  const origin = `http://localhost:${port}`;
  const decided: Decided[] = [];
  const note = ({ outcome, status, code, subject }: DecisionEvent, cookie?: string): void =>
    void decided.push({ outcome, status, code, subject, cookie });
  const onDecision: GateOptions["onDecision"] = (event, { headers }) =>
    note(event, headers.only("cookie"));
  const gate = await serve({ server, origin, options: { ...options, onDecision } });
  return { port, origin, gate, decided, endSessions };
}

async function pageOf(context: BrowserContext, { origin }: Running): Promise<Page> {
  const page = await context.newPage();
  await page.goto(origin);
  return page;
}

async function signIn(page: Page, user: string): Promise<void> {
  await page.getByLabel("Name").fill(user);
  await page.getByLabel("Password").fill(passwordOf(user));
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText(`Signed in as ${user}`).waitFor();
}

/** What the sockets were told first, which the page opens one right after the other. */
async function openSocket(page: Page, count = 1): Promise<string> {
  await page.getByRole("button", { name: "Open a socket" }).click({ clickCount: count });
  await page.locator(`#heard li:nth-child(${count})`).waitFor();
  return (await page.locator("#heard li").allTextContents()).join("");
}

/** With the last letters of each cookie changed, and without them. */
const changesOf = (cookie: string): readonly string[] =>
  ["AAAA", ""].map((end) => cookie.replace(/[^=; ]{4}(?=;|$)/g, end));
