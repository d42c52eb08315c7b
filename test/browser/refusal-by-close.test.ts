import { createServer, type Server } from "node:http";
import { createSecureServer } from "node:http2";
import { attach, guard, origin, type RefuseOption, refuse } from "@firmshake/node";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { WebSocketServer } from "ws";
import { makeCertificate } from "../support/certificate.ts";
import { requirement } from "../support/requirement.ts";
import { listen } from "../support/server.ts";
import { chromiumPath, launch } from "./browser.ts";

const needed = requirement("chromium", chromiumPath);
const certificate = makeCertificate();

type Serve = (page: (request: unknown, response: Answering) => void) => Promise<Server>;
interface Answering {
  readonly setHeader: (name: string, value: string) => unknown;
  readonly end: (text: string) => unknown;
}

const servers: readonly { name: string; scheme: string; serve: Serve }[] = [
  { name: "HTTP/1.1", scheme: "http", serve: async (page) => createServer(page) },
  {
    name: "HTTP/2",
    scheme: "https",
    serve: async (page) => {
      const settings = { enableConnectProtocol: true };
      const options = { ...(await certificate), settings };
      return createSecureServer(options, page) as unknown as Server;
    },
  },
];

describe.skipIf(needed.isMissing)("Chromium", { timeout: 60_000 }, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser?.close());

  describe.each(servers)("over $name", ({ scheme, serve }) => {
    /** A page of a server that refuses whoever is let in by origin. */
    async function open(option: RefuseOption): Promise<{ page: Page; port: number }> {
      const server = await serve((_request, response) => {
        response.setHeader("content-type", "text/html");
        response.end("<!doctype html><title>page</title>");
      });
      attach(
        server,
        guard(origin("same-origin"), () =>
          refuse("rate_limited", undefined, { headers: [["Retry-After", "7"]] }),
        ),
        { refuse: option },
      );
      new WebSocketServer({ server });
      const port = await listen(server);
      const context = await browser.newContext({ ignoreHTTPSErrors: true });
      onTestFinished(() => context.close());
      const page = await context.newPage();
      await page.goto(`${scheme}://localhost:${port}/`);
      return { page, port };
    }

    it.each([
      { protocols: [], protocol: "" },
      { protocols: ["chat.v2", "chat.v1"], protocol: "chat.v2" },
      { protocols: ["bearer", "eyJ.e30.c2ln"], protocol: "bearer" },
    ])("shows a page the code and the reason, having offered $protocols", async (row) => {
      for (const option of ["close", "auto"] as const) {
        const { page } = await open(option);
        expect(await visit(page, "/chat", row.protocols)).toEqual({
          events: ["open", "close"],
          code: 1013,
          reason: "rate_limited;retry=7",
          wasClean: true,
          protocol: row.protocol,
        });
      }
    });

    const nothing = { events: ["error", "close"], code: 1006, reason: "" };

    it("shows nothing of an HTTP answer", async () => {
      const { page } = await open("http");
      expect(await visit(page, "/chat", [])).toMatchObject(nothing);
    });

    it("shows a page of another origin nothing, where that is left to auto", async () => {
      const { page } = await open("auto");
      const other = await open("auto");
      const url = `${scheme.replace("http", "ws")}://localhost:${other.port}/chat`;
      expect(await visit(page, url, [])).toMatchObject(nothing);
    });
  });
});

interface Seen {
  readonly events: readonly string[];
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;
  readonly protocol: string;
}

/** What a script sees of one WebSocket. */
const visit = (page: Page, url: string, protocols: readonly string[]): Promise<Seen> =>
  page.evaluate(
    ([address, offered]) =>
      new Promise<Seen>((resolve) => {
        const to = new URL(address, location.href);
        to.protocol = to.protocol.replace("http", "ws");
        const socket = new WebSocket(to, [...offered]);
        const events: string[] = [];
        for (const name of ["open", "message", "error"]) {
          socket.addEventListener(name, () => events.push(name));
        }
        socket.addEventListener("close", ({ code, reason, wasClean }) => {
          const { protocol } = socket;
          resolve({ events: [...events, "close"], code, reason, wasClean, protocol });
        });
      }),
    [url, protocols] as const,
  );
