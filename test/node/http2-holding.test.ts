import { once } from "node:events";
import type { ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import {
  allow,
  attach,
  type Decision,
  type DecisionEvent,
  guard,
  type Handshake,
  insecureAnyOrigin,
  refuse,
} from "@firmshake/node";
import { describe, expect, it } from "vitest";
import {
  acceptText,
  answerOver,
  answerTo,
  askFor,
  clientFrame,
  cut,
  headOf,
  nextMessage,
  offeringServer,
  openSession,
  openStream,
} from "../support/http2.ts";
import { deferred, gatedServer, gatedWs, listen } from "../support/server.ts";
import { captureThrown } from "../support/thrown.ts";

/** A guard that decides when the test says so. */
function slow(): {
  policy: ReturnType<typeof guard>;
  asked: { readonly handshake: Handshake; readonly decide: (decision: Decision) => void }[];
} {
  const asked: ReturnType<typeof slow>["asked"] = [];
  const policy = guard(insecureAnyOrigin(), (handshake) => {
    const { promise, resolve } = deferred<Decision>();
    asked.push({ handshake, decide: resolve });
    return promise;
  });
  return { policy, asked };
}

describe("while a check runs", () => {
  const departures: readonly (readonly [
    string,
    (
      stream: ReturnType<typeof askFor>,
      session: Awaited<ReturnType<typeof openSession>>,
    ) => unknown,
  ])[] = [
    ["CANCEL", (stream) => stream.close(8)],
    ["NO_ERROR", (stream) => stream.close(0)],
    ["PROTOCOL_ERROR", (stream) => stream.close(1)],
    ["INTERNAL_ERROR", (stream) => stream.close(2)],
    ["a cut connection", (_, session) => cut(session)],
    ["GOAWAY with an error", (_, session) => session.goaway(1)],
  ];

  it.each(departures)("a client that leaves by %s harms nobody", async (_, leave) => {
    const thrown = captureThrown();
    const events: DecisionEvent[] = [];
    const { policy, asked } = slow();
    const server = offeringServer();
    const { port, gate, handedOver } = await gatedServer(
      policy,
      { onDecision: (event) => events.push(event) },
      server,
    );
    const session = await openSession(port);
    const stream = askFor(session);
    await expect.poll(() => asked.length).toBe(1);
    const [{ handshake, decide }] = asked as [(typeof asked)[0]];
    const { signal } = handshake;
    leave(stream, session);
    if (!signal.aborted) await once(signal, "abort");
    await expect.poll(() => events.length).toBe(1);
    decide(allow);
    await expect.poll(() => gate.pending).toBe(0);
    expect(events.map(({ outcome, code }) => [outcome, code])).toEqual([
      ["abandoned", "client_gone"],
    ]);
    expect([handedOver, thrown]).toEqual([[], []]);
  });

  it("a session that the server itself destroys harms nobody", async () => {
    const thrown = captureThrown();
    const { policy, asked } = slow();
    const server = offeringServer();
    const sessions: ServerHttp2Session[] = [];
    server.on("session", (session) => sessions.push(session));
    const { port, gate, handedOver } = await gatedServer(policy, {}, server);
    askFor(await openSession(port));
    await expect.poll(() => asked.length).toBe(1);
    sessions[0]?.destroy(new Error("away"));
    await expect.poll(() => gate.pending).toBe(0);
    asked[0]?.decide(allow);
    expect([handedOver, thrown]).toEqual([[], []]);
  });

  it.each([
    ["closed", (stream: ServerHttp2Stream) => stream.close(8)],
    ["destroyed", (stream: ServerHttp2Stream) => stream.destroy()],
  ])(
    "a stream that is %s in the tick of its decision is neither answered nor handed over",
    async (_, end) => {
      const thrown = captureThrown();
      const server = offeringServer();
      const streams: ServerHttp2Stream[] = [];
      server.on("session", (session: ServerHttp2Session) => {
        session.on("stream", (stream) => streams.push(stream));
      });
      const events: DecisionEvent[] = [];
      const policy = guard(insecureAnyOrigin(), async ({ path }) => {
        await new Promise(setImmediate);
        end(streams.at(-1) as ServerHttp2Stream);
        return path === "/chat" ? allow : refuse("forbidden");
      });
      const { port, handedOver } = await gatedServer(
        policy,
        { onDecision: (event) => events.push(event) },
        server,
      );
      const session = await openSession(port);
      for (const path of ["/chat", "/no"]) {
        expect((await answerTo(askFor(session, { ":path": path }))).status).toBeUndefined();
      }
      await expect.poll(() => events.length).toBe(2);
      expect(events[0]).toMatchObject({ outcome: "abandoned" });
      expect([handedOver, thrown]).toEqual([[], []]);
    },
  );

  it("a client that says goodbye to the session is served still", async () => {
    const { policy, asked } = slow();
    const { port } = await gatedWs(policy, {}, offeringServer());
    const session = await openSession(port);
    const stream = askFor(session);
    await expect.poll(() => asked.length).toBe(1);
    session.close();
    asked[0]?.decide(allow);
    expect((await headOf(stream))[":status"]).toBe(200);
    stream.write(clientFrame("hello"));
    expect(String(await nextMessage(stream))).toBe("hello");
    stream.close(8);
  });

  it("what the client sends meanwhile reaches the library", async () => {
    const { policy, asked } = slow();
    const { port } = await gatedWs(policy, {}, offeringServer());
    const stream = askFor(await openSession(port));
    stream.write(clientFrame("early"));
    await expect.poll(() => asked.length).toBe(1);
    asked[0]?.decide(allow);
    expect(String(await nextMessage(stream))).toBe("early");
  });

  it("too much of it is refused", async () => {
    const { policy, asked } = slow();
    const server = offeringServer();
    const streams: ServerHttp2Stream[] = [];
    server.on("session", (session: ServerHttp2Session) => {
      session.on("stream", (stream) => streams.push(stream));
    });
    const { port } = await gatedWs(policy, { maxEarlyBytes: 10 }, server);
    const session = await openSession(port);
    for (const [bytes, status] of [
      [10, 200],
      [11, 400],
    ] as const) {
      const stream = askFor(session);
      stream.write(Buffer.alloc(bytes));
      await expect.poll(() => streams.at(-1)?.readableLength).toBe(bytes);
      asked.at(-1)?.decide(allow);
      expect((await headOf(stream))[":status"]).toBe(status);
    }
  });

  it("no more is taken than the window of the stream holds", async () => {
    const { policy, asked } = slow();
    const server = offeringServer({ initialWindowSize: 1_000 });
    const streams: ServerHttp2Stream[] = [];
    server.on("session", (session: ServerHttp2Session) => {
      session.on("stream", (stream) => streams.push(stream));
    });
    const { port } = await gatedWs(policy, {}, server);
    const stream = askFor(await openSession(port));
    stream.write(Buffer.alloc(1e6));
    await expect.poll(() => streams[0]?.readableLength).toBe(1_000);
    expect(asked).toHaveLength(1);
    stream.close(8);
  });

  it("a decision that takes too long is refused", async () => {
    const { policy } = slow();
    const { port } = await gatedServer(policy, { decisionTimeoutMs: 30 }, offeringServer());
    const { status, headers, body } = await answerOver(await openSession(port));
    expect({ status, retry: headers["retry-after"], code: JSON.parse(body).code }).toEqual({
      status: 503,
      retry: "1",
      code: "decision_timeout",
    });
  });

  it("the streams of one session count as one client's", async () => {
    const { policy, asked } = slow();
    const { port, gate } = await gatedWs(policy, { maxPendingPerAddress: 3 }, offeringServer());
    const session = await openSession(port);
    const streams = Array.from({ length: 3 }, () => askFor(session));
    await expect.poll(() => gate.pending).toBe(3);
    const { status, body } = await answerOver(session);
    expect({ status, code: JSON.parse(body).code }).toEqual({ status: 503, code: "overloaded" });
    streams[0]?.close(8);
    await expect.poll(() => gate.pending).toBe(2);
    const next = askFor(session);
    await expect.poll(() => gate.pending).toBe(3);
    for (const { decide } of asked) decide(allow);
    expect((await headOf(next))[":status"]).toBe(200);
    expect(gate.pending).toBe(0);
  });

  it("a library that leaves meanwhile leaves a refusal", async () => {
    const { policy, asked } = slow();
    const server = offeringServer();
    attach(server, policy);
    server.on("upgrade", () => undefined);
    const answer = answerOver(await openSession(await listen(server)));
    await expect.poll(() => asked.length).toBe(1);
    server.removeAllListeners("upgrade");
    asked[0]?.decide(allow);
    const { status, body } = await answer;
    expect({ status, code: JSON.parse(body).code }).toEqual({
      status: 501,
      code: "protocol_unsupported",
    });
  });
});

describe("a gate that goes", () => {
  it("by close() refuses who waits and who comes, and leaves the accepted", async () => {
    const { policy, asked } = slow();
    const { port, gate } = await gatedWs(policy, {}, offeringServer());
    const session = await openSession(port);
    const accepted = openStream(session);
    await expect.poll(() => asked.length).toBe(1);
    asked[0]?.decide(allow);
    const { stream } = await accepted;
    const waiting = answerOver(session);
    await expect.poll(() => asked.length).toBe(2);
    gate.close();
    expect((await waiting).status).toBe(503);
    expect(JSON.parse((await answerOver(session)).body).code).toBe("shutting_down");
    stream.write(clientFrame("still here"));
    expect(String(await nextMessage(stream))).toBe("still here");
  });

  it("by detach() leaves the streams to those who listen for them", async () => {
    const { policy, asked } = slow();
    const server = offeringServer();
    server.on("stream", (stream: ServerHttp2Stream) => stream.respond({ ":status": 418 }));
    const { port, gate } = await gatedWs(policy, {}, server);
    const session = await openSession(port);
    const waiting = answerOver(session);
    await expect.poll(() => asked.length).toBe(1);
    gate.detach();
    expect((await waiting).status).toBe(503);
    const stream = askFor(session);
    expect((await headOf(stream))[":status"]).toBe(418);
    stream.close(8);
  });
});

describe("a refused client", () => {
  it("that has ended its side, or not, is gone when it has its answer", async () => {
    const { port } = await gatedWs(
      { "/chat": guard(insecureAnyOrigin(), () => allow) },
      {},
      offeringServer(),
    );
    const session = await openSession(port);
    for (const endStream of [true, false]) {
      const answer = await answerTo(askFor(session, { ":path": "/other" }, { endStream }));
      expect(answer).toMatchObject({ status: 404, hasEnded: true, rstCode: 0 });
    }
  });

  it("that takes no bytes is cut off after a while", async () => {
    const server = offeringServer();
    const streams: ServerHttp2Stream[] = [];
    server.on("session", (session: ServerHttp2Session) => {
      session.on("stream", (stream) => streams.push(stream));
    });
    const { port } = await gatedWs(
      { "/chat": guard(insecureAnyOrigin(), () => allow) },
      {},
      server,
    );
    const session = await openSession(port, { settings: { initialWindowSize: 0 } });
    const stream = askFor(session, { ":path": "/other" });
    expect((await headOf(stream))[":status"]).toBe(404);
    await once(stream, "close");
    await expect.poll(() => streams[0]?.destroyed).toBe(true);
  });

  it("that floods is read no further", async () => {
    const { port } = await gatedWs(
      { "/chat": guard(insecureAnyOrigin(), () => allow) },
      {},
      offeringServer(),
    );
    const stream = askFor(await openSession(port), { ":path": "/other" });
    stream.write(Buffer.alloc(4e6));
    expect(await answerTo(stream)).toMatchObject({ status: 404, hasEnded: true });
  });
});

it("an accepted stream is forgotten when it goes", async () => {
  const server = offeringServer();
  const streams: ServerHttp2Stream[] = [];
  attach(
    server,
    guard(insecureAnyOrigin(), () => allow),
  );
  server.on("session", (session: ServerHttp2Session) => {
    session.on("stream", (stream) => streams.push(stream));
  });
  server.on("upgrade", (request, socket) => {
    socket.write(acceptText(request));
    socket.resume();
  });
  const session = await openSession(await listen(server));
  const { stream } = await openStream(session);
  stream.close(8);
  await expect.poll(() => streams[0]?.destroyed).toBe(true);
});
