import { createServer } from "node:http";
import {
  allow,
  attach,
  type DecisionEvent,
  guard,
  insecureAnyOrigin,
  refuse,
} from "@firmshake/node";
import sockjs from "sockjs";
import SockJs from "sockjs-client";
import { describe, expect, it, onTestFinished } from "vitest";
import { listen } from "../../support/server.ts";

const fallbacks = ["xhr-polling", "xhr-streaming"];
const policy = (isOpen: boolean) =>
  guard(insecureAnyOrigin(), () => (isOpen ? allow : refuse("forbidden")));

async function echoServer(polling: "auto" | readonly `/${string}`[], isOpen: boolean) {
  const events: DecisionEvent[] = [];
  const server = createServer();
  attach(
    server,
    { "/echo/*": policy(isOpen) },
    { polling, onDecision: (event) => events.push(event) },
  );
  const echo = sockjs.createServer({ log: () => undefined });
  echo.on("connection", (connection) => connection.on("data", (data) => connection.write(data)));
  echo.installHandlers(server, { prefix: "/echo" });
  return { url: `http://127.0.0.1:${await listen(server)}/echo`, events };
}

/** What comes back for a message, or the code with which it was closed. */
const echoOf = (url: string, transport: string): Promise<unknown> =>
  new Promise((resolve) => {
    const client = new SockJs(url, null, { transports: [transport] });
    onTestFinished(() => client.close());
    client.onopen = () => client.send("text");
    client.onmessage = ({ data }) => resolve(data);
    client.onclose = ({ code }) => resolve(code);
  });

describe.each(fallbacks)("SockJS by %s", (transport) => {
  it("passes an open policy", async () => {
    const { url, events } = await echoServer(["/echo/*"], true);
    expect(await echoOf(url, transport)).toBe("text");
    expect(events.every((event) => event.outcome === "accepted")).toBe(true);
    expect(events.length).toBeGreaterThanOrEqual(3);
    expect(new Set(events.map((event) => event.transport))).toEqual(new Set(["polling"]));
  });

  it("does not pass a closed one", async () => {
    const { url, events } = await echoServer(["/echo/*"], false);
    expect(await echoOf(url, transport)).toBeTypeOf("number");
    expect(events.map(({ code }) => code)).toContain("forbidden");
  });

  it("goes past the gate where its paths are not named", async () => {
    const { url, events } = await echoServer("auto", false);
    expect(await echoOf(url, transport)).toBe("text");
    expect(events).toEqual([]);
  });
});
