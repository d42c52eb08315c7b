import { once } from "node:events";
import { attach, guard, insecureAnyOrigin } from "@firmshake/express";
import express from "express";
import { describe, expect, it } from "vitest";
import { WebSocketServer } from "ws";
import {
  answerOver,
  clientFrame,
  nextMessage,
  offeringServer,
  openSession,
  openStream,
} from "../support/http2.ts";
import { echoing, listen } from "../support/server.ts";
import { captureThrown } from "../support/thrown.ts";

const long = "x".repeat(2 ** 20);

/** An application whose stack answers, fails and lets through. */
async function served(): Promise<{ port: number; seen: string[] }> {
  const app = express();
  const seen: string[] = [];
  app.use((request, response, next) => {
    seen.push(`${request.method} ${request.httpVersion} ${request.url} ${request.ip}`);
    response.setHeader("x-own", "1");
    next();
  });
  app.get("/json", (_request, response) => void response.status(401).json({ error: "sign in" }));
  app.get("/chunks", (_request, response) => {
    response.status(403).write("one, ");
    setImmediate(() => response.end("two"));
  });
  app.get("/long", (_request, response) => void response.status(400).send(long));
  app.get("/elsewhere", (_request, response) => response.redirect("/login"));
  app.get("/page", (_request, response) => void response.send("a page"));
  app.get("/broken", () => {
    throw new Error("broken");
  });
  app.get("/slow", (_request, _response, next) => setImmediate(next), guard(insecureAnyOrigin()));
  app.get("/chat", guard(insecureAnyOrigin()));
  const server = offeringServer();
  attach(server, app);
  echoing(new WebSocketServer({ server }));
  return { port: await listen(server), seen };
}

describe("Express behind a gate on HTTP/2", () => {
  it.each(["/chat", "/slow"])("lets %s through its stack to the library", async (path) => {
    const { port, seen } = await served();
    const { stream } = await openStream(await openSession(port), { ":path": path });
    stream.write(clientFrame("hello"));
    expect(String(await nextMessage(stream))).toBe("hello");
    expect(seen).toEqual([`GET 1.1 ${path} 127.0.0.1`]);
  });

  it.each([
    ["/json", { status: 401, body: '{"error":"sign in"}' }],
    ["/chunks", { status: 403, body: "one, two" }],
    ["/long", { status: 400, body: long }],
    ["/elsewhere", { status: 302, body: "Found. Redirecting to /login" }],
    ["/broken", { status: 500 }],
    ["/none", { status: 404 }],
  ])("answers %s in the application's own words", async (path, expected) => {
    const thrown = captureThrown();
    const { port } = await served();
    const answer = await answerOver(await openSession(port), { ":path": path });
    expect(answer).toMatchObject({ ...expected, hasEnded: true, rstCode: 0 });
    if (path !== "/none") expect(answer.headers).toHaveProperty("x-own", "1");
    expect(thrown).toEqual([]);
  });

  it("does not take a page for a WebSocket", async () => {
    const { port } = await served();
    const answer = await answerOver(await openSession(port), { ":path": "/page" });
    expect(answer).toMatchObject({ status: 501, hasEnded: true });
    expect(answer.body).toContain("protocol_unsupported");
  });

  it("is let go of by a client that leaves in the middle", async () => {
    const thrown = captureThrown();
    const app = express();
    const entered = once(app, "entered");
    app.get("/chat", (request, response) => {
      response.on("close", () => app.emit("left"));
      app.emit("entered", request);
    });
    const server = offeringServer();
    const gate = attach(server, app);
    echoing(new WebSocketServer({ server }));
    const session = await openSession(await listen(server));
    const stream = session.request({
      ":method": "CONNECT",
      ":protocol": "websocket",
      ":scheme": "http",
      ":path": "/chat",
      ":authority": "localhost",
      "sec-websocket-version": "13",
    });
    stream.on("error", () => undefined);
    await entered;
    const left = once(app, "left");
    stream.close(8);
    await left;
    await expect.poll(() => gate.pending).toBe(0);
    expect(thrown).toEqual([]);
  });
});
