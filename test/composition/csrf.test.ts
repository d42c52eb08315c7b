import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { connectionOf, type DecisionEvent } from "@firmshake/node";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { WebSocket } from "ws";
import { chromiumPath, launch } from "../browser/browser.ts";
import { statusOf } from "../support/raw-client.ts";
import { requirement } from "../support/requirement.ts";
import { listen } from "../support/server.ts";
import { sites } from "./csrf-sites.ts";

interface Running {
  readonly port: number;
  readonly own: string;
  readonly decided: DecisionEvent[];
  /** What the library was given. */
  readonly requests: IncomingMessage[];
}

async function running(name: string): Promise<Running> {
  const server = createServer();
  const port = await listen(server);
  const own = `http://localhost:${port}`;
  const decided: DecisionEvent[] = [];
  const requests: IncomingMessage[] = [];
  await sites[name]?.({
    server,
    own,
    options: { onDecision: (event) => void decided.push(event) },
    onConnection: (socket, request) => {
      requests.push(request);
      socket.on("error", () => undefined);
      socket.send(`Welcome, ${connectionOf(request).identity?.subject}.`);
    },
  });
  return { port, own, decided, requests };
}

/** A browser's cookies and a page, without the browser. */
class Guest {
  readonly #site: Running;
  readonly #cookies = new Map<string, string>();

  constructor(site: Running) {
    this.#site = site;
  }

  get cookie(): string {
    return [...this.#cookies].map((pair) => pair.join("=")).join("; ");
  }

  post = async (path: string): Promise<Response> => {
    const response = await fetch(`http://127.0.0.1:${this.#site.port}${path}`, {
      method: "POST",
      headers: { Cookie: this.cookie },
    });
    for (const line of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (value === "") this.#cookies.delete(name);
      else this.#cookies.set(name, value);
    }
    return response;
  };

  signIn = async (name: string): Promise<void> => {
    expect((await this.post(`/login?name=${name}`)).status).toBe(200);
  };

  token = async (): Promise<string> => {
    const { token } = (await (await this.post("/csrf")).json()) as { token: string };
    return token;
  };

  /** The status that a handshake with these cookies is answered with. */
  shake = (token: string | undefined, origin = this.#site.own): Promise<number> =>
    statusOf(this.#site.port, {
      target: token === undefined ? "/chat" : `/chat?csrf=${token}`,
      headers: { Host: `localhost:${this.#site.port}`, Origin: origin, Cookie: this.cookie },
    });

  /** What the server says first to a client that is let in. */
  greeting = async (target: string, protocols: readonly string[] = []): Promise<string> => {
    const { port, own } = this.#site;
    const headers = { Host: `localhost:${port}`, Cookie: this.cookie };
    const url = `ws://127.0.0.1:${port}${target}`;
    const socket = new WebSocket(url, [...protocols], { origin: own, headers });
    onTestFinished(() => socket.terminate());
    const [data] = (await once(socket, "message")) as [Buffer];
    return String(data);
  };
}

const forged = "forged, or of another session or cookie";

describe.each(Object.keys(sites))("a CSRF token, with %s", (name) => {
  let site: Running;
  let ada: Guest;
  beforeEach(async () => {
    site = await running(name);
    ada = new Guest(site);
    await ada.signIn("ada");
  });

  it("opens sockets for the page of its session", async () => {
    const token = await ada.token();
    expect(await ada.greeting(`/chat?csrf=${token}`)).toBe("Welcome, ada.");
    expect(await ada.greeting("/chat", ["chat", "bearer", token])).toBe("Welcome, ada.");
  });

  it("is seen by neither the library nor a log", async () => {
    const token = await ada.token();
    await ada.greeting(`/chat?room=1&csrf=${token}`);
    const [request] = site.requests as [IncomingMessage];
    expect(request.url).toBe("/chat?room=1");
    const { headers, rawHeaders } = request;
    const { originalUrl } = request as { originalUrl?: string };
    const seen = { headers, rawHeaders, originalUrl, decided: site.decided };
    expect(JSON.stringify(seen)).not.toContain(token);
  });

  it("is asked for, whatever cookies there are", async () => {
    await ada.token();
    expect(await ada.shake(undefined)).toBe(403);
    expect(site.decided).toMatchObject([{ code: "csrf_invalid", reason: "no token" }]);
  });

  it("of one tab stays good when another tab gets its own", async () => {
    const [first, second] = [await ada.token(), await ada.token()];
    expect(await ada.shake(first)).toBe(101);
    expect(await ada.shake(second)).toBe(101);
  });

  it("of another's session opens nothing", async () => {
    const eve = new Guest(site);
    await eve.signIn("eve");
    const token = await eve.token();
    await ada.token();
    expect(await ada.shake(token)).toBe(403);
    expect(await eve.shake(token)).toBe(101);
    expect(site.decided).toMatchObject([{ code: "csrf_invalid", reason: forged }, {}]);
  });

  it("from before a login opens nothing after it; a new one does", async () => {
    const before = await ada.token();
    await ada.signIn("ada");
    expect(await ada.shake(before)).toBe(403);
    expect(await ada.shake(await ada.token())).toBe(101);
  });

  it("is not given to who is not signed in", async () => {
    const { status } = await new Guest(site).post("/csrf");
    expect(status).toBe(401);
  });

  it("does not let in another origin's page", async () => {
    expect(await ada.shake(await ada.token(), "https://evil.example")).toBe(403);
    expect(site.decided).toMatchObject([{ code: "origin_denied" }]);
  });
});

const chromium = requirement("chromium", chromiumPath);

describe.skipIf(chromium.isMissing)("a page in Chromium", { timeout: 60_000 }, () => {
  it.each(Object.keys(sites))("gets its token and cookie, and a socket, with %s", async (name) => {
    const site = await running(name);
    const browser = await launch();
    onTestFinished(() => browser.close());
    const page = await browser.newPage();
    await page.goto(`${site.own}/`);
    const heard = await page.evaluate(async () => {
      const post = (path: string): Promise<Response> => fetch(path, { method: "POST" });
      await post("/login?name=ada");
      const { token } = (await (await post("/csrf")).json()) as { token: string };
      const hear = (target: string): Promise<unknown> =>
        new Promise((resolve) => {
          const socket = new globalThis.WebSocket(`ws://${location.host}${target}`);
          socket.onmessage = ({ data }) => resolve(data);
          socket.onclose = ({ code }) => resolve(code);
        });
      const mine = await hear(`/chat?csrf=${token}`);
      return [mine, await hear("/chat"), document.cookie.includes("csrf")];
    });
    expect(heard).toEqual(["Welcome, ada.", 1006, false]);
    const kept = await page.context().cookies();
    expect(kept).toContainEqual(
      expect.objectContaining({
        name: "__Host-csrf",
        httpOnly: true,
        secure: true,
        sameSite: "Strict",
      }),
    );
  });
});
