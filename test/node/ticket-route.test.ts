import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import {
  ConfigError,
  type SignedIn,
  type TicketEvent,
  type TicketRouteOptions,
  type Tickets,
  type TicketsOptions,
  ticketRoute,
  tickets,
} from "@firmshake/node";
import { describe, expect, it } from "vitest";
import { handshakeOf, thrownBy, wordOf } from "../support/handshakes.ts";
import {
  answerTo,
  openSession,
  type StreamAnswer,
  secureOfferingServer,
} from "../support/http2.ts";
import { answerIn, dial } from "../support/raw-client.ts";
import { listen } from "../support/server.ts";
import { captureThrown } from "../support/thrown.ts";

type Options = TicketRouteOptions<IncomingMessage>;

interface Desk {
  readonly server: Server;
  readonly port: number;
  readonly own: string;
  readonly entry: Tickets;
  readonly events: TicketEvent[];
  readonly ask: (init?: RequestInit, path?: string) => Promise<Response>;
}

/** Whoever sends the header X-User is signed in. */
async function desk(
  options: Partial<Options> = {},
  ticketsOptions: TicketsOptions = {},
): Promise<Desk> {
  const entry = tickets(ticketsOptions);
  const events: TicketEvent[] = [];
  const route = ticketRoute(entry, {
    identity: ({ headers }) =>
      headers["x-user"] !== undefined && { subject: String(headers["x-user"]) },
    path: "/chat",
    onDecision: (event) => void events.push(event),
    ...options,
  });
  const server = createServer(route as RequestListener);
  const port = await listen(server);
  const own = `http://127.0.0.1:${port}`;
  const ask: Desk["ask"] = ({ headers, ...init } = {}, path = "/ticket") =>
    fetch(`${own}${path}`, {
      method: "POST",
      headers: { Origin: own, "X-User": "ada", ...headers } as Record<string, string>,
      ...init,
    });
  return { server, port, own, entry, events, ask };
}

const bodyOf = async (response: Response): Promise<Record<string, unknown>> =>
  (await response.json()) as Record<string, unknown>;

/** What a handshake with the ticket comes to. */
async function used(
  entry: Tickets,
  ticket: unknown,
  origin: string,
  path = "/chat",
  peer = "127.0.0.1",
): Promise<string> {
  const target = `${path}?ticket=${String(ticket)}`;
  return wordOf(await entry(handshakeOf({ target, headers: { origin }, peer })));
}

describe("a route for tickets", () => {
  it("answers with a ticket that nobody stores", async () => {
    const { ask, entry, own, events } = await desk();
    const response = await ask();
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(response.headers.get("cache-control")).toBe("no-store");
    const { ticket, expiresInMs, ...rest } = await bodyOf(response);
    expect(rest).toEqual({});
    expect(ticket).toMatch(/^[\w-]{43}$/);
    expect(expiresInMs).toBeGreaterThan(29_000);
    expect(expiresInMs).toBeLessThanOrEqual(30_000);
    expect(JSON.stringify(events)).not.toContain(ticket);
    expect(events).toMatchObject([
      { outcome: "issued", subject: "ada", clientAddress: "127.0.0.1", code: undefined },
    ]);
    expect(await used(entry, ticket, own)).toBe("allow");
  });

  it.each<[string, Partial<SignedIn>]>([
    ["claims", { claims: { room: 7 } }],
    ["the end of the session", { expiresAt: Date.now() + 60_000 }],
  ])("passes on %s", async (_, known) => {
    const { ask, entry, own } = await desk({
      identity: async () => ({ subject: "ada", ...known }),
    });
    const { ticket } = await bodyOf(await ask());
    const headers = { origin: own };
    const answer = await entry(handshakeOf({ target: `/chat?ticket=${String(ticket)}`, headers }));
    expect(answer).toMatchObject({ facts: { identity: { scheme: "ticket", ...known } } });
  });

  it("asks a function for the paths, for each request", async () => {
    const { ask, entry, own } = await desk({
      path: ({ headers }) => `/rooms/${String(headers["x-room"])}`,
    });
    const { ticket } = await bodyOf(await ask({ headers: { "X-Room": "7" } }));
    expect(await used(entry, ticket, own, "/rooms/7")).toBe("allow");
  });

  it.each<[string, Partial<Options>]>([
    ["undefined", { identity: () => undefined }],
    ["null", { identity: () => null }],
    ["false", { identity: () => Promise.resolve(false as const) }],
    ["a session that has ended", { identity: () => ({ subject: "ada", expiresAt: 1 }) }],
  ])("answers with 401 where the identity is %s", async (_, options) => {
    const { ask } = await desk(options);
    const response = await ask();
    expect([response.status, await bodyOf(response)]).toMatchObject([
      401,
      { code: "unauthorized" },
    ]);
  });

  it.each(["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])("does not answer %s", async (method) => {
    const { ask } = await desk();
    const response = await ask({ method });
    expect([response.status, response.headers.get("allow")]).toEqual([405, "POST, OPTIONS"]);
  });

  it.each<[string, string | undefined, string]>([
    ["another origin", "https://evil.example", "origin_denied"],
    ["another port", "http://127.0.0.1:1", "origin_denied"],
    ["an opaque origin", "null", "origin_null"],
    ["no origin", undefined, "origin_missing"],
  ])("gives none to a page of %s, whatever it sends along", async (_, origin, code) => {
    const { port, events } = await desk();
    const client = await dial(port);
    const lines = [
      `Host: 127.0.0.1:${port}`,
      "X-User: ada",
      "Content-Length: 0",
      "Connection: close",
    ];
    if (origin !== undefined) lines.push(`Origin: ${origin}`);
    else lines.push("Sec-Fetch-Site: same-origin");
    client.send(`POST /ticket HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
    const { status, body, headers } = answerIn(await client.closed);
    expect([status, JSON.parse(body)]).toMatchObject([403, { code }]);
    expect(headers["access-control-allow-origin"]).toBeUndefined();
    expect(events).toMatchObject([{ outcome: "refused", code, status: 403 }]);
  });

  it("gives none to a foreign name that resolves to this machine", async () => {
    const { port } = await desk();
    const client = await dial(port);
    const name = `evil.example:${port}`;
    client.send(
      `POST / HTTP/1.1\r\nHost: ${name}\r\nOrigin: http://${name}\r\nX-User: ada\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
    );
    expect(JSON.parse(answerIn(await client.closed).body)).toMatchObject({ code: "host_denied" });
  });

  it("binds the ticket to the page's origin", async () => {
    const { ask, entry, own } = await desk({
      origins: ["https://app.example.com", "https://admin.example.com"],
    });
    const origin = "https://app.example.com";
    const { ticket } = await bodyOf(await ask({ headers: { Origin: origin } }));
    expect(await used(entry, ticket, own)).toBe("ticket_invalid");
    const { ticket: second } = await bodyOf(await ask({ headers: { Origin: origin } }));
    expect(await used(entry, second, "https://admin.example.com")).toBe("ticket_invalid");
    const { ticket: third } = await bodyOf(await ask({ headers: { Origin: origin } }));
    expect(await used(entry, third, origin)).toBe("allow");
  });

  it.each<[string, Partial<Options>, string]>([
    ["the peer's", {}, "127.0.0.1"],
    ["the one that a trusted proxy names", { trustProxy: ["loopback"] }, "198.51.100.9"],
  ])("binds it to an address, if asked: %s", async (_, options, address) => {
    const { ask, entry, own } = await desk(options, { bindAddress: true });
    const headers = { "X-Forwarded-For": "198.51.100.9" };
    const [first, second] = [
      await bodyOf(await ask({ headers })),
      await bodyOf(await ask({ headers })),
    ];
    expect(await used(entry, first.ticket, own, "/chat", address)).toBe("allow");
    expect(await used(entry, second.ticket, own, "/chat", "203.0.113.7")).toBe("ticket_invalid");
  });

  it("gives none where the address cannot be told", async () => {
    const { ask } = await desk({ trustProxy: ["loopback"] }, { bindAddress: true });
    const response = await ask({ headers: { "X-Forwarded-For": "unknown" } });
    expect(await bodyOf(response)).toMatchObject({ code: "address_unknown" });
  });

  it("limits how often a subject may ask, by whatever query", async () => {
    const { ask } = await desk({ rate: { limit: 2, windowMs: 60_000 } });
    const statuses = [];
    for (const path of ["/ticket", "/ticket?sid=1", "/ticket?sid=2", "/?transport=polling&sid=3"]) {
      statuses.push((await ask({}, path)).status);
    }
    expect(statuses).toEqual([200, 200, 429, 429]);
    const response = await ask();
    expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
    expect((await ask({ headers: { "X-User": "grace" } })).status).toBe(200);
  });

  it.each<[string, TicketsOptions["store"]]>([
    ["fails", { put: () => Promise.reject(new Error("down")), take: () => undefined }],
    ["is full", { put: () => false, take: () => undefined }],
  ])("answers with 503 where the store %s", async (_, store) => {
    const { ask, events } = await desk({}, store === undefined ? {} : { store });
    const response = await ask();
    expect([response.status, response.headers.get("retry-after")]).toEqual([503, "5"]);
    expect(await bodyOf(response)).toMatchObject({ code: "tickets_unavailable" });
    expect(events).toMatchObject([{ code: "tickets_unavailable", cause: expect.any(Error) }]);
  });

  it.each<[string, Partial<Options>]>([
    [
      "throws for the identity",
      {
        identity: () => {
          throw new Error("secret");
        },
      },
    ],
    ["rejects for the identity", { identity: () => Promise.reject(new Error("secret")) }],
    [
      "throws for the path",
      {
        path: () => {
          throw new Error("secret");
        },
      },
    ],
    ["names a path that is none", { path: () => "secret" }],
  ])("answers with 500, and no word of why, where the application %s", async (_, options) => {
    const thrown = captureThrown();
    const { ask, events } = await desk(options);
    const response = await ask();
    const text = await response.text();
    expect([response.status, text]).toEqual([500, expect.stringContaining("check_failed")]);
    expect(text).not.toContain("secret");
    expect(events).toMatchObject([{ code: "check_failed", cause: expect.any(Error) }]);
    expect(thrown).toEqual([]);
  });

  it.each<[string, () => unknown]>([
    [
      "throws",
      () => {
        throw new Error("log");
      },
    ],
    ["rejects", () => Promise.reject(new Error("log"))],
  ])("does not mind a log that %s", async (_, onDecision) => {
    const thrown = captureThrown();
    const { ask } = await desk({ onDecision });
    expect((await ask()).status).toBe(200);
    expect(thrown).toEqual([]);
  });

  it("does not mind a client that leaves meanwhile, or an answer of somebody else", async () => {
    const thrown = captureThrown();
    const entry = tickets();
    const route = ticketRoute(entry, { identity: () => ({ subject: "ada" }), path: "/chat" });
    const done: Promise<void>[] = [];
    const server = createServer((request, response) => {
      if (request.url === "/gone") request.socket.destroy();
      else response.end("mine");
      done.push(route(request, response));
    });
    const port = await listen(server);
    const own = `http://127.0.0.1:${port}`;
    const init = { method: "POST", headers: { Origin: own } };
    await expect(fetch(`${own}/gone`, init)).rejects.toThrow();
    expect(await (await fetch(`${own}/other`, init)).text()).toBe("mine");
    await Promise.all(done);
    expect(thrown).toEqual([]);
  });
});

describe("a route for tickets over HTTP/2", () => {
  it("answers as over HTTP/1.1, and its tickets are for the origin of the page", async () => {
    const entry = tickets();
    const route = ticketRoute(entry, { identity: () => ({ subject: "ada" }), path: "/chat" });
    const server = (await secureOfferingServer()).on("request", route as RequestListener);
    const port = await listen(server);
    const session = await openSession(port, { isTls: true });
    const origin = `https://localhost:${port}`;
    const ask = (from: string): Promise<StreamAnswer> =>
      answerTo(session.request({ ":method": "POST", ":path": "/ticket", origin: from }).end());
    const { status, body } = await ask(origin);
    expect(status).toBe(200);
    expect(await used(entry, JSON.parse(body).ticket, origin)).toBe("allow");
    expect(await ask("https://evil.example")).toMatchObject({ status: 403 });
  });
});

describe("pages of another origin", () => {
  const origin = "https://app.example.com";
  const preflight = {
    method: "OPTIONS",
    headers: { Origin: origin, "Access-Control-Request-Method": "POST" },
  };

  it("that are listed may ask, by leave of a preflight", async () => {
    const { ask, events } = await desk({ origins: [origin] });
    const before = await ask(preflight);
    expect(before.status).toBe(204);
    expect(Object.fromEntries(before.headers)).toMatchObject({
      "access-control-allow-origin": origin,
      "access-control-allow-credentials": "true",
      "access-control-allow-methods": "POST",
      "access-control-allow-headers": "authorization, content-type, dpop",
      vary: "Origin",
    });
    const response = await ask({ headers: { Origin: origin } });
    expect([response.status, response.headers.get("access-control-allow-origin")]).toEqual([
      200,
      origin,
    ]);
    expect(response.headers.get("vary")).toBe("Origin");
    expect(events).toHaveLength(1);
  });

  it("that are listed may read why they got none", async () => {
    const { ask } = await desk({ origins: [origin], identity: () => undefined });
    const response = await ask({ headers: { Origin: origin } });
    expect([response.status, response.headers.get("access-control-allow-origin")]).toEqual([
      401,
      origin,
    ]);
  });

  it("that are not listed have no leave, and are not told", async () => {
    const { ask } = await desk({ origins: ["https://other.example.com"] });
    const response = await ask(preflight);
    expect([response.status, response.headers.get("access-control-allow-origin")]).toEqual([
      403,
      null,
    ]);
    expect(response.headers.get("vary")).toBe("Origin");
  });

  it("may be decided on by a function", async () => {
    const { ask } = await desk({ origins: async (text) => text === origin });
    expect((await ask({ headers: { Origin: origin } })).status).toBe(200);
    expect((await ask({ headers: { Origin: "https://evil.example" } })).status).toBe(403);
  });
});

describe("the options of a route for tickets", () => {
  const entry = tickets();
  const good = { identity: () => undefined, path: "/chat" };

  it.each<[string, () => unknown, string]>([
    ["no tickets", () => ticketRoute(undefined as never, good), "OPTION_INVALID"],
    ["a bare check", () => ticketRoute((() => undefined) as never, good), "OPTION_INVALID"],
    ["no path", () => ticketRoute(entry, { identity: good.identity } as never), "OPTION_MISSING"],
    ["no identity", () => ticketRoute(entry, { path: "/chat" } as never), "OPTION_MISSING"],
    ["a pattern", () => ticketRoute(entry, { ...good, path: "/chat/*" }), "OPTION_INVALID"],
    ["any origin", () => ticketRoute(entry, { ...good, origins: ["*"] }), "ORIGIN_ANY"],
    [
      "a limit of none",
      () => ticketRoute(entry, { ...good, rate: { limit: 0, windowMs: 1 } }),
      "OPTION_INVALID",
    ],
    [
      "a word that there is not",
      () => ticketRoute(entry, { ...good, orgins: [] } as never),
      "OPTION_UNKNOWN",
    ],
    [
      "everybody as a proxy",
      () => ticketRoute(entry, { ...good, trustProxy: ["0.0.0.0/0"] }),
      "PROXY_TRUSTS_EVERYONE",
    ],
  ])("are refused with %s", (_, call, code) => {
    expect(call).toThrow(ConfigError);
    expect(thrownBy(call)).toContain(`ERR_FIRMSHAKE_${code}`);
  });
});
