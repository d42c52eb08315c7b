import { fileURLToPath } from "node:url";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";

export const chromiumPath = "/usr/bin/chromium";

const args = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // Nothing leaves this machine, whatever a page asks for.
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
];

export const launch = (): Promise<Browser> =>
  chromium.launch({ executablePath: chromiumPath, args });

/** Where the pictures go, for people to look at. */
export const screenshot = (name: string): string =>
  fileURLToPath(new URL(`screenshots/${name}.png`, import.meta.url));

/** What a page complained of, other than of WebSockets that were refused, which is what they are for. */
export interface Watched {
  readonly page: Page;
  readonly complaints: readonly string[];
  /** The refused handshakes that the browser wrote to its console. */
  readonly refusals: readonly string[];
}

export async function openPage(context: BrowserContext, url: string): Promise<Watched> {
  const complaints: string[] = [];
  const refusals: string[] = [];
  const page = await context.newPage();
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => {
    const text = message.text();
    if (text.startsWith("WebSocket connection to ")) refusals.push(text);
    else complaints.push(`${message.type()}: ${text}`);
  });
  page.on("requestfailed", (request) => {
    if (request.resourceType() !== "websocket")
      complaints.push(`failed: ${request.url()} ${request.failure()?.errorText}`);
  });
  await page.goto(url);
  await page.frameLocator("#panel").locator(".attack").first().waitFor();
  return { page, complaints, refusals };
}

export async function signIn(page: Page, name: string): Promise<void> {
  await page.getByLabel("Your name").fill(name);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText(`Connected as ${name}`).waitFor();
}
