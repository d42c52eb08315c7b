import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { AxeResults } from "axe-core";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Assessment } from "../../packages/audit/src/formats/assessment.ts";
import { htmlOf } from "../../packages/audit/src/formats/html/page.ts";
import { chromiumPath, launch, screenshot } from "../browser/browser.ts";
import { requirement } from "../support/requirement.ts";
import { runs } from "./runs.ts";

const needed = requirement("chromium", chromiumPath);
const full = runs["of every verdict and severity"] as Assessment;

describe("the HTML report", () => {
  it.each(Object.entries(runs))("of a run %s holds nothing that runs or is fetched", (_, run) => {
    const text = htmlOf(run);
    expect(text).not.toMatch(/<(?:script|img|link|iframe|object|form|base)\b/i);
    expect(text).not.toMatch(/\s(?:src|srcset|on[a-z]+|style)\s*=\s*["'](?!#)/i);
    expect(text).toContain(`content="default-src &#39;none&#39;; style-src &#39;sha256-`);
  });
});

describe.skipIf(needed.isMissing)("the HTML report in Chromium", { timeout: 60_000 }, () => {
  let browser: Browser;
  let folder: string;

  beforeAll(async () => {
    browser = await launch();
    folder = mkdtempSync(join(tmpdir(), "firmshake-html-"));
  });

  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true });
  });

  /** Opens a run's file, and notes everything that it asks for, runs or complains of. */
  async function open(
    run: Assessment,
    options: BrowserContextOptions = {},
  ): Promise<{ readonly page: Page; readonly noted: readonly string[] }> {
    const context = await browser.newContext(options);
    const page = await context.newPage();
    const noted: string[] = [];
    const file = join(folder, "audit.html");
    writeFileSync(file, htmlOf(run));
    page.on("request", (request) => noted.push(`request: ${request.url()}`));
    page.on("console", (message) => noted.push(`console: ${message.text()}`));
    page.on("dialog", (dialog) => noted.push(`dialog: ${dialog.message()}`));
    await page.goto(pathToFileURL(file).href);
    return { page, noted };
  }

  it.each(["of every verdict and severity", "of hostile text", "of nothing"])(
    "of a run %s asks for nothing, runs nothing and breaks no rule of its own",
    async (name) => {
      const { page, noted } = await open(runs[name] as Assessment);
      await unfold(page);
      expect(noted).toEqual([`request: ${page.url()}`]);
      expect(await page.locator("img, script, iframe, main :is(style, link, meta)").count()).toBe(
        0,
      );
      await page.context().close();
    },
  );

  it("shows hostile text as text", async () => {
    const { page } = await open(runs["of hostile text"] as Assessment);
    const shown = await page.locator("article h4").first().textContent();
    expect(shown).toContain("</script><img src=x onerror=alert(1)>");
    expect(await page.locator('a[href^="javascript"]').count()).toBe(0);
    await page.context().close();
  });

  it("says the verdict first, and unfolds how it is known", async () => {
    const { page } = await open(full);
    expect(await page.locator("h1").textContent()).toContain("4 weaknesses (1 critical");
    const first = page.locator("article").first();
    expect(await first.locator("h4").textContent()).toBe("A page of any origin can connect");
    const exchange = first.getByText("> GET /chat HTTP/1.1").first();
    expect(await exchange.isVisible()).toBe(false);
    await first.getByText("How it is known: 5 probes").click();
    expect(await exchange.isVisible()).toBe(true);
    await page.getByText("WS-JWT-3").first().click();
    expect(await page.getByText("This is why it is skipped.").last().isVisible()).toBe(true);
    await page.context().close();
  });

  it("has code with Firmshake and without for what is weak", async () => {
    const { page } = await open(full);
    const titles = await page
      .locator("article")
      .first()
      .locator(".example summary")
      .allInnerTexts();
    for (const title of [
      "ws, by its own means",
      "Express, with Firmshake",
      "Fastify, with Firmshake",
    ]) {
      expect(titles).toContain(title);
    }
    await page.context().close();
  });

  it("is printed with how it is known", async () => {
    const { page } = await open(full);
    await page.emulateMedia({ media: "print" });
    const exchange = page.locator("article").first().getByText("> GET /chat HTTP/1.1").first();
    const box = await exchange.boundingBox();
    expect(box?.height).toBeGreaterThan(0);
    writeFileSync(screenshot("audit-print").replace(".png", ".pdf"), await page.pdf());
    await page.context().close();
  });

  it.each([
    [1280, "light"],
    [1280, "dark"],
    [390, "light"],
    [390, "dark"],
  ] as const)(
    "has no barrier that axe knows, and no sideways scrolling, %d px wide and %s",
    async (width, colorScheme) => {
      const { page } = await open(full, { viewport: { width, height: 900 }, colorScheme });
      await page.screenshot({
        path: screenshot(`audit-${width}-${colorScheme}`),
        fullPage: true,
      });
      await unfold(page);
      expect(
        await page.evaluate("document.documentElement.scrollWidth - innerWidth"),
      ).toBeLessThanOrEqual(0);
      expect(await barriersIn(page)).toEqual([]);
      await page.screenshot({ path: screenshot(`audit-${width}-${colorScheme}-open`) });
      await page.context().close();
    },
  );
});

const unfold = (page: Page): Promise<unknown> =>
  page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true");

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

async function barriersIn(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe);
  const { violations } = (await page.evaluate("axe.run(document)")) as AxeResults;
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 160)}: ${failureSummary}`),
  );
}
