import type { Browser, BrowserContext, Locator, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  type Playground,
  type PlaygroundOptions,
  startPlayground,
} from "../../packages/playground/src/playground.ts";
import { type FakeClock, fakeClock } from "../corpus/fake-clock.ts";
import { requirement } from "../support/requirement.ts";
import { chromiumPath, launch, openPage, signIn, type Watched } from "./browser.ts";

const stacks = [
  { framework: "express", library: "ws" },
  { framework: "koa", library: "ws" },
  { framework: "fastify", library: "ws" },
  { framework: "koa", library: "socket.io" },
  { framework: "fastify", library: "socket.io" },
] as const;

/** Where nothing depends on how a framework is brought back. */
const twoStacks = [
  { framework: "express", library: "ws" },
  { framework: "fastify", library: "socket.io" },
] as const;

const needed = requirement("chromium", chromiumPath);

describe.skipIf(needed.isMissing)(
  "the playground's open connections in Chromium",
  { timeout: 20_000 },
  () => {
    let browser: Browser;
    let context: BrowserContext;
    let playground: Playground;
    /** Stands still, so that tokens end when a test says so. */
    let clock: FakeClock;

    beforeAll(async () => {
      browser = await launch();
    });
    afterAll(() => browser?.close());
    beforeEach(async () => {
      clock = fakeClock();
      context = await browser.newContext();
    });
    afterEach(async () => {
      await context.close();
      await playground.close();
    });

    const port = { port: 0, mayMove: true };

    async function open(stack: Partial<PlaygroundOptions> = {}): Promise<Watched> {
      playground = await startPlayground({ port, clock, ...stack });
      return openPage(context, playground.lab.page);
    }

    /** By the process's own time. */
    async function openLive(stack: Partial<PlaygroundOptions> = {}): Promise<Watched> {
      playground = await startPlayground({ port, ...stack });
      return openPage(context, playground.lab.page);
    }

    async function bringGuests(page: Page): Promise<void> {
      // Their tokens are signed by the time that it really is.
      clock.setTimeOfDay(Date.now());
      await page.getByRole("button", { name: "Bring three guests" }).click();
      await page.getByText("3 guests are in, until their tokens end.").waitFor();
      await expect.poll(() => rowsOf(page, "Grace").count()).toBe(2);
      await rowsOf(page, "Katherine").waitFor();
    }

    const rowsOf = (page: Page, subject: string): Locator =>
      page.locator(`#open-rows [data-subject=${subject}]`);

    /** What a row counts down, in seconds. */
    const leftOf = async (row: Locator): Promise<number> => {
      const [, minutes = "0", seconds = ""] =
        /^(?:(\d+) min )?(\d+) s$/.exec(await row.locator(".left strong").innerText()) ?? [];
      return Number(minutes) * 60 + Number(seconds);
    };

    const closesOf = async (page: Page): Promise<readonly string[]> => {
      const rows = await page.locator("#closes > li").all();
      return Promise.all(
        rows.map(async (row) => {
          const [who, said] = [row.locator(".who"), row.locator(".verdict strong")];
          return `${await who.textContent()}: ${await said.textContent()}`;
        }),
      );
    };

    it("counts down to the end of each token, and closes then by 3000", async () => {
      const { page, complaints } = await open();
      await bringGuests(page);
      const [first, second] = [rowsOf(page, "Grace").first(), rowsOf(page, "Grace").last()];
      const before = await leftOf(first);
      expect(before).toBeGreaterThan(17);
      clock.advance(16_000);
      await expect.poll(() => leftOf(first)).toBeLessThanOrEqual(before - 16);
      expect(await first.getAttribute("class")).toContain("is-short");
      expect(await closesOf(page)).toEqual([]);
      clock.advance(4_000);
      await expect.poll(() => rowsOf(page, "Grace").count()).toBe(1);
      expect(await closesOf(page)).toEqual(["Grace /guests: 3000 token_expired;retry=0"]);
      expect(await leftOf(second)).toBeGreaterThan(30);
      await page
        .locator("#closes-announcement")
        .getByText("Closed: Grace, 3000 token_expired;retry=0.")
        .waitFor({ state: "attached" });
      clock.advance(20_000);
      await expect.poll(() => rowsOf(page, "Katherine").count()).toBe(0);
      expect(complaints).toEqual([]);
    });

    it("ticks by itself, and says what has really come", async () => {
      const { page } = await openLive();
      await bringGuests(page);
      const row = rowsOf(page, "Katherine");
      const before = await leftOf(row);
      await expect.poll(() => leftOf(row), { timeout: 5_000 }).toBeLessThan(before);
      // {"type":"ping"} behind a header and a mask of 6 bytes.
      const facts = row.locator(".facts");
      await expect
        .poll(async () => {
          const [, messages, bytes] =
            /(\d+) messages?.*, (\d+) B/.exec(await facts.innerText()) ?? [];
          return Number(messages) > 0 && Number(bytes) === Number(messages) * 21;
        })
        .toBe(true);
      await expect
        .poll(() => facts.innerText(), { timeout: 5_000 })
        .toMatch(/ messages \([123]\.\d\/s\), \d+ B \(\d+ B\/s\)$/);
    });

    it.each(twoStacks)(
      "revokes the tokens of one, and closes hers alone, on $framework and $library",
      async (stack) => {
        const { page } = await openLive(stack);
        await signIn(page, "Ada");
        await bringGuests(page);
        await rowsOf(page, "Grace").first().getByRole("button", { name: "Revoke" }).click();
        await page
          .getByText("Grace’s tokens are revoked, and 2 connections were closed.")
          .waitFor();
        await expect.poll(() => rowsOf(page, "Grace").count()).toBe(0);
        expect(await closesOf(page)).toEqual([
          "Grace /guests: 3000 revoked",
          "Grace /guests: 3000 revoked",
        ]);
        expect(await rowsOf(page, "Katherine").count()).toBe(1);
        expect(await rowsOf(page, "Ada").count()).toBe(1);
        expect(await page.locator("#connection").innerText()).toBe("Connected as Ada");
      },
    );

    it.each(twoStacks)(
      "gives an open connection a new token, by which it outlives the first, on $framework and $library",
      async (stack) => {
        const { page } = await open(stack);
        await bringGuests(page);
        const row = rowsOf(page, "Grace").first();
        const element = await row.elementHandle();
        clock.advance(15_000);
        await expect.poll(() => leftOf(row)).toBeLessThanOrEqual(5);
        await row.getByRole("button", { name: "Refresh" }).click();
        await page
          .getByText(/^Grace has a new token, for \d+ s; the connection is the same\.$/)
          .waitFor();
        await expect.poll(() => leftOf(row)).toBeGreaterThan(40);
        const renewed = await leftOf(row);
        clock.advance(10_000);
        await expect.poll(() => leftOf(row)).toBeLessThanOrEqual(renewed - 10);
        expect(await element?.evaluate(({ isConnected }) => isConnected)).toBe(true);
        expect(await closesOf(page)).toEqual([]);
      },
    );

    it.each(stacks)(
      "drains: all are closed by 1012, nobody is let in, and it can be brought back, on $framework and $library",
      async (stack) => {
        const { page } = await openLive(stack);
        await signIn(page, "Ada");
        await bringGuests(page);
        await page.getByRole("button", { name: "Drain the server" }).click();
        await page.getByText("Of 4 open, 4 were closed and 0 cut off.").waitFor();
        await page.getByText("drained, answers 503").waitFor();
        const closes = [...(await closesOf(page))].sort();
        expect(closes).toEqual([
          "Ada /chat: 1012 draining;retry=5",
          "Grace /guests: 1012 draining;retry=5",
          "Grace /guests: 1012 draining;retry=5",
          "Katherine /guests: 1012 draining;retry=5",
        ]);
        await page.getByRole("button", { name: "Bring three guests" }).click();
        await page.getByText("0 of 3 guests were let in").waitFor();
        const decision = page.locator(".decision", { hasText: "/guests" }).first();
        await decision.getByText("503 shutting_down").waitFor();

        for (let time = 1; time <= 2; time++) {
          await page.getByRole("button", { name: "Bring it back" }).click();
          await page.getByText("The server is back, and lets in who comes again.").waitFor();
          await bringGuests(page);
          await page.getByText("Connected as Ada").waitFor();
          await expect.poll(() => page.locator("#open-tally").innerText()).toBe("4 open");
          if (time === 2) break;
          await page.getByRole("button", { name: "Drain the server" }).click();
          await page.getByText("Of 4 open, 4 were closed and 0 cut off.").waitFor();
        }
      },
    );

    it.each(twoStacks)(
      "closes those who break a rule, and lets them hear why, on $framework and $library",
      async (stack) => {
        const { page, complaints } = await open(stack);
        const told = page.locator("#told");
        for (const [button, heard] of [
          ["A message of 4,000 letters", "This page heard: 1009 message_too_big."],
          ["60 messages at once", "This page heard: 1008 message_rate_exceeded."],
          ["60 pings at once", "A program heard: 1008 control_rate_exceeded."],
        ] as const) {
          await page.getByRole("button", { name: button }).click();
          await told.getByText(`${button}. ${heard}`).waitFor();
        }
        expect(await closesOf(page)).toEqual([
          "Trudy /guests: 1008 control_rate_exceeded",
          "Trudy /guests: 1008 message_rate_exceeded",
          "Trudy /guests: 1009 message_too_big",
        ]);
        expect(complaints).toEqual([]);
        await page.getByRole("link", { name: "1009 message_too_big" }).click();
        await page.waitForURL(`${playground.lab.page}/errors#message_too_big`);
        await page.locator("section:target").getByText("A message is longer").waitFor();
      },
    );

    it("shows the same to every page, and to one that is loaded again what was closed before", async () => {
      const { page } = await openLive();
      const other = await openPage(context, playground.lab.page);
      await bringGuests(page);
      await rowsOf(other.page, "Katherine").getByRole("button", { name: "Revoke" }).click();
      await other.page.getByText("Katherine’s tokens are revoked, and 1 connection was").waitFor();
      await expect.poll(() => closesOf(page)).toEqual(["Katherine /guests: 3000 revoked"]);
      await page.reload();
      await expect.poll(() => closesOf(page)).toEqual(["Katherine /guests: 3000 revoked"]);
      // The guests were that page's, and have gone with it.
      await page.getByText("Nobody is connected.").waitFor();
    });

    it("keeps who works by the keyboard where the row was that is gone", async () => {
      const { page } = await openLive();
      await bringGuests(page);
      await rowsOf(page, "Katherine").getByRole("button", { name: "Revoke" }).focus();
      await page.keyboard.press("Enter");
      await expect.poll(() => rowsOf(page, "Katherine").count()).toBe(0);
      expect(await page.evaluate(() => document.activeElement?.id)).toBe("open-scroller");
    });

    it("says so where something could not be tried", async () => {
      const { page } = await openLive();
      await bringGuests(page);
      await playground.close();
      await page.getByRole("button", { name: "60 pings at once" }).click();
      await page.getByText("It could not be tried.").waitFor();
    });
  },
);
