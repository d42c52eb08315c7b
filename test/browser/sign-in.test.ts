import { connectionOf, type Identity } from "@firmshake/node";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { bundled } from "../support/bundle.ts";
import { dial, handshakeText } from "../support/raw-client.ts";
import { requirement } from "../support/requirement.ts";
import { chromiumPath, launch } from "./browser.ts";
import { onExpress } from "./sign-in/express.ts";
import { onFastify } from "./sign-in/fastify.ts";
import { onKoa } from "./sign-in/koa.ts";
import { accessTokenSeconds, idTokenSeconds } from "./sign-in/provider.ts";
import { type Running, started } from "./sign-in/running.ts";
import type { Serve } from "./sign-in/site.ts";

const needed = requirement("chromium", chromiumPath);
const frameworks: readonly { readonly name: string; readonly serve: Serve }[] = [
  { name: "Express", serve: onExpress },
  { name: "Koa", serve: onKoa },
  { name: "Fastify", serve: onFastify },
];

describe.skipIf(needed.isMissing)("signing in at an OpenID provider, in Chromium", () => {
  let browser: Browser;
  let client: string;
  beforeAll(async () => {
    [browser, client] = await Promise.all([launch(), bundled("client")]);
  });
  afterAll(() => browser?.close());

  describe.each(frameworks)("with $name", ({ serve }) => {
    let context: BrowserContext;
    let running: Running;
    beforeEach(async () => {
      // The time of the servers, the provider among them; Chromium has its own.
      vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
      context = await browser.newContext();
      return () => context.close();
    });
    afterEach(() => {
      vi.useRealTimers();
    });

    /** Somebody who has signed in, on a page of the application. */
    async function signedIn(path: string): Promise<Page> {
      running = await started(serve, client);
      const page = await context.newPage();
      await goTo(page, running.origin + path);
      await signIn(page);
      // What the application does with `?renew` it does from its start.
      if (page.url() !== running.origin + path) await goTo(page, running.origin + path);
      return page;
    }

    /** What the application knows of who has opened the first socket. */
    const identityAtSocket = (): Identity | undefined =>
      running.handedOver[0] && connectionOf(running.handedOver[0]).identity;
    const secondsLeft = (): number =>
      Math.ceil(((identityAtSocket()?.expiresAt ?? 0) - Date.now()) / 1_000);

    describe("and a ticket", () => {
      it("chats under the name that the provider says, for as long as it says", async () => {
        const page = await signedIn("/");
        await connect(page);
        expect(await say(page, "hello")).toBe("ada: hello");
        expect(running.ticketed).toMatchObject([{ outcome: "issued", subject: "ada" }]);
        expect(running.decided).toMatchObject([{ outcome: "accepted", subject: "ada" }]);
        expect(identityAtSocket()).toMatchObject({ subject: "ada", scheme: "ticket" });
        expect(secondsLeft()).toBe(idTokenSeconds);
      });

      it("shows the ticket neither to the application nor to the page's own script", async () => {
        const page = await signedIn("/");
        const url = await urlOfNextSocket(page, () => connect(page));
        const ticket = url.searchParams.get("ticket") ?? "none";
        expect(ticket).toHaveLength(43);
        const [request] = running.handedOver;
        expect(request?.url).toBe("/chat");
        expect(JSON.stringify(request?.rawHeaders)).not.toContain(ticket);
        expect(await heard(page)).toEqual([`connected to ${wsOf(running.origin)}/chat`]);
      });

      it("opens no second socket with the same ticket", async () => {
        const page = await signedIn("/");
        const { href } = await urlOfNextSocket(page, () => connect(page));
        expect(await closeOf(page, href)).toEqual({ code: 3000, reason: "ticket_invalid" });
        expect(running.decided.map(({ reason }) => reason)).toEqual([
          undefined,
          "unknown or spent",
        ]);
        expect(running.open.size).toBe(1);
      });

      it("opens no socket of another page, also of one that may have its own", async () => {
        const page = await signedIn("/");
        for (const [other, seen, code] of [
          [running.stranger, { code: 1006, reason: "" }, "origin_denied"],
          [running.partner, { code: 3000, reason: "ticket_invalid" }, "ticket_invalid"],
        ] as const) {
          const url = `${wsOf(running.origin)}/chat?ticket=${await ticketOf(page)}`;
          expect(await closeOf(await pageAt(context, other), url)).toEqual(seen);
          expect(running.decided.at(-1)).toMatchObject({ outcome: "refused", code });
        }
        expect(running.handedOver).toEqual([]);
      });

      it("stops when the session is over, and says why", async () => {
        await context.clock.install();
        const page = await signedIn("/");
        const attempts = attemptsOf(page);
        await connect(page);
        running.pass(idTokenSeconds - 1);
        expect(await say(page, "still")).toBe("ada: still");
        running.pass(1);
        await page.getByText("closed with").waitFor();
        expect((await heard(page)).at(-1)).toBe("closed with 3000 ticket_refused");
        expect(running.ended).toMatchObject([expired]);
        expect(running.ticketed.map(({ status }) => status)).toEqual([undefined, 401]);
        expect(running.decided).toHaveLength(1);
        await page.clock.fastForward("24:00:00");
        await page.evaluate("1");
        expect(attempts).toEqual(["/ticket", "/chat", "/ticket"]);
      });

      it("signs in again without a form, and goes on", async () => {
        const page = await signedIn("/?renew");
        await connect(page);
        running.pass(idTokenSeconds);
        await page.getByText("connected to").nth(1).waitFor();
        expect(await say(page, "again")).toBe("ada: again");
        expect(running.ended).toMatchObject([expired]);
        expect(running.ticketed.map(({ outcome }) => outcome)).toEqual([
          "issued",
          "refused",
          "issued",
        ]);
        expect(running.decided.map(({ outcome }) => outcome)).toEqual(["accepted", "accepted"]);
      });

      it("ends with the log-out, in all tabs and for copies of the cookie", async () => {
        const page = await signedIn("/");
        const other = await pageAt(context, `${running.origin}/?renew`);
        await connect(other);
        const kept = await cookiesOf(context, running.origin);
        await signOut(page);
        await page.getByText("Sign in", { exact: true }).waitFor();

        await other.getByText("signed out").waitFor();
        expect((await heard(other)).slice(-2)).toEqual(["closed with 3000 revoked", "signed out"]);
        expect(running.ended).toMatchObject([
          { code: "revoked", closeCode: 3000, path: "/chat", subject: "ada" },
        ]);
        expect(running.ticketed).toHaveLength(1);
        const answer = await fetch(`${running.origin}/ticket`, {
          method: "POST",
          headers: { Cookie: kept, Origin: running.origin },
        });
        expect(answer.status).toBe(401);
        await shakeWith(running, { Cookie: kept, Origin: running.origin });
        expect(running.decided.map(({ code }) => code)).toEqual([undefined, "token_missing"]);
      });

      it("is worth nothing after the log-out, also where it was handed out before", async () => {
        const page = await signedIn("/");
        const ticket = await ticketOf(page);
        await signOut(page);
        await page.getByText("Sign in", { exact: true }).waitFor();
        const url = `${wsOf(running.origin)}/chat?ticket=${ticket}`;
        expect(await closeOf(page, url)).toEqual({ code: 3000, reason: "unauthorized" });
        expect(running.decided).toMatchObject([{ outcome: "refused", reason: "revoked" }]);
        expect(running.handedOver).toEqual([]);
      });

      it("lets in who signs in again behind the log-out", async () => {
        const page = await signedIn("/");
        await signOut(page);
        await signIn(page);
        await connect(page);
        expect(await say(page, "back")).toBe("ada: back");
      });

      it("gives a page of another origin nothing, though it has the user's cookies sent", async () => {
        await signedIn("/");
        const cookies = await cookiesOf(context, running.origin);
        const page = await pageAt(context, running.stranger);
        for (const path of ["/chat", "/rooms"]) {
          expect(await closeOf(page, wsOf(running.origin) + path)).toMatchObject({ code: 1006 });
        }
        const refused = { outcome: "refused", code: "origin_denied", cookie: cookies };
        expect(running.decided).toMatchObject([refused, refused]);

        const asked = page.evaluate(async (url) => {
          const init = { method: "POST", credentials: "include" } as const;
          const { type } = await fetch(url, { ...init, mode: "no-cors" });
          const read = await fetch(url, init).catch((error: unknown) => String(error));
          return [type, read];
        }, `${running.origin}/ticket`);
        expect(await asked).toEqual(["opaque", "TypeError: Failed to fetch"]);
        expect(running.ticketed.map(({ code }) => code)).toEqual([
          "origin_denied",
          "origin_denied",
        ]);
      });
    });

    describe("and an access token", () => {
      it("chats under the name that the provider says, and the token goes no further", async () => {
        const page = await signedIn("/page");
        await connect(page);
        expect(await say(page, "hello")).toBe("ada: hello");
        expect(running.decided).toMatchObject([{ outcome: "accepted", subject: "ada" }]);
        expect(identityAtSocket()).toMatchObject({ subject: "ada", scheme: "bearer" });
        expect(secondsLeft()).toBe(accessTokenSeconds);
        const [request] = running.handedOver;
        expect(request?.url).toBe("/rooms");
        expect(JSON.stringify(request?.rawHeaders)).not.toContain("eyJ");
      });

      it("stops when the token is over, and says why", async () => {
        await context.clock.install();
        const page = await signedIn("/page");
        const attempts = attemptsOf(page);
        await connect(page);
        running.pass(accessTokenSeconds);
        await page.getByText("closed with").waitFor();
        expect((await heard(page)).at(-1)).toBe("closed with 3000 token_invalid");
        expect(running.ended).toMatchObject([expired]);
        expect(running.decided.map(({ reason }) => reason)).toEqual([
          undefined,
          "ERR_JWT_EXPIRED exp",
        ]);
        await page.clock.fastForward("24:00:00");
        await page.evaluate("1");
        expect(attempts).toEqual(["/rooms", "/rooms"]);
      });

      it("gets another without a form before the token is over, and goes on", async () => {
        await context.clock.install();
        const page = await signedIn("/page?renew");
        await connect(page);
        running.pass(accessTokenSeconds - 20);
        await page.clock.fastForward((accessTokenSeconds - 20) * 1_000);
        await page.getByText("connected to").nth(1).waitFor();
        expect(await say(page, "again")).toBe("ada: again");
        await expect.poll(() => running.open.size).toBe(1);
        expect(running.decided.map(({ outcome }) => outcome)).toEqual(["accepted", "accepted"]);
      });

      it("gets none after the log-out at the provider, and does not knock", async () => {
        const page = await signedIn("/page?renew");
        await signOut(page);
        await page.waitForURL(`${running.origin}/page`);
        await goTo(page, `${running.origin}/page?renew`);
        await page.getByRole("button", { name: "Connect" }).click();
        await page.getByText("closed with").waitFor();
        expect(await heard(page)).toEqual(["closed with 3000 token_missing"]);
        expect(running.decided).toEqual([]);
      });
    });
  });
});

/** How the gate ends a connection when what has opened it is over. */
const expired = { code: "token_expired", closeCode: 3000, subject: "ada" };

const wsOf = (origin: string): string => origin.replace("http", "ws");

async function pageAt(context: BrowserContext, url: string): Promise<Page> {
  const page = await context.newPage();
  await page.goto(url);
  return page;
}

/** The page of an application, when its script has run. */
async function goTo(page: Page, url: string): Promise<void> {
  await page.goto(url);
  await page.locator("[data-ready]").waitFor();
}

async function connect(page: Page): Promise<void> {
  await page.locator("[data-ready]").waitFor();
  await page.getByRole("button", { name: "Connect" }).click();
  await page.getByText("connected to").waitFor();
}

/** By the provider's forms. */
async function signIn(page: Page): Promise<void> {
  await page.getByText("Sign in", { exact: true }).click();
  await page.getByPlaceholder("Enter any login").fill("ada");
  await page.getByPlaceholder("and password").fill("opensesame");
  await page.getByRole("button", { name: "Sign-in" }).click();
  await page.getByRole("button", { name: "Continue" }).click();
  await page.getByText("Signed in").waitFor();
}

async function signOut(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("button", { name: "Sign me out" }).click();
}

const heard = (page: Page): Promise<string[]> => page.locator("#heard li").allTextContents();

/** What comes back. */
async function say(page: Page, text: string): Promise<string> {
  await page.getByLabel("Message").fill(text);
  await page.getByRole("button", { name: "Send" }).click();
  return (await page.getByText(`: ${text}`).textContent()) ?? "";
}

/** As whoever reads the browser's own log sees it. */
async function urlOfNextSocket(page: Page, act: () => Promise<void>): Promise<URL> {
  const [socket] = await Promise.all([page.waitForEvent("websocket"), act()]);
  return new URL(socket.url());
}

/** What a script of the page sees of a WebSocket that is refused. */
const closeOf = (page: Page, url: string): Promise<{ code: number; reason: string }> =>
  page.evaluate(
    (to) =>
      new Promise((resolve) => {
        new WebSocket(to).onclose = ({ code, reason }) => resolve({ code, reason });
      }),
    url,
  );

const ticketOf = (page: Page): Promise<string> =>
  page.evaluate(async () => (await (await fetch("/ticket", { method: "POST" })).json()).ticket);

/** What a page asks for from now on: tickets and sockets, in the browser's own words and so in its order. */
function attemptsOf(page: Page): readonly string[] {
  const paths: string[] = [];
  const note = (url: string): void => void paths.push(new URL(url).pathname);
  page.on("request", (request) => request.url().endsWith("/ticket") && note(request.url()));
  page.on("websocket", (socket) => note(socket.url()));
  return paths;
}

/** All that the browser would send there, which is more than the application's own: ports share cookies. */
async function cookiesOf(context: BrowserContext, url: string): Promise<string> {
  const cookies = await context.cookies(url);
  return cookies.map(({ name, value }) => `${name}=${value}`).join("; ");
}

async function shakeWith({ port }: Running, headers: Record<string, string>): Promise<void> {
  const client = await dial(port);
  client.send(handshakeText({ headers: { Host: `127.0.0.1:${port}`, ...headers } }));
  await client.closed;
}
