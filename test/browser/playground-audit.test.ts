import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import type { Browser, BrowserContext, FrameLocator, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Playground, startPlayground } from "../../packages/playground/src/playground.ts";
import { requirement } from "../support/requirement.ts";
import { chromiumPath, launch, openPage, screenshot, signIn } from "./browser.ts";

const needed = requirement("chromium", chromiumPath);
/** A run waits for the limits of the gate. */
const patience = { timeout: 60_000 };

describe.skipIf(needed.isMissing)("the audit in the page", { timeout: 90_000 }, () => {
  let browser: Browser;
  let context: BrowserContext;
  let playground: Playground;

  beforeAll(async () => {
    browser = await launch();
    mkdirSync(dirname(screenshot("")), { recursive: true });
  });
  afterAll(() => browser?.close());
  beforeEach(async () => {
    playground = await startPlayground({ port: { port: 0, mayMove: true } });
    context = await browser.newContext();
  });
  afterEach(async () => {
    await context.close();
    await playground.close();
  });

  const reportIn = (page: Page): FrameLocator => page.frameLocator("#audit-report");
  const audit = (page: Page, name: string): Promise<void> =>
    page.getByRole("button", { name }).click();

  it("shows how far it is, and then the report, while the chat goes on", async () => {
    const { page, complaints } = await openPage(context, playground.lab.page);
    await signIn(page, "Ada");
    await audit(page, "Audit this server");
    await page.getByText(/^\d+ of 57: /).waitFor();
    expect(await page.getByRole("progressbar").isVisible()).toBe(true);
    const section = page.locator(".audit");
    await section.screenshot({ path: screenshot("playground-audit-running") });
    const verdict = page.getByRole("heading", { name: "No weakness found." });
    await verdict.waitFor(patience);
    const report = reportIn(page);
    await report.getByRole("heading", { name: "No weakness found." }).waitFor();
    expect(await report.locator(".row.passed").count()).toBe(44);
    expect(await report.locator(".row.weak").count()).toBe(0);
    await section.screenshot({ path: screenshot("playground-audit-clean") });
    await page.getByText("Connected as Ada").waitFor();
    expect(complaints.filter((text) => !text.endsWith("/audits/gated net::ERR_ABORTED"))).toEqual(
      [],
    );
  });

  it("finds what the gate is for on the server without it, and opens in a tab as well", async () => {
    const { page, complaints } = await openPage(context, playground.lab.page);
    await audit(page, "Audit it without the gate");
    await page.getByText(/^\d+ so far$/).waitFor(patience);
    await page.getByRole("heading", { name: /^23 weaknesses \(\d+ critical/ }).waitFor(patience);
    await reportIn(page).getByText("A page of any origin can connect").first().waitFor();
    for (const [width, theme] of [
      [1280, "Light"],
      [390, "Dark"],
    ] as const) {
      await page.setViewportSize({ width, height: 900 });
      await page.getByLabel(theme, { exact: true }).check();
      const over = "document.documentElement.scrollWidth - innerWidth";
      expect(await page.evaluate(over), `${width} px`).toBeLessThanOrEqual(0);
      await page.locator("#audit-report").scrollIntoViewIfNeeded();
      const path = screenshot(`playground-audit-${width}-${theme.toLowerCase()}`);
      await page.screenshot({ path });
    }
    const opening = context.waitForEvent("page");
    await page.getByRole("link", { name: "Open in a tab" }).click();
    const tab = await opening;
    await tab.getByRole("heading", { level: 1 }).waitFor();
    expect(await tab.title()).toContain("Firmshake audit");
    // Nothing in it could run, wherever it is opened.
    expect(await tab.evaluate("document.defaultView.origin")).toBe("null");
    // Of an answer that was read to its end as a stream Chromium says now and then that it was aborted.
    const ofPage = complaints.filter((text) => !text.endsWith("/audits/bare net::ERR_ABORTED"));
    expect(ofPage).toEqual([]);
  });

  it("is stopped by a button, and then can be run again", async () => {
    const { page } = await openPage(context, playground.lab.page);
    await audit(page, "Audit it without the gate");
    await page.getByText(/^\d+ of 57: /).waitFor();
    await page.getByRole("button", { name: "Stop" }).click();
    await page.locator("#audit-step").getByText("Stopped.").waitFor();
    expect(await page.locator("#audit-result").isVisible()).toBe(false);
    await audit(page, "Audit it without the gate");
    await page.getByText(/^\d+ of 57: /).waitFor();
  });
});
