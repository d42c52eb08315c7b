import { createServer } from "node:http";
import type * as Client from "@firmshake/client";
import { attach, guard, jwt, origin, refuse, subprotocolToken } from "@firmshake/node";
import { SignJWT } from "jose";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { WebSocketServer } from "ws";
import { bundled } from "../support/bundle.ts";
import { requirement } from "../support/requirement.ts";
import { echoing, listen } from "../support/server.ts";
import { chromiumPath, launch } from "./browser.ts";

const needed = requirement("chromium", chromiumPath);
const key = new TextEncoder().encode("a secret of at least thirty-two bytes");
const html = `<!doctype html><title>page</title><script type="module">
  import * as client from "/client.js";
  Object.assign(globalThis, { client });
</script>`;
const tokens = { issuer: "https://id.example.com", audience: "chat", keys: key };

describe.skipIf(needed.isMissing)("the client in Chromium", { timeout: 60_000 }, () => {
  let browser: Browser;
  let code: string;
  beforeAll(async () => {
    [browser, code] = await Promise.all([launch(), bundled("client")]);
  });
  afterAll(() => browser?.close());

  /** A page with the client as `client`, on a server that echoes behind a gate. */
  async function open(): Promise<{ page: Page; cookies: (string | undefined)[] }> {
    const token = await new SignJWT({ iss: tokens.issuer, aud: tokens.audience, sub: "ada" })
      .setProtectedHeader({ alg: "HS256", typ: "JWT" })
      .setExpirationTime("10m")
      .sign(key);
    const cookies: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      if (request.url === "/client.js") {
        response.setHeader("content-type", "text/javascript").end(code);
      } else if (request.url === "/ticket") {
        cookies.push(request.headers.cookie);
        response.writeHead(request.method === "POST" ? 200 : 405).end("a-ticket");
      } else if (request.url === "/token") {
        response.end(token);
      } else {
        response.setHeader("set-cookie", "session=1").setHeader("content-type", "text/html");
        response.end(html);
      }
    });
    let visits = 0;
    const same = origin("same-origin");
    attach(
      server,
      {
        "/chat": guard(same, jwt({ ...tokens, from: [subprotocolToken()] })),
        "/ticketed": guard(same, ({ query }) =>
          refuse(query === "ticket=a-ticket" ? "forbidden" : "unauthorized"),
        ),
        "/busy": guard(same, () => {
          visits++;
          const headers = [["Retry-After", "0"]] as const;
          return visits < 3 ? refuse("overloaded", undefined, { headers }) : refuse("forbidden");
        }),
      },
      { refuse: "auto" },
    );
    echoing(new WebSocketServer({ server }));
    const context = await browser.newContext();
    onTestFinished(() => context.close());
    const page = await context.newPage();
    await page.goto(`http://localhost:${await listen(server)}/`);
    return { page, cookies };
  }

  /** Opens a socket, says hello where it is open, and answers with its events. */
  const visit = (page: Page, path: string, options: string, protocols: string[] = []) =>
    page.evaluate(
      ([to, given, offered]) =>
        new Promise<unknown[]>((resolve) => {
          const { FirmSocket } = (globalThis as unknown as { client: typeof Client }).client;
          const settings: object = new Function(`return (${given})`)();
          const socket = new FirmSocket(to, offered, settings);
          const seen: unknown[] = [];
          socket.addEventListener("reconnecting", ({ code, reason }) => {
            seen.push(["reconnecting", code, reason]);
          });
          socket.onopen = () => {
            if (to === "/chat") socket.send("hello");
          };
          socket.onmessage = ({ data }) => {
            seen.push(["message", data, socket.protocol]);
            socket.close(4_001, "enough");
          };
          socket.onclose = ({ code, reason }) => resolve([...seen, ["close", code, reason]]);
        }),
      [path, options, protocols] as const,
    );

  it("gets a token, and speaks", async () => {
    const { page } = await open();
    const options = `{ token: async () => (await fetch("/token")).text() }`;
    expect(await visit(page, "/chat", options, ["chat.v1"])).toEqual([
      ["message", "hello", "chat.v1"],
      ["close", 4_001, "enough"],
    ]);
  });

  it("is told that its token is none", async () => {
    const { page } = await open();
    expect(await visit(page, "/chat", `{ token: () => "a.b.c" }`)).toEqual([
      ["close", 3000, expect.stringMatching(/^token_/)],
    ]);
  });

  it("fetches a ticket with the page's cookies", async () => {
    const { page, cookies } = await open();
    expect(await visit(page, "/ticketed", `{ ticket: "/ticket" }`)).toEqual([
      ["close", 3003, "forbidden"],
    ]);
    expect(cookies).toEqual(["session=1"]);
  });

  it("comes again while it is told to, and then stops", async () => {
    const { page } = await open();
    expect(await visit(page, "/busy", `{ reconnect: { baseMs: 5 } }`)).toEqual([
      ["reconnecting", 1013, "overloaded;retry=0"],
      ["reconnecting", 1013, "overloaded;retry=0"],
      ["close", 3003, "forbidden"],
    ]);
  });
});
