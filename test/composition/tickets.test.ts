import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import {
  attach,
  connectionOf,
  type DecisionEvent,
  guard,
  origin,
  type TicketEvent,
  tickets,
} from "@firmshake/node";
import { Server as SocketIoServer } from "socket.io";
import { io as connect } from "socket.io-client";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { WebSocket } from "ws";
import { chromiumPath, launch } from "../browser/browser.ts";
import { statusOf } from "../support/raw-client.ts";
import { requirement } from "../support/requirement.ts";
import { listen } from "../support/server.ts";
import { desks } from "./ticket-desks.ts";

const other = "https://other.example.com";
const lifetimeMs = 30_000;

interface Running {
  readonly port: number;
  readonly own: string;
  readonly clock: { ahead: number };
  /** What the library was given. */
  readonly requests: IncomingMessage[];
  readonly decided: DecisionEvent[];
  readonly issued: TicketEvent[];
  /** Signs in; answers with the cookie. */
  readonly signIn: (name: string) => Promise<string>;
  readonly ask: (cookie: string | undefined, origin?: string) => Promise<Response>;
  /** Signs in and asks. */
  readonly ticketFor: (name: string) => Promise<string>;
  /** The status that a handshake of the application's own page is answered with. */
  readonly shake: (target: string, origin?: string) => Promise<number>;
  /** What the server says first to a client that is let in. */
  readonly greetingAt: (target: string, protocols?: readonly string[]) => Promise<string>;
}

async function running(name: string): Promise<Running> {
  const server = createServer();
  const port = await listen(server);
  const own = `http://127.0.0.1:${port}`;
  const clock = { ahead: 0 };
  const requests: IncomingMessage[] = [];
  const decided: DecisionEvent[] = [];
  const issued: TicketEvent[] = [];
  await desks[name]?.({
    server,
    origins: [own, other],
    entry: tickets({ lifetimeMs, now: () => Date.now() + clock.ahead }),
    options: { onDecision: (event) => void decided.push(event) },
    onTicket: (event) => void issued.push(event),
    onConnection: (socket, request) => {
      requests.push(request);
      socket.on("error", () => undefined);
      socket.send(`Welcome, ${connectionOf(request).identity?.subject}.`);
    },
  });
  const signIn: Running["signIn"] = async (user) => {
    const response = await fetch(`${own}/login?name=${user}`, { method: "POST" });
    return response.headers
      .getSetCookie()
      .map((line) => line.split(";", 1)[0])
      .join("; ");
  };
  const ask: Running["ask"] = (cookie, origin = own) =>
    fetch(`${own}/ticket`, {
      method: "POST",
      headers: { Origin: origin, ...(cookie === undefined ? {} : { Cookie: cookie }) },
    });
  const ticketFor: Running["ticketFor"] = async (user) => {
    const response = await ask(await signIn(user));
    const { ticket } = (await response.json()) as { ticket: string };
    return ticket;
  };
  const shake: Running["shake"] = (target, origin = own) =>
    statusOf(port, { target, headers: { Host: `127.0.0.1:${port}`, Origin: origin } });
  const greetingAt: Running["greetingAt"] = async (target, protocols = []) => {
    const url = `ws://127.0.0.1:${port}${target}`;
    const socket = new WebSocket(url, [...protocols], { origin: own });
    onTestFinished(() => socket.terminate());
    const [data] = (await once(socket, "message")) as [Buffer];
    return String(data);
  };
  return { port, own, clock, requests, decided, issued, signIn, ask, ticketFor, shake, greetingAt };
}

describe.each(Object.keys(desks))("a ticket, with %s", (name) => {
  let site: Running;
  beforeEach(async () => {
    site = await running(name);
  });

  it("is had by who is signed in, and opens one socket in that name", async () => {
    const ticket = await site.ticketFor("ada");
    expect(await site.greetingAt(`/chat?ticket=${ticket}`)).toBe("Welcome, ada.");
    expect(await site.shake(`/chat?ticket=${ticket}`)).toBe(401);
    expect(site.decided).toMatchObject([
      { outcome: "accepted", subject: "ada" },
      { outcome: "refused", code: "ticket_invalid", status: 401, reason: "unknown or spent" },
    ]);
  });

  it("is won by one of many handshakes at once", async () => {
    const ticket = await site.ticketFor("ada");
    const all = Array.from({ length: 20 }, () => site.shake(`/chat?ticket=${ticket}`));
    const statuses = await Promise.all(all);
    expect(statuses.filter((status) => status === 101)).toHaveLength(1);
    expect(statuses.filter((status) => status === 401)).toHaveLength(19);
  });

  it("is not given to who is not signed in, nor to another page that sends the cookie along", async () => {
    const cookie = await site.signIn("ada");
    const answers = [await site.ask(undefined), await site.ask(cookie, "https://evil.example")];
    expect(answers.map(({ status }) => status)).toEqual([401, 403]);
    for (const answer of answers) expect(await answer.text()).not.toContain('"ticket":');
    expect(site.issued).toMatchObject([{ code: "unauthorized" }, { code: "origin_denied" }]);
  });

  it("comes with what no cache stores, and for listed pages with leave to read it", async () => {
    const cookie = await site.signIn("ada");
    const { status, headers } = await site.ask(cookie, other);
    expect(status).toBe(200);
    expect(Object.fromEntries(headers)).toMatchObject({
      "content-type": expect.stringContaining("application/json"),
      "cache-control": "no-store",
      "access-control-allow-origin": other,
      vary: expect.stringContaining("Origin"),
    });
    const preflight = await fetch(`${site.own}/ticket`, {
      method: "OPTIONS",
      headers: { Origin: other, "Access-Control-Request-Method": "POST" },
    });
    expect([preflight.status, await preflight.text()]).toEqual([204, ""]);
    expect(preflight.headers.get("access-control-allow-methods")).toBe("POST");
  });

  it("has ended after its time", async () => {
    const ticket = await site.ticketFor("ada");
    site.clock.ahead = lifetimeMs;
    expect(await site.shake(`/chat?ticket=${ticket}`)).toBe(401);
    expect(site.decided).toMatchObject([{ code: "ticket_invalid", reason: "expired" }]);
  });

  it.each([
    ["another page that may connect as well", "/chat", other, "for another origin"],
    ["another path", "/news", undefined, "for another path"],
  ])("is worth nothing at %s, and nothing from then on", async (_, path, origin, reason) => {
    const ticket = await site.ticketFor("ada");
    expect(await site.shake(`${path}?ticket=${ticket}`, origin)).toBe(401);
    expect(await site.shake(`/chat?ticket=${ticket}`)).toBe(401);
    expect(site.decided).toMatchObject([{ reason }, { reason: "unknown or spent" }]);
  });

  it("is asked for: without it nobody is let in, whatever cookie there is", async () => {
    expect(await site.shake("/chat")).toBe(401);
    expect(site.decided).toMatchObject([{ code: "token_missing" }]);
  });

  it.each<[string, (ticket: string) => readonly [string, readonly string[]]]>([
    ["query", (ticket) => [`/chat?room=1&ticket=${ticket}`, []]],
    ["subprotocol", (ticket) => ["/chat?room=1", ["chat", "bearer", ticket]]],
  ])("from the %s is seen by neither the library nor a log", async (_, place) => {
    const ticket = await site.ticketFor("ada");
    expect(await site.greetingAt(...place(ticket))).toBe("Welcome, ada.");
    await site.shake(place(ticket)[0]);
    const [request] = site.requests as [IncomingMessage];
    expect(request.url).toBe("/chat?room=1");
    const { headers, headersDistinct, rawHeaders } = request;
    const { originalUrl } = request as { originalUrl?: string };
    const { decided, issued } = site;
    const seen = { headers, headersDistinct, rawHeaders, originalUrl, decided, issued };
    expect(JSON.stringify(seen)).not.toContain(ticket);
    expect(JSON.stringify(connectionOf(request))).not.toContain(ticket);
  });
});

const chromium = requirement("chromium", chromiumPath);

describe.skipIf(chromium.isMissing)("a page in Chromium", () => {
  it("asks for a ticket and opens a socket with it, as the guide says, once", async () => {
    const site = await running("Koa 3");
    const browser = await launch();
    onTestFinished(() => browser.close());
    const page = await browser.newPage();
    await page.goto(`${site.own}/nothing`);
    const heard = await page.evaluate(async () => {
      await fetch("/login?name=ada", { method: "POST" });
      const response = await fetch("/ticket", { method: "POST", credentials: "include" });
      const { ticket } = (await response.json()) as { ticket: string };
      const hear = (protocols: string[], query = ""): Promise<string> =>
        new Promise((resolve) => {
          const socket = new globalThis.WebSocket(`ws://${location.host}/chat${query}`, protocols);
          socket.onmessage = ({ data }) => resolve(`${data} ${socket.protocol}`);
          socket.onclose = ({ code }) => resolve(`closed with ${code}`);
        });
      const query = `?ticket=${ticket}`;
      const first = [await hear([], query), await hear([], query)];
      const again = await fetch("/ticket", { method: "POST", credentials: "include" });
      const { ticket: second } = (await again.json()) as { ticket: string };
      return [...first, await hear(["chat", "bearer", second])];
    });
    expect(heard).toEqual(["Welcome, ada. ", "closed with 1006", "Welcome, ada. chat"]);
  });

  it("of another origin gets none, although the browser sends the cookie along", async () => {
    const site = await running("Koa 3");
    const foreign = await listen(createServer((_request, response) => response.end("foreign")));
    const browser = await launch();
    onTestFinished(() => browser.close());
    const page = await browser.newPage();
    await page.goto(`${site.own}/nothing`);
    await page.evaluate(() => fetch("/login?name=ada", { method: "POST" }));
    // Another port is another origin, and the same site: the cookie goes along.
    await page.goto(`http://127.0.0.1:${foreign}/`);
    const read = await page.evaluate(async (url) => {
      const init = { method: "POST", credentials: "include" } as const;
      await fetch(url, { ...init, mode: "no-cors" });
      return fetch(url, init).then(String, (error: unknown) => (error as Error).name);
    }, `${site.own}/ticket`);
    expect(read).toBe("TypeError");
    expect(site.issued).toMatchObject([{ code: "origin_denied" }, { code: "origin_denied" }]);
  });
});

describe("a ticket for Socket.IO", () => {
  it("opens one session by WebSocket", async () => {
    const entry = tickets();
    const server = createServer();
    const port = await listen(server);
    const own = `http://127.0.0.1:${port}`;
    attach(server, { "/socket.io/*": guard(origin([own]), entry) });
    const io = new SocketIoServer(server);
    onTestFinished(() => void io.close());
    io.on("connection", (socket) => {
      const { identity } = connectionOf(socket.request);
      socket.emit("hello", identity?.subject, socket.request.url, socket.handshake.query.ticket);
    });
    const wish = { subject: "ada", path: "/socket.io/", origin: own };
    const { ticket } = await entry.issue(wish);
    const options = {
      transports: ["websocket"],
      query: { ticket },
      extraHeaders: { Origin: own },
      reconnection: false,
      forceNew: true,
    };
    const open = (): ReturnType<typeof connect> => {
      const socket = connect(own, options);
      onTestFinished(() => void socket.close());
      return socket;
    };
    const told = await new Promise<unknown[]>((resolve) =>
      open().on("hello", (...all: unknown[]) => resolve(all)),
    );
    expect(told).toEqual(["ada", "/socket.io/?EIO=4&transport=websocket", null]);
    const refused = await new Promise((resolve) => open().on("connect_error", resolve));
    expect(refused).toBeInstanceOf(Error);
  });
});
