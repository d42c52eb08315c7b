import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { connect as connectHttp2, createSecureServer } from "node:http2";
import { text } from "node:stream/consumers";
import {
  allow,
  attach,
  connectionOf,
  type Decision,
  type DecisionEvent,
  type GateOptions,
  guard,
  insecureAnyOrigin,
  type NoFacts,
  origin,
  type Policy,
  refuse,
} from "@firmshake/node";
import { describe, expect, it, onTestFinished } from "vitest";
import { makeCertificate } from "../support/certificate.ts";
import { answerIn, dial } from "../support/raw-client.ts";
import { connectionsOf, deferred, listen } from "../support/server.ts";
import { captureThrown } from "../support/thrown.ts";

interface Polled {
  readonly port: number;
  readonly server: ReturnType<typeof createServer>;
  readonly gate: ReturnType<typeof attach>;
  readonly handedOver: IncomingMessage[];
  readonly events: DecisionEvent[];
}

/** A gated server that answers what is handed over with its method, URL and body. */
async function pollServer(policy: Policy, options: GateOptions = {}): Promise<Polled> {
  const events: DecisionEvent[] = [];
  const handedOver: IncomingMessage[] = [];
  const server = createServer(async (request: IncomingMessage, response: ServerResponse) => {
    handedOver.push(request);
    const body = await text(request);
    response.end(`${request.method} ${request.url} ${body.length} ${body.slice(0, 10)}`);
  });
  const gate = attach(server, policy, { onDecision: (event) => events.push(event), ...options });
  return { port: await listen(server), server, gate, handedOver, events };
}

const open = (check: (...args: never) => unknown = () => allow): Policy =>
  guard(insecureAnyOrigin(), check as () => typeof allow);

const request = (line = "GET /io/?transport=polling", headers = "", body = ""): string =>
  `${line} HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n${body}`;

async function answerTo(port: number, message: string): Promise<ReturnType<typeof answerIn>> {
  const raw = await dial(port);
  raw.send(message);
  return answerIn(await raw.until("\r\n\r\n"));
}

describe.each([
  ["at once", () => allow],
  ["later", async () => allow],
])("a request that is allowed %s", (_, check) => {
  it("is handed over as it came, body and all, and the connection goes on", async () => {
    const { port, handedOver } = await pollServer(open(check));
    const raw = await dial(port);
    raw.send(request());
    await raw.until("GET /io/?transport=polling 0 ");
    const body = "b".repeat(200_000);
    raw.send(
      request("POST /io/?transport=polling&sid=a", `Content-Length: ${body.length}\r\n`, body),
    );
    await raw.until("POST /io/?transport=polling&sid=a 200000 bbbbbbbbbb");
    raw.send(request("GET /ordinary"));
    await raw.until("GET /ordinary 0 ");
    expect(handedOver.map((one) => isGuarded(one))).toEqual([true, true, false]);
  });

  it("leaves nothing on the socket", async () => {
    const counts: unknown[] = [];
    const server = createServer((one, response) => {
      process.nextTick(() => {
        const { socket } = one;
        counts.push(socket.eventNames().map((name) => [String(name), socket.listenerCount(name)]));
        response.end("done");
      });
    });
    attach(server, open(check));
    const raw = await dial(await listen(server));
    for (const line of ["GET /plain", "GET /io/?transport=polling"]) {
      raw.send(request(line));
      await expect.poll(() => counts.length).toBe(line === "GET /plain" ? 1 : 2);
    }
    expect(counts[1]).toEqual(counts[0]);
  });
});

function isGuarded(one: IncomingMessage): boolean {
  try {
    return connectionOf(one).path === "/io/";
  } catch {
    return false;
  }
}

describe("a request that is refused", () => {
  it("gets a problem document and the end of the connection", async () => {
    const { port, handedOver, events, server } = await pollServer(open(() => refuse("forbidden")));
    const raw = await dial(port);
    raw.send(request());
    const { status, headers, body } = answerIn(await raw.closed);
    expect(status).toBe(403);
    expect(headers).toMatchObject({
      connection: "close",
      "content-type": "application/problem+json",
    });
    expect(Number(headers["content-length"])).toBe(body.length);
    expect(handedOver).toEqual([]);
    expect(events).toMatchObject([{ outcome: "refused", transport: "polling", code: "forbidden" }]);
    await expect.poll(() => connectionsOf(server)).toBe(0);
  });

  it.each([
    ["PUT /io/?transport=polling", "", 405],
    ["GET /io/?transport=polling", "Host: other\r\n", 400],
    ["GET /io/?transport=polling", "Content-Length: 2\r\n", 400],
    ["GET /io/../io/?transport=polling", "", 400],
  ])("%s %j: %i before any check", async (line, headers, status) => {
    const { port, handedOver } = await pollServer(open());
    expect((await answerTo(port, request(line, headers))).status).toBe(status);
    expect(handedOver).toEqual([]);
  });

  it("still learns why when it is in the middle of a long body", async () => {
    const { port, server } = await pollServer(open(() => refuse("token_missing")));
    const raw = await dial(port, { keepsOpen: true });
    raw.send(
      request(
        "POST /io/?transport=polling&sid=a",
        "Content-Length: 3000000\r\n",
        "x".repeat(500_000),
      ),
    );
    await raw.until('"code":"token_missing"');
    // Nothing was reset: the rest is taken, and thrown away.
    raw.send("x".repeat(2_500_000));
    expect(answerIn(await raw.ended).status).toBe(401);
    raw.socket.end();
    await expect.poll(() => connectionsOf(server)).toBe(0);
  });

  it("is cut off when it goes on sending for ever", async () => {
    const { port, server } = await pollServer(open(() => refuse("token_missing")));
    const raw = await dial(port, { keepsOpen: true });
    raw.send(request("POST /io/?transport=polling", "Transfer-Encoding: chunked\r\n"));
    await raw.until("token_missing");
    await expect.poll(() => connectionsOf(server), { timeout: 5_000 }).toBe(0);
  });
});

describe("while it waits", () => {
  it("the time is limited, and what is late is dropped", async () => {
    const late = deferred<Decision<NoFacts>>();
    const { port, handedOver, events } = await pollServer(
      open(() => late.promise),
      {
        decisionTimeoutMs: 50,
      },
    );
    expect((await answerTo(port, request())).status).toBe(503);
    late.resolve(allow);
    await expect.poll(() => events.length).toBe(1);
    expect(handedOver).toEqual([]);
  });

  it("places are limited", async () => {
    const never = deferred<Decision<NoFacts>>();
    const { port, gate } = await pollServer(
      open(() => never.promise),
      { maxPendingPerAddress: 2 },
    );
    for (const count of [1, 2]) {
      (await dial(port)).send(request());
      await expect.poll(() => gate.pending).toBe(count);
    }
    expect((await answerTo(port, request())).status).toBe(503);
    gate.close();
    expect(gate.pending).toBe(0);
  });

  it("one connection waits for one decision, however many requests it sends at once", async () => {
    const warnings: unknown[] = [];
    const onWarning = (warning: Error): void => void warnings.push(warning);
    process.on("warning", onWarning);
    onTestFinished(() => void process.off("warning", onWarning));
    const first = deferred<Decision<NoFacts>>();
    const { port, gate, events } = await pollServer(open(() => first.promise));
    const raw = await dial(port);
    raw.send(request().repeat(30));
    await expect.poll(() => events.length).toBe(29);
    expect(gate.pending).toBe(1);
    first.resolve(allow);
    const answer = await raw.closed;
    expect(answer).toMatch(/^HTTP\/1.1 200 OK/);
    expect(answer.match(/HTTP\/1.1 503/g)?.length).toBe(1);
    expect(warnings).toEqual([]);
  });

  it.each(["reset", "end"] as const)("a client that leaves by %s is let go", async (way) => {
    const thrown = captureThrown();
    const check = deferred<Decision<NoFacts>>();
    const { port, gate, events, handedOver, server } = await pollServer(open(() => check.promise));
    const raw = await dial(port);
    raw.send(request("POST /io/?transport=polling", "Content-Length: 100000\r\n", "abc"));
    await expect.poll(() => gate.pending).toBe(1);
    if (way === "reset") raw.reset();
    else raw.socket.end();
    await expect.poll(() => events).toMatchObject([{ outcome: "abandoned" }]);
    check.resolve(allow);
    await expect.poll(() => connectionsOf(server)).toBe(0);
    expect(handedOver).toEqual([]);
    expect(thrown).toEqual([]);
  });

  it("detach() and close() answer 503; detached, nothing is held", async () => {
    const never = deferred<Decision<NoFacts>>();
    const { port, gate } = await pollServer(open(() => never.promise));
    const waiting = answerTo(port, request());
    await expect.poll(() => gate.pending).toBe(1);
    gate.detach();
    expect((await waiting).status).toBe(503);
    expect((await answerTo(port, request())).status).toBe(200);
  });
});

it("a body that somebody has read before the decision is not handed over without it", async () => {
  const thief: Policy = async ({ request: one, handshake }) => {
    await text(one);
    const verdict = await guard(insecureAnyOrigin()).decide(handshake);
    if (!verdict.ok) throw new Error("refused");
    const { permit, reported, trail } = verdict;
    return { outcome: "permitted", permits: [permit], reported, trail };
  };
  const { port, handedOver, events } = await pollServer(thief);
  const post = request("POST /io/?transport=polling", "Content-Length: 3\r\n", "abc");
  expect((await answerTo(port, post)).status).toBe(500);
  expect(events).toMatchObject([{ code: "check_failed", reason: expect.stringContaining("body") }]);
  expect(handedOver).toEqual([]);
  // A GET has none to lose.
  expect((await answerTo(port, request())).status).toBe(200);
});

describe("a page of another origin", () => {
  const listed = guard(origin(["https://app.example.com"]), () => refuse("token_missing"));
  const ask = async (from: string): Promise<Readonly<Record<string, string>>> => {
    const { port } = await pollServer(listed);
    return (await answerTo(port, request(undefined, `Origin: ${from}\r\n`))).headers;
  };

  it("that the policy lists may read why it was refused", async () => {
    expect(await ask("https://app.example.com")).toMatchObject({
      "access-control-allow-origin": "https://app.example.com",
      "access-control-allow-credentials": "true",
      vary: "Origin",
    });
  });

  it("that it does not list may not", async () => {
    expect(Object.keys(await ask("https://evil.example")).join()).not.toContain("access-control");
  });

  it("may not where it was refused before its origin was looked at", async () => {
    const { port } = await pollServer({ "/other": listed });
    const answer = await answerTo(port, request(undefined, "Origin: https://app.example.com\r\n"));
    expect(Object.keys(answer.headers).join()).not.toContain("access-control");
  });
});

describe("over HTTP/2", () => {
  async function polled(policy: Policy, headers: object = {}) {
    const { key, cert } = await makeCertificate();
    const events: DecisionEvent[] = [];
    const server = createSecureServer({ key, cert, allowHTTP1: true }, async (one, response) => {
      const body = await text(one);
      response.end(`${one.url} ${body} ${connectionOf(one).identity?.subject ?? "nobody"}`);
    });
    attach(server, policy, { onDecision: (event) => events.push(event) });
    const session = connectHttp2(`https://localhost:${await listen(server)}`, {
      rejectUnauthorized: false,
    });
    onTestFinished(() => session.destroy());
    const stream = session.request({ ":path": "/io/?transport=polling", ...headers });
    stream.end((headers as { ":method"?: string })[":method"] === "POST" ? "abc" : undefined);
    const [answer] = (await once(stream, "response")) as [Record<string, string | number>];
    return { answer, body: await text(stream), events };
  }

  it.each([
    ["at once", open()],
    ["later", open(async () => allow)],
  ])("requests are handed over %s", async (_, policy) => {
    expect((await polled(policy)).body).toBe("/io/?transport=polling  nobody");
    const post = await polled(policy, { ":method": "POST" });
    expect(post.body).toBe("/io/?transport=polling abc nobody");
    expect(post.events).toMatchObject([{ outcome: "accepted", transport: "polling" }]);
  });

  it.each([
    ["at once", open(() => refuse("forbidden"))],
    ["later", open(async () => refuse("forbidden"))],
  ])("requests are refused %s", async (_, policy) => {
    for (const headers of [{}, { ":method": "POST" }]) {
      const { answer, body } = await polled(policy, headers);
      expect(answer[":status"]).toBe(403);
      expect(JSON.parse(body)).toMatchObject({ code: "forbidden" });
    }
  });

  it("the host is the authority, and the scheme https", async () => {
    const policy = guard(origin("same-origin"));
    const { answer } = await polled(policy, { "sec-fetch-site": "same-origin" });
    expect(answer[":status"]).toBe(200);
    expect((await polled(policy)).answer[":status"]).toBe(403);
  });
});
