import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import {
  attach,
  connectionOf,
  type DecisionEvent,
  guard,
  jwt,
  origin,
  type TicketEvent,
  ticketRoute,
  tickets,
} from "@firmshake/node";
import { calculateJwkThumbprint, type JWK } from "jose";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { WebSocketServer } from "ws";
import { audience, claims, issuer, secret, tokenOf } from "../core/tokens/signing.ts";
import { makeExampleFolder } from "../docs/example-folder.ts";
import { examplesIn } from "../docs/examples.ts";
import { bundledFile } from "../support/bundle.ts";
import { requirement } from "../support/requirement.ts";
import { listen } from "../support/server.ts";
import { chromiumPath, launch } from "./browser.ts";

const needed = requirement("chromium", chromiumPath);
const html = `<!doctype html><title>page</title><script type="module">
  import * as guide from "/guide.js";
  Object.assign(globalThis, { guide });
</script>`;

type Keys = CryptoKeyPair;

/** What the guide's example for pages exports. */
interface Guide {
  readonly makeKeys: () => Promise<Keys>;
  readonly proofFor: (
    htm: string,
    url: URL,
    token: string,
    keys: Keys,
    nonce?: string,
  ) => Promise<string>;
  readonly provenTicket: (socket: URL, token: string, keys: Keys) => Promise<string>;
  readonly connect: (socket: URL, token: string, keys: Keys) => EventTarget & { close(): void };
}
type Global = typeof globalThis & { guide: Guide; keys: Keys; token: string };

/** The example of the guide, letter by letter, as a page would load it. */
async function guideCode(): Promise<string> {
  const file = fileURLToPath(new URL("../../docs/guide/dpop.md", import.meta.url));
  const [, section = ""] = readFileSync(file, "utf8").split("\n## In browsers\n");
  const code = examplesIn("dpop.md", section).find(({ code: text }) =>
    text.includes("@firmshake/client"),
  )?.code;
  const folder = makeExampleFolder();
  try {
    return await bundledFile(fileURLToPath(folder.write("guide.ts", code ?? "")));
  } finally {
    folder.remove();
  }
}

interface Opened {
  readonly page: Page;
  readonly decided: DecisionEvent[];
  readonly issued: TicketEvent[];
}

describe.skipIf(needed.isMissing)(
  "DPoP in Chromium, as the guide says",
  { timeout: 60_000 },
  () => {
    let browser: Browser;
    let code: string;
    beforeAll(async () => {
      [browser, code] = await Promise.all([launch(), guideCode()]);
    });
    afterAll(() => browser?.close());

    /** A page with a key that cannot be read, and a token that is bound to it. */
    async function open(nonce?: object): Promise<Opened> {
      const decided: DecisionEvent[] = [];
      const issued: TicketEvent[] = [];
      const server = createServer();
      const own = `http://localhost:${await listen(server)}`;
      const dpop = { origins: [own] };
      const entry = tickets({ dpop });
      const giveTicket = ticketRoute(entry, {
        by: [
          jwt({
            issuer,
            audience,
            keys: secret,
            dpop: { ...dpop, ...(nonce === undefined ? {} : { nonce }) },
          }),
        ],
        path: "/chat",
        onDecision: (event) => void issued.push(event),
      });
      server.on("request", (request, response) => {
        if (request.url === "/ticket") void giveTicket(request, response);
        else if (request.url === "/guide.js") {
          response.setHeader("content-type", "text/javascript").end(code);
        } else response.setHeader("content-type", "text/html").end(html);
      });
      attach(
        server,
        { "/chat": guard(origin([own]), entry) },
        { onDecision: (event) => void decided.push(event) },
      );
      new WebSocketServer({ server }).on("connection", (socket, request) => {
        socket.on("error", () => undefined);
        socket.send(`Welcome, ${connectionOf(request).identity?.subject}.`);
      });
      const context = await browser.newContext();
      onTestFinished(() => context.close());
      const page = await context.newPage();
      await page.goto(`${own}/`);
      await page.waitForFunction(() => "guide" in globalThis);
      const jwk = await page.evaluate(async () => {
        const here = globalThis as Global;
        here.keys = await here.guide.makeKeys();
        return crypto.subtle.exportKey("jwk", here.keys.publicKey);
      });
      const jkt = await calculateJwkThumbprint(jwk as JWK);
      const token = await tokenOf(claims({ cnf: { jkt } }));
      await page.evaluate((text) => void Object.assign(globalThis, { token: text }), token);
      return { page, decided, issued };
    }

    /** What becomes of a socket with this ticket: its first message, or the code with which it closes. */
    const knock = (page: Page, ticket: string): Promise<unknown> =>
      page.evaluate(
        (text) =>
          new Promise((resolve) => {
            const socket = new globalThis.WebSocket(`ws://${location.host}/chat?ticket=${text}`);
            socket.onmessage = ({ data }) => resolve(data);
            socket.onclose = ({ code: closed }) => resolve(closed);
          }),
        ticket,
      );

    const provenTicket = (page: Page): Promise<string> =>
      page.evaluate(() => {
        const { guide, keys, token } = globalThis as Global;
        return guide.provenTicket(new URL(`ws://${location.host}/chat`), token, keys);
      });

    it.each<[string, object | undefined]>([
      ["", undefined],
      [" and the server's nonce", {}],
    ])("a page with a key that cannot be read%s opens a socket", async (_, nonce) => {
      const { page, decided, issued } = await open(nonce);
      const heard = await page.evaluate(async () => {
        const { guide, keys, token } = globalThis as Global;
        const read = await crypto.subtle.exportKey("pkcs8", keys.privateKey).catch(String);
        const socket = guide.connect(new URL(`ws://${location.host}/chat`), token, keys);
        const said = await new Promise((resolve) =>
          socket.addEventListener("message", (event) => resolve((event as MessageEvent).data)),
        );
        socket.close();
        return [said, String(read)];
      });
      expect(heard).toEqual(["Welcome, ann.", expect.stringContaining("InvalidAccessError")]);
      expect(decided).toMatchObject([{ outcome: "accepted", subject: "ann" }]);
      expect(issued.map(({ code: refused }) => refused)).toEqual(
        nonce === undefined ? [undefined] : ["proof_nonce_required", undefined],
      );
    });

    it("a ticket is worth nothing without a proof, and with one for once", async () => {
      const { page, decided } = await open();
      const text = await provenTicket(page);
      const [ticket = ""] = text.split("~");
      expect(await knock(page, ticket)).toBe(1006);
      expect(await knock(page, text)).toBe("Welcome, ann.");
      expect(await knock(page, text)).toBe(1006);
      expect(decided).toMatchObject([
        { code: "proof_invalid", reason: "no proof behind the ticket" },
        { outcome: "accepted" },
        { code: "ticket_invalid", reason: "unknown or spent" },
      ]);
    });

    it.each<[string, "own" | "stranger's", string, string, string]>([
      [
        "another key",
        "stranger's",
        "GET",
        "/chat",
        "jwk is not the key that the token is bound to",
      ],
      ["another address", "own", "GET", "/news", "htu"],
      ["another method", "own", "POST", "/chat", "htm"],
    ])("a proof of %s opens nothing", async (_, whose, htm, path, reason) => {
      const { page, decided } = await open();
      const [ticket = ""] = (await provenTicket(page)).split("~");
      const proof = await page.evaluate(
        async ([key, method, at, text]) => {
          const { guide, keys } = globalThis as Global;
          const by = key === "own" ? keys : await guide.makeKeys();
          return guide.proofFor(method, new URL(`ws://${location.host}${at}`), text, by);
        },
        [whose, htm, path, ticket] as const,
      );
      expect(await knock(page, `${ticket}~${proof}`)).toBe(1006);
      expect(decided).toMatchObject([{ code: "proof_invalid", reason }]);
    });

    it.each<[string, string, string, string]>([
      ["used before", "own", "/ticket", "used before"],
      ["of another key", "stranger's", "/ticket", "jwk is not the key that the token is bound to"],
      ["for another address", "own", "/chat", "htu"],
    ])("a proof that is %s gets no ticket", async (_, whose, path, reason) => {
      const { page, issued } = await open();
      const statuses = await page.evaluate(
        async ([key, at]) => {
          const { guide, keys, token } = globalThis as Global;
          const by = key === "own" ? keys : await guide.makeKeys();
          const DPoP = await guide.proofFor("POST", new URL(at, location.href), token, by);
          const headers = { Authorization: `DPoP ${token}`, DPoP };
          const ask = async (): Promise<number> =>
            (await fetch("/ticket", { method: "POST", headers })).status;
          return [await ask(), await ask()];
        },
        [whose, path] as const,
      );
      expect(statuses[1]).toBe(401);
      expect(issued[1]).toMatchObject({ code: "proof_invalid", reason });
    });
  },
);
