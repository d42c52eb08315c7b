import { once } from "node:events";
import { createServer } from "node:http";
import {
  any,
  connectionOf,
  type DecisionEvent,
  type DpopOptions,
  jwt,
  type TicketEvent,
  tickets,
} from "@firmshake/node";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { WebSocket } from "ws";
import { hashOf, type Prover, proverOf } from "../core/tokens/proving.ts";
import { audience, claims, issuer, seconds, secret, tokenOf } from "../core/tokens/signing.ts";
import { statusOf } from "../support/raw-client.ts";
import { listen } from "../support/server.ts";
import { desks } from "./dpop-desks.ts";

let ann: Prover;
let other: Prover;
beforeAll(async () => {
  [ann, other] = await Promise.all([proverOf(), proverOf()]);
});

const foreign = "https://app.example.com";

interface Running {
  readonly own: string;
  readonly decided: DecisionEvent[];
  readonly issued: TicketEvent[];
  readonly ask: (headers: Readonly<Record<string, string>>) => Promise<Response>;
  /** A proof for the request for a ticket. */
  readonly proof: (changed?: Record<string, unknown>, by?: Prover) => Promise<string>;
  readonly ticket: () => Promise<string>;
  /** The ticket, and a proof for the handshake. */
  readonly proven: (ticket: string, changed?: Record<string, unknown>) => Promise<string>;
  readonly shake: (text: string) => Promise<number>;
  readonly greeting: (text: string) => Promise<string>;
}

const withProof = (proof: string): Record<string, string> => ({
  Authorization: `DPoP ${ann.token}`,
  DPoP: proof,
});

async function running(name: string, dpop: Partial<DpopOptions> = {}): Promise<Running> {
  const server = createServer();
  const port = await listen(server);
  const own = `http://127.0.0.1:${port}`;
  const decided: DecisionEvent[] = [];
  const issued: TicketEvent[] = [];
  await desks[name]?.({
    server,
    origins: [own, foreign],
    entry: tickets({ dpop: { origins: [own] } }),
    by: [jwt({ issuer, audience, keys: secret, dpop: { origins: [own], ...dpop } })],
    options: { onDecision: (event) => void decided.push(event) },
    onTicket: (event) => void issued.push(event),
    onConnection: (socket, request) => {
      socket.on("error", () => undefined);
      const { subject, scheme, claims: known } = connectionOf(request).identity ?? {};
      socket.send(JSON.stringify([subject, scheme, known?.cnf, request.url]));
    },
  });
  const ask: Running["ask"] = (headers) =>
    fetch(`${own}/api/ticket?from=page`, { method: "POST", headers: { Origin: own, ...headers } });
  const proof: Running["proof"] = (changed, by = ann) =>
    by.proof({ htm: "POST", htu: `${own}/api/ticket`, ath: hashOf(ann.token), ...changed });
  const ticket: Running["ticket"] = async () => {
    const response = await ask(withProof(await proof()));
    return ((await response.json()) as { ticket: string }).ticket;
  };
  const proven: Running["proven"] = async (text, changed) =>
    `${text}~${await ann.proof({ htu: `${own}/chat`, ath: hashOf(text), ...changed })}`;
  const shake: Running["shake"] = (text) =>
    statusOf(port, {
      target: `/chat?ticket=${text}`,
      headers: { Host: `127.0.0.1:${port}`, Origin: own },
    });
  const greeting: Running["greeting"] = async (text) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/chat?room=1`, ["chat", "bearer", text], {
      origin: own,
    });
    onTestFinished(() => socket.terminate());
    const [data] = (await once(socket, "message")) as [Buffer];
    return JSON.parse(String(data));
  };
  return { own, decided, issued, ask, proof, ticket, proven, shake, greeting };
}

describe.each(Object.keys(desks))("a ticket by DPoP, with %s", (name) => {
  it("is had with token and proof, and opens a socket with a proof for it", async () => {
    const site = await running(name);
    const ticket = await site.ticket();
    expect(await site.greeting(await site.proven(ticket))).toEqual([
      "ann",
      "ticket",
      { jkt: ann.thumbprint },
      "/chat?room=1",
    ]);
    expect(site.issued).toMatchObject([{ outcome: "issued", subject: "ann" }]);
  });

  it.each<[string, (site: Running) => Promise<Record<string, string>>, string, string | undefined]>(
    [
      ["no token", async () => ({}), "token_missing", undefined],
      [
        "no proof",
        async () => ({ Authorization: `DPoP ${ann.token}` }),
        "proof_invalid",
        "no DPoP header",
      ],
      [
        "the token as bearer",
        async () => ({ Authorization: `Bearer ${ann.token}` }),
        "token_missing",
        undefined,
      ],
      [
        "an expired token",
        async ({ proof }) => {
          const token = await tokenOf(
            claims({ exp: seconds() - 300, cnf: { jkt: ann.thumbprint } }),
          );
          return { Authorization: `DPoP ${token}`, DPoP: await proof({ ath: hashOf(token) }) };
        },
        "token_invalid",
        expect.any(String) as never,
      ],
      [
        "a proof of another key",
        async ({ proof }) => withProof(await proof({}, other)),
        "proof_invalid",
        "jwk is not the key that the token is bound to",
      ],
      [
        "a proof for a GET",
        async ({ proof }) => withProof(await proof({ htm: "GET" })),
        "proof_invalid",
        "htm",
      ],
      [
        "a proof for the socket's path",
        async ({ proof, own }) => withProof(await proof({ htu: `${own}/chat` })),
        "proof_invalid",
        "htu",
      ],
      [
        "a proof for the path behind the mount",
        async ({ proof, own }) => withProof(await proof({ htu: `${own}/ticket` })),
        "proof_invalid",
        "htu",
      ],
      [
        "a proof with the query",
        async ({ proof, own }) => withProof(await proof({ htu: `${own}/api/ticket?from=page` })),
        "proof_invalid",
        "htu",
      ],
    ],
  )("is not given for %s", async (_, headers, code, reason) => {
    const site = await running(name);
    const response = await site.ask(await headers(site));
    expect(response.status).toBe(401);
    expect(response.headers.get("www-authenticate")).toMatch(/^DPoP realm="websocket"/);
    expect(await response.text()).not.toContain('"ticket":');
    expect(site.issued).toMatchObject([{ outcome: "refused", code, reason }]);
  });

  it("is given once for a proof", async () => {
    const site = await running(name);
    const headers = withProof(await site.proof());
    const statuses = [await site.ask(headers), await site.ask(headers)].map(({ status }) => status);
    expect(statuses).toEqual([200, 401]);
    expect(site.issued).toMatchObject([{ outcome: "issued" }, { reason: "used before" }]);
  });

  it("is given with the server's nonce, which a page of another origin may read", async () => {
    const site = await running(name, { nonce: {} });
    const challenged = await site.ask({ ...withProof(await site.proof()), Origin: foreign });
    expect(challenged.status).toBe(401);
    const answered = Object.fromEntries(challenged.headers);
    expect(answered).toMatchObject({
      "www-authenticate": expect.stringContaining('error="use_dpop_nonce"'),
      "access-control-allow-origin": foreign,
      "access-control-expose-headers": "dpop-nonce, retry-after, www-authenticate",
    });
    const nonce = answered["dpop-nonce"];
    expect((await site.ask(withProof(await site.proof({ nonce })))).status).toBe(200);
  });

  it("opens nothing without its own proof", async () => {
    const site = await running(name);
    expect(await site.shake(await site.ticket())).toBe(401);
    expect(await site.shake(await site.proven(await site.ticket(), { htm: "POST" }))).toBe(401);
    expect(
      await site.shake(await site.proven(await site.ticket(), { htu: `${site.own}/api/ticket` })),
    ).toBe(401);
    const text = await site.proven(await site.ticket());
    expect([await site.shake(text), await site.shake(text)]).toEqual([101, 401]);
    expect(site.decided).toMatchObject([
      { reason: "no proof behind the ticket" },
      { reason: "htm" },
      { reason: "htu" },
      { outcome: "accepted", subject: "ann" },
      { code: "ticket_invalid", reason: "unknown or spent" },
    ]);
  });
});

describe("a route that takes several kinds of token", () => {
  it.each(Object.keys(desks))("names all of them in its challenge, with %s", async (name) => {
    const server = createServer();
    const own = `http://127.0.0.1:${await listen(server)}`;
    const token = { issuer, audience, keys: secret };
    const issued: TicketEvent[] = [];
    await desks[name]?.({
      server,
      origins: [own],
      entry: tickets({ dpop: { origins: [own] } }),
      by: [any(jwt({ ...token, dpop: { origins: [own] } }), jwt(token))],
      options: {},
      onTicket: (event) => void issued.push(event),
      onConnection: (socket) => socket.close(),
    });
    const ask = (headers: Record<string, string>): Promise<Response> =>
      fetch(`${own}/api/ticket`, { method: "POST", headers: { Origin: own, ...headers } });
    const challenge = (await ask({})).headers.get("www-authenticate");
    expect(challenge).toContain('DPoP realm="websocket"');
    expect(challenge).toContain('Bearer realm="websocket"');
    // Nothing binds a plain token, and these tickets are for keys alone.
    expect((await ask({ Authorization: `Bearer ${await tokenOf()}` })).status).toBe(401);
    expect(issued[1]).toMatchObject({
      reason: "the tickets are for keys, and who asks is bound to none",
    });
  });
});
