import { createServer, type IncomingMessage } from "node:http";
import type { CloseEvent, DecisionEvent, TicketEvent } from "@firmshake/node";
import { connectionOf, tickets } from "@firmshake/node";
import { onTestFinished, vi } from "vitest";
import type { WebSocket } from "ws";
import { fakeClock } from "../../corpus/fake-clock.ts";
import { listen } from "../../support/server.ts";
import { startSignInProvider } from "./provider.ts";
import { relyingParty } from "./relying-party.ts";
import type { Serve } from "./site.ts";

/** An application with its provider, and what they have seen. */
export interface Running {
  readonly port: number;
  readonly origin: string;
  /** Of another application, whose pages may open sockets here too. */
  readonly partner: string;
  /** Of whoever else is on this machine: the same site to browsers, which send it the user's cookies. */
  readonly stranger: string;
  /** Each handshake, in its order. */
  readonly decided: readonly Seen<DecisionEvent>[];
  /** Each request for a ticket. */
  readonly ticketed: readonly TicketEvent[];
  /** The requests that the application was given with its sockets. */
  readonly handedOver: readonly IncomingMessage[];
  readonly open: ReadonlySet<WebSocket>;
  /** Each connection that the gate has closed. */
  readonly ended: readonly CloseEvent[];
  /** For the servers, among them the provider. Browsers have a time of their own. */
  readonly pass: (seconds: number) => void;
}

type Seen<Event> = Event & { readonly cookie: string | undefined };

/** Starts it until the test is over. */
export async function started(serve: Serve, client: string): Promise<Running> {
  const server = createServer();
  const port = await listen(server);
  const origin = `http://127.0.0.1:${port}`;
  const [{ issuer }, partner, stranger] = await Promise.all([
    startSignInProvider(origin),
    emptyPage(),
    emptyPage(),
  ]);
  const decided: Seen<DecisionEvent>[] = [];
  const ticketed: TicketEvent[] = [];
  const handedOver: IncomingMessage[] = [];
  const open = new Set<WebSocket>();
  const ended: CloseEvent[] = [];
  const clock = fakeClock();
  await serve({
    server,
    origins: [origin, partner],
    issuer,
    party: relyingParty(issuer, origin),
    entry: tickets(),
    client,
    options: {
      refuse: "auto",
      clock,
      // An hour passes here at once, and nobody answers pings in that.
      lifetime: { pingIntervalMs: 0 },
      onClose: (event) => void ended.push(event),
      onDecision: (event, { headers }) =>
        void decided.push({ ...event, cookie: headers.only("cookie") }),
    },
    onTicket: (event) => void ticketed.push(event),
    onConnection: (socket, request) => {
      handedOver.push(request);
      open.add(socket);
      socket.on("close", () => open.delete(socket));
      socket.on("error", () => undefined);
      const { identity } = connectionOf(request);
      socket.on("message", (data) => socket.send(`${identity?.subject}: ${data}`));
    },
  });
  onTestFinished(() => {
    for (const socket of open) socket.terminate();
  });
  const pass = (seconds: number): void => {
    vi.setSystemTime(Date.now() + seconds * 1_000);
    clock.advance(seconds * 1_000);
  };
  return { port, origin, partner, stranger, decided, ticketed, handedOver, open, ended, pass };
}

/** The origin of a server with nothing but a page. */
async function emptyPage(): Promise<string> {
  const server = createServer((_request, response) => {
    response.setHeader("content-type", "text/html").end("<!doctype html><title>page</title>");
  });
  return `http://127.0.0.1:${await listen(server)}`;
}
