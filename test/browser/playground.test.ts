import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { AxeResults } from "axe-core";
import type { Browser, BrowserContext, Frame, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { attackViews } from "../../packages/playground/src/pages/attempts.ts";
import {
  type Playground,
  type PlaygroundOptions,
  startPlayground,
} from "../../packages/playground/src/playground.ts";
import { answersOfWays } from "../playground/answers-of-ways.ts";
import { smuggledWithoutGate } from "../playground/smuggled-body.ts";
import { requirement } from "../support/requirement.ts";
import { chromiumPath, launch, openPage, screenshot, signIn } from "./browser.ts";

const stacks = [
  { framework: "express", library: "ws" },
  { framework: "koa", library: "ws" },
  { framework: "fastify", library: "ws" },
  { framework: "express", library: "socket.io" },
  { framework: "fastify", library: "socket.io" },
] as const;

const needed = requirement("chromium", chromiumPath);

describe.skipIf(needed.isMissing)("the playground in Chromium", { timeout: 60_000 }, () => {
  let browser: Browser;
  let context: BrowserContext;
  let playground: Playground;

  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser?.close());

  // A playground each, so that no test uses up what another's address may do.
  beforeEach(async () => {
    playground = await startPlayground({ port: { port: 0, mayMove: true } });
    context = await browser.newContext();
  });
  afterEach(async () => {
    await context.close();
    await playground.close();
  });

  const panelOf = (page: Page) => page.frameLocator("#panel");

  /** One after the other in place of the usual one, which is Express and ws. */
  async function restart(stack: Partial<PlaygroundOptions>): Promise<void> {
    await playground.close();
    playground = await startPlayground({ port: { port: 0, mayMove: true }, ...stack });
  }

  it.each(stacks)(
    "lets two people talk in two pages, on $framework and $library",
    async (stack) => {
      await restart(stack);
      const other = await browser.newContext();
      const ada = await openPage(context, playground.lab.page);
      const grace = await openPage(other, playground.lab.page);
      await signIn(ada.page, "Ada");
      await signIn(grace.page, "Grace");
      await ada.page.getByText("with Grace").waitFor();
      await ada.page.getByLabel("Message", { exact: true }).fill("<b>Hello</b>, Grace");
      await ada.page.getByRole("button", { name: "Send" }).click();
      await grace.page.getByRole("log").getByText("<b>Hello</b>, Grace").waitFor();
      await grace.page.getByLabel("Message", { exact: true }).fill("Hello, Ada");
      await grace.page.keyboard.press("Enter");
      await ada.page.getByRole("log").getByText("Hello, Ada").waitFor();
      await ada.page.getByText(`This server runs on ${playground.lab.runsOn}.`).waitFor();
      expect([...ada.complaints, ...grace.complaints]).toEqual([]);
      await other.close();
    },
  );

  it.each(stacks)(
    "keeps somebody signed in over a reload, and signs out, on $framework and $library",
    async (stack) => {
      await restart(stack);
      const { page } = await openPage(context, playground.lab.page);
      await signIn(page, "Ada");
      await page.reload();
      await page.getByText("Connected as Ada").waitFor();
      await page.getByRole("button", { name: "Sign out" }).click();
      await page.getByLabel("Your name").waitFor();
      expect(await context.cookies()).toEqual([]);
    },
  );

  it.each(stacks)(
    "runs each attack for real: refused with the gate, let in without it, on $framework and $library",
    async (stack) => {
      await restart(stack);
      const { page, complaints, refusals } = await openPage(context, playground.lab.page);
      await signIn(page, "Ada");
      const panel = panelOf(page);
      const seen: Record<string, string> = {};
      for (const { id } of attackViews) {
        const row = panel.locator(`#${id}`);
        await row.getByRole("button").click();
        await row.getByRole("button", { name: "Run again" }).waitFor();
        expect(await row.getAttribute("class"), id).toBe("attack is-stopped");
        const [gated, bare] = await row.locator(".results strong").allTextContents();
        seen[id] = `${gated} | ${bare}`;
      }
      expect(seen).toEqual({
        "cross-site": "403 origin_denied | 101, open as Ada, ping answered",
        "null-origin": "403 origin_null | 101, open, ping answered",
        "missing-token": "401 token_missing | 101, open as Ada, ping answered",
        "expired-token": "401 token_invalid | 101, open as Ada, ping answered",
        "forged-token": "401 token_invalid | 101, open as Ada, ping answered",
        "unsigned-token": "401 token_invalid | 101, open as Ada, ping answered",
        "token-in-query": "401 token_missing | 101, open as Ada, ping answered",
        "two-tokens": "400 token_ambiguous | 101, open as Ada, ping answered",
        "closed-account": "403 forbidden | 101, open as Ada, ping answered",
        "forgotten-path": "404 not_found | 101, open as Ada, ping answered",
        rebinding: "421 host_denied | 101, open as Ada, ping answered",
        "spoofed-proxy": "403 address_denied | 101, open, ping answered",
        "two-hosts": "400 handshake_malformed | 101, open, ping answered",
        "smuggled-body": `400 body_not_allowed | ${smuggledWithoutGate(stack.library)}`,
        reset: expect.stringMatching(/still serving \| process dead: ECONNRESET, exit code 1/),
        flood: expect.stringMatching(/429 (?:rate_limited|connections_exceeded) \| 100 × 101/),
      });
      const count = attackViews.length;
      await panel.getByText(`${count} of ${count} attacks stopped.`).waitFor();
      // The browser has seen them: foreign pages and lost ones are refused by HTTP, the chat's own by a close frame that it can read.
      expect(attemptsIn(refusals)).toEqual(["cross-site", "null-origin", "forgotten-path"]);
      for (const { id } of attackViews.filter(({ place }) => place === "own-page")) {
        if (id === "forgotten-path") continue;
        const [, code = ""] = (seen[id]?.split(" | ")[0] ?? "").split(" ");
        const details = panel.locator(`#${id} .results`);
        expect(await details.textContent(), id).toMatch(`The page saw: 300`);
        expect(await details.textContent(), id).toContain(code);
      }
      expect(complaints).toEqual([]);
      await page.getByText("Connected as Ada").waitFor();
    },
  );

  it.each([
    { framework: "express", library: "ws" },
    { framework: "fastify", library: "socket.io" },
  ] as const)(
    "tries each way to prove who you are as its buttons say, on $framework and $library",
    async (stack) => {
      await restart(stack);
      const { page, complaints, refusals } = await openPage(context, playground.lab.page);
      const seen: Record<string, string> = {};
      for (const { id, acts } of playground.lab.ways) {
        for (const act of acts) {
          const card = await press(page, id, act.id);
          expect(await card.locator(".outcome").getAttribute("class"), act.id).toContain("is-good");
          const said = await card.locator(".verdict strong").textContent();
          seen[`${id}-${act.id}`] = (said ?? "").replace("close code", "close");
        }
      }
      expect(seen).toEqual(answersOfWays);
      // Of what the page's own origin is refused, the browser has read the reason.
      expect(attemptsIn(refusals)).toEqual(["session-foreign", "refusals-foreign"]);
      expect(complaints).toEqual([]);
    },
  );

  it("shows of each way what it sends, what it means, and the decision in the stream", async () => {
    const { page } = await openPage(context, playground.lab.page);
    const card = await press(page, "ticket", "twice");
    await card.getByText("On the wire, from this page").waitFor();
    expect(await card.locator(".wire").textContent()).toContain("GET /ways/ticket?ticket=…");
    expect(await card.locator(".verdict").textContent()).toBe(
      "101 accepted, then 401 ticket_invalid, close code 3000",
    );
    await card.getByText("A ticket is spent by its first handshake.").waitFor();
    expect(await pills(card)).toEqual(["opening passed", "origin passed", "tickets refused"]);
    const decided = page.locator(".decision", { hasText: "A ticket: Use it twice" }).first();
    await decided.getByText("401 ticket_invalid, close code 3000").waitFor();
    await page
      .locator("#ways-announcement")
      .getByText("A ticket, Use it twice: 401 ticket_invalid, as it must be.")
      .waitFor();

    const other = await press(page, "first-message", "large");
    await other.getByText("101, closed with 1009").waitFor();
    await page.locator(".decision").first().getByText("closed with 1009").waitFor();

    await card.getByRole("link", { name: "docs/errors.md: ticket_invalid" }).click();
    await page.waitForURL(`${playground.lab.page}/errors#ticket_invalid`);
    const section = page.locator("section:target");
    await section.getByText("The ticket is not valid.").waitFor();
    expect(await violations(page.mainFrame())).toEqual([]);
  });

  it("tries a way by the keyboard, and keeps the focus where it was", async () => {
    const { page } = await openPage(context, playground.lab.page);
    const button = page.locator("#way-api-key").getByRole("button", { name: "One letter changed" });
    await button.focus();
    await page.keyboard.press("Enter");
    await page.locator("#way-api-key").getByText("401 token_invalid").waitFor();
    expect(await button.evaluate((one) => one === document.activeElement)).toBe(true);
  });

  it("says so where a way could not be tried", async () => {
    const { page } = await openPage(context, playground.lab.page);
    await playground.close();
    const card = await press(page, "token", "connect");
    await card.getByText("could not be tried").waitFor();
    expect(await card.locator(".outcome").getAttribute("class")).toContain("is-bad");
  });

  /** Presses a button of a way's card, and waits for what comes of it. */
  async function press(page: Page, way: string, act: string): Promise<ReturnType<Page["locator"]>> {
    const card = page.locator(`#way-${way}`);
    await card.locator(`[data-act=${act}]`).click();
    await card.locator(`[data-act=${act}][aria-current=true]`).waitFor();
    return card;
  }

  it("begins by polling where the library does, and moves to a WebSocket", async () => {
    await restart({ library: "socket.io" });
    const { page, complaints } = await openPage(context, playground.lab.page);
    await signIn(page, "Ada");
    const verdicts = page.locator(".decision .verdict");
    await verdicts.getByText("polling accepted").waitFor();
    await verdicts.getByText("101 accepted").waitFor();
    await page.getByLabel("Message", { exact: true }).fill("By whichever transport");
    await page.keyboard.press("Enter");
    await page.getByRole("log").getByText("By whichever transport").waitFor();
    expect(complaints).toEqual([]);
  });

  it("shows an attack as not stopped where there is no gate", async () => {
    const bare = await startPlayground({ port: { port: 0, mayMove: true }, isGated: false });
    const { page } = await openPage(context, bare.lab.page);
    const row = panelOf(page).locator("#cross-site");
    await row.getByRole("button").click();
    await row.getByRole("button", { name: "Run again" }).waitFor();
    expect(await row.getAttribute("class")).toBe("attack is-let-in");
    await panelOf(page).getByText("0 of 1 attacks stopped.").waitFor();
    await bare.close();
  });

  it("streams each decision with its trail, the refusing check marked", async () => {
    const { page } = await openPage(context, playground.lab.page);
    await signIn(page, "Ada");
    const accepted = page.locator(".decision").first();
    await accepted.getByText("101 accepted").waitFor();
    expect(await pills(accepted)).toEqual([
      "opening passed",
      "address passed",
      "host passed",
      "origin passed",
      "protocol passed",
      "rate passed",
      "connections passed",
      "token passed",
      "account passed",
    ]);
    await panelOf(page).locator("#null-origin").getByRole("button").click();
    const refused = page.locator(".decision", { hasText: "Null origin" });
    await refused.getByText("403 origin_null").waitFor();
    expect(await pills(refused)).toEqual([
      "opening passed",
      "address passed",
      "host passed",
      "origin refused",
      "protocol not reached",
      "rate not reached",
      "connections not reached",
      "token not reached",
      "account not reached",
    ]);
    await page
      .locator("#announcement")
      .getByText("Null origin, /chat: 403 origin_null by the check of origin.")
      .waitFor();
  });

  const pills = (row: ReturnType<Page["locator"]>): Promise<string[]> =>
    row.locator(".pill").allTextContents();

  it("can be used by the keyboard alone, in an order that makes sense", async () => {
    const { page } = await openPage(context, playground.lab.page);
    const { keyboard } = page;
    const focused = async (): Promise<string> => {
      const frame = await focusedFrame(page);
      return frame.evaluate(() => {
        const { activeElement } = document;
        const { outlineStyle, outlineWidth } = getComputedStyle(
          activeElement?.matches("input[type=radio]")
            ? (activeElement.nextElementSibling ?? activeElement)
            : (activeElement ?? document.body),
        );
        const isSeen = outlineStyle !== "none" && Number.parseFloat(outlineWidth) >= 2;
        const name =
          activeElement?.getAttribute("aria-label") ??
          activeElement?.getAttribute("value") ??
          activeElement?.id;
        return `${name || activeElement?.textContent}${isSeen ? "" : ", without a visible focus"}`;
      });
    };
    await keyboard.press("Tab");
    expect(await focused()).toBe("Skip to the chat");
    await keyboard.press("Tab");
    expect(await focused()).toBe("auto");
    await keyboard.press("ArrowRight");
    await keyboard.press("ArrowRight");
    expect(await page.locator("html").getAttribute("data-theme")).toBe("dark");
    await keyboard.press("Tab");
    expect(await focused()).toBe("name");
    await keyboard.type("Ada");
    await keyboard.press("Enter");
    await page.getByText("Connected as Ada").waitFor();
    expect(await focused()).toBe("text");
    await keyboard.type("By the keyboard");
    await keyboard.press("Enter");
    await page.getByRole("log").getByText("By the keyboard").waitFor();
    const order: string[] = [];
    for (let step = 0; step < 5; step++) {
      await keyboard.press("Tab");
      order.push(await focused());
    }
    expect(order).toEqual(["Send", "clear", "Latest decisions first", "run-all", "Run"]);
    await keyboard.press("Enter");
    await panelOf(page).locator("#cross-site.is-stopped").waitFor();
    expect(await focused()).toBe("Run again");
    await panelOf(page)
      .locator("#announcement")
      .getByText("Cross-site hijacking: stopped, 403 origin_denied.")
      .waitFor();
  });

  it("follows the system's theme unless told otherwise, in both origins, and remembers", async () => {
    const dark = await browser.newContext({ colorScheme: "dark" });
    const { page } = await openPage(dark, playground.lab.page);
    const themes = async () => [
      await page.locator("html").getAttribute("data-theme"),
      await panelOf(page).locator("html").getAttribute("data-theme"),
    ];
    await expect.poll(themes).toEqual(["dark", "dark"]);
    await page.getByRole("radio", { name: "Light" }).check({ force: true });
    await expect.poll(themes).toEqual(["light", "light"]);
    await page.reload();
    await expect.poll(themes).toEqual(["light", "light"]);
    await dark.close();
  });

  it("moves nothing for those who asked for less motion", async () => {
    const calm = await browser.newContext({ reducedMotion: "reduce" });
    const { page } = await openPage(calm, playground.lab.page);
    await signIn(page, "Ada");
    await page.getByText("101 accepted").waitFor();
    const animations = await page.evaluate(() => document.getAnimations().length);
    expect(animations).toBe(0);
    expect(
      await page
        .locator(".decision")
        .first()
        .evaluate((row) => getComputedStyle(row).animationName),
    ).toBe("none");
    await calm.close();
  });

  it("does not let a foreign page around the panel", async () => {
    const { page } = await openPage(context, playground.lab.page);
    const answers = await page.request.get(playground.lab.panel);
    expect(answers.headers()["content-security-policy"]).toContain(
      `frame-ancestors ${playground.lab.page}`,
    );
    // What the panel may ask of the page is an attack by its name, and not an address.
    const asked: string[] = [];
    page.on("request", (request) => asked.push(new URL(request.url()).pathname));
    await (await panelFrame(page)).evaluate((origin) => {
      parent.postMessage({ type: "run", attack: "../sign-out" }, origin);
      parent.postMessage({ type: "run", attack: "flood" }, origin);
    }, playground.lab.page);
    await expect.poll(() => asked).toEqual(["/attempts/..%2Fsign-out", "/attempts/flood"]);
  });

  for (const width of [1280, 390, 360]) {
    for (const colorScheme of ["light", "dark"] as const) {
      it(`has no barrier that axe knows, and no sideways scrolling, ${width} px wide and ${colorScheme}`, async () => {
        const viewport = { width, height: width === 1280 ? 900 : 844 };
        const sized = await browser.newContext({ viewport, colorScheme, reducedMotion: "reduce" });
        const { page, complaints } = await openPage(sized, playground.lab.page);
        expect(await violations(page.mainFrame())).toEqual([]);
        await page.screenshot({
          path: screenshot(`first-${width}-${colorScheme}`),
          fullPage: true,
        });
        await signIn(page, "Ada");
        await page.getByLabel("Message", { exact: true }).fill("Only those who shook hands first.");
        await page.keyboard.press("Enter");
        await panelOf(page).getByRole("button", { name: "Run all" }).click();
        await panelOf(page).locator("#flood.is-stopped").waitFor({ timeout: 30_000 });
        await page.locator(".decision", { hasText: "429 rate_limited" }).first().waitFor();
        await page.getByRole("button", { name: "Bring three guests" }).click();
        await page.getByText("3 guests are in").waitFor();
        await page.getByRole("button", { name: "60 pings at once" }).click();
        await page.getByText("heard: 1008 control_rate_exceeded.").waitFor();
        await page.getByText("The guard of").click();
        await press(page, "session", "foreign");
        await press(page, "dpop", "replayed");
        for (const frame of [page.mainFrame(), await panelFrame(page)]) {
          expect(await violations(frame)).toEqual([]);
          const overflow = await frame.evaluate(
            () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
          );
          expect(overflow).toBeLessThanOrEqual(0);
        }
        // What is far away is not painted.
        await page.evaluate(() => scrollTo(0, 0));
        await page.screenshot({
          path: screenshot(`after-${width}-${colorScheme}`),
          fullPage: true,
        });
        expect(complaints).toEqual([]);
        await sized.close();
      });
    }
  }
});

/** Whose handshakes the browser has written to its console. */
const attemptsIn = (lines: readonly string[]): readonly (string | undefined)[] =>
  lines.map((line) => /attempt=([a-z-]+)\./.exec(line)?.[1]);

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** What axe finds in one document, of WCAG 2.2 AA and its own good practices. */
async function violations(frame: Frame): Promise<readonly string[]> {
  // By the debugger, past the page's content security policy.
  await frame.evaluate(axe);
  const { violations: found } = (await frame.evaluate(
    "axe.run(document, { iframes: false })",
  )) as AxeResults;
  return found.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`),
  );
}

async function panelFrame(page: Page): Promise<Frame> {
  const frame = await (await page.$("#panel"))?.contentFrame();
  if (frame === null || frame === undefined) throw new Error("The page has no panel.");
  return frame;
}

async function focusedFrame(page: Page): Promise<Frame> {
  const isInPanel = await page.evaluate(() => document.activeElement?.id === "panel");
  return isInPanel ? panelFrame(page) : page.mainFrame();
}
