import { createServer } from "node:http";
import {
  attach,
  bearerToken,
  cookieToken,
  type DecisionEvent,
  type Guard,
  guard,
  jwt,
  origin,
  subprotocolToken,
} from "@firmshake/node";
import type { Browser, Page } from "playwright-core";
import { Server } from "socket.io";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { launch } from "../../browser/browser.ts";
import { audience, issuer, secret, tokenOf } from "../../core/tokens/signing.ts";
import { listen } from "../../support/server.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await launch();
});
afterAll(() => browser.close());

const token = jwt({
  issuer,
  audience,
  keys: secret,
  from: [bearerToken(), subprotocolToken(), cookieToken("session")],
});

interface Chat {
  readonly at: string;
  readonly events: DecisionEvent[];
}

/** A chat with Socket.IO behind the gate; other requests get an empty page. */
async function chatServer(
  policyFor: (own: string) => Guard,
  corsOrigin: string[] = [],
): Promise<Chat> {
  const events: DecisionEvent[] = [];
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "", "http://localhost");
    response.setHeader("Content-Type", "text/html");
    response.end(pathname === "/" ? "<!doctype html><title>Page</title>" : "");
  });
  const port = await listen(server);
  const at = `http://localhost:${port}`;
  attach(server, { "/socket.io/*": policyFor(at) }, { onDecision: (event) => events.push(event) });
  const io = new Server(server, { cors: { origin: corsOrigin, credentials: true } });
  onTestFinished(() => void io.close());
  return { at, events };
}

/** A page of one server, with the client's script of another loaded. */
async function pageOf(at: string, scriptFrom = at, cookie?: string): Promise<Page> {
  const context = await browser.newContext();
  onTestFinished(() => context.close());
  if (cookie !== undefined) {
    await context.addCookies([{ name: "session", value: cookie, url: at, sameSite: "Lax" }]);
  }
  const page = await context.newPage();
  await page.goto(at);
  await page.addScriptTag({ url: `${scriptFrom}/socket.io/socket.io.js` });
  return page;
}

/** Connects in the page; answers with the transport that it came to, or the status that the client was told. */
const connect = (page: Page, url: string, options: object, isUpgrading = false): Promise<unknown> =>
  page.evaluate(
    ([to, given, waits]) =>
      new Promise((resolve) => {
        const { io } = globalThis as unknown as { io: typeof import("socket.io-client").io };
        const socket = io(to, { reconnection: false, ...given });
        socket.on("connect_error", (error: Error & { description?: unknown }) =>
          resolve(error.description),
        );
        socket.on("connect", () => {
          const { engine } = socket.io;
          if (!waits || engine.transport.name === "websocket") resolve(engine.transport.name);
          else engine.on("upgrade", () => resolve(engine.transport.name));
        });
      }),
    [url, options, isUpgrading] as const,
  );

const polling = { transports: ["polling"] };

describe("a page of the same origin polls", () => {
  it.each([
    ["origin([...])", (own: string) => guard(origin([own]), token)],
    ['origin("same-origin")', () => guard(origin("same-origin"), token)],
    ["no word on origins", () => guard(token)],
  ])("behind %s, with a cookie", async (_, policyFor) => {
    const { at, events } = await chatServer(policyFor);
    const page = await pageOf(at, at, await tokenOf());
    expect(await connect(page, at, polling)).toBe("polling");
    expect(events[0]).toMatchObject({ outcome: "accepted", transport: "polling", subject: "ann" });
    expect(await connect(page, at, {}, true)).toBe("websocket");
    expect(await connect(await pageOf(at), at, polling)).toBe(401);
  });
});

describe("a page of another origin", () => {
  async function pair(isListed: boolean): Promise<{ chat: Chat; page: Page }> {
    const site = await chatServer(() => guard());
    const listed = isListed ? [site.at] : ["https://app.example.com"];
    const chat = await chatServer(() => guard(origin(listed), token), [site.at]);
    return { chat, page: await pageOf(site.at, chat.at) };
  }
  const withToken = async (value: Promise<string> | string): Promise<object> => ({
    extraHeaders: { Authorization: `Bearer ${await value}` },
  });

  it("that is listed polls with a header, for which the browser asks before", async () => {
    const { chat, page } = await pair(true);
    expect(await connect(page, chat.at, { ...polling, ...(await withToken(tokenOf())) })).toBe(
      "polling",
    );
    expect(chat.events[0]).toMatchObject({ outcome: "accepted", subject: "ann" });
  });

  it("moves to a WebSocket with the token as a subprotocol", async () => {
    const { chat, page } = await pair(true);
    const options = { ...(await withToken(tokenOf())), protocols: ["bearer", await tokenOf()] };
    expect(await connect(page, chat.at, options, true)).toBe("websocket");
  });

  it("that is listed is told by which status it was refused", async () => {
    const { chat, page } = await pair(true);
    expect(await connect(page, chat.at, { ...polling, ...(await withToken("a.b.c")) })).toBe(401);
    expect(await connect(page, chat.at, polling)).toBe(401);
  });

  it("that is not listed is refused, and told nothing, whatever cors says", async () => {
    const { chat, page } = await pair(false);
    expect(await connect(page, chat.at, { ...polling, ...(await withToken(tokenOf())) })).toBe(0);
    expect(chat.events).toMatchObject([{ code: "origin_denied" }]);
  });

  it("cannot poll by a script element with the cookies of a user, even where Origin may be missing", async () => {
    const lenient = (own: string) => guard(origin([own], { allowMissing: true }), token);
    const chat = await chatServer(lenient);
    const site = await chatServer(() => guard());
    // Cookies do not know ports: the chat's is sent along.
    const page = await pageOf(site.at, site.at, await tokenOf());
    await page.evaluate((src) => {
      const script = document.createElement("script");
      script.src = src;
      document.head.append(script);
    }, `${chat.at}/socket.io/?EIO=4&transport=polling&j=0`);
    await expect
      .poll(() => chat.events)
      .toMatchObject([{ code: "origin_missing", transport: "polling" }]);
  });
});
