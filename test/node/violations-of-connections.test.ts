import type { Server } from "node:http";
import { authenticated, message, messages } from "@firmshake/messages";
import {
  allow,
  allowWith,
  attach,
  type Connection,
  connectionOf,
  guard,
  insecureAnyOrigin,
  type StandingEvent,
  type ViolationsOptions,
  violations,
} from "@firmshake/node";
import { describe, expect, it } from "vitest";
import {
  dial,
  handshakeText,
  type RawClient,
  refusalOf,
  textFrame,
} from "../support/raw-client.ts";
import { deferred, gatedWs } from "../support/server.ts";
import { closeIn } from "../support/server-frames.ts";

/** Whoever says so in a header, which is enough here. */
const members = guard(insecureAnyOrigin(), ({ headers }) => {
  const subject = headers.only("name") ?? "nobody";
  const identity = { subject, scheme: "bearer", claims: {}, expiresAt: undefined };
  return allowWith({ identity });
});
const anybody = guard(insecureAnyOrigin());

interface CloseNote {
  readonly subject: string | undefined;
  readonly code: string | undefined;
}

async function scene(policy: Parameters<typeof gatedWs>[0], options: ViolationsOptions) {
  const standings: StandingEvent[] = [];
  const closes: CloseNote[] = [];
  const conduct = violations({
    warnAt: 0,
    throttleAt: 0,
    closeAt: 0,
    banAt: 0,
    ...options,
    now: () => 0,
    onStanding: (event) => standings.push(event),
  });
  const { port, gate, wss } = await gatedWs(policy, {
    violations: conduct,
    onClose: ({ subject, code }) => closes.push({ subject, code }),
  });
  const opened: Connection[] = [];
  wss.on("connection", (_, request) => opened.push(connectionOf(request)));
  const open = async (name?: string): Promise<RawClient> => {
    const client = await dial(port);
    client.send(handshakeText({ headers: name === undefined ? {} : { name } }));
    await client.until("\r\n\r\n");
    return client;
  };
  return { port, gate, wss, conduct, standings, closes, opened, open };
}

const unmasked = Buffer.from([0x81, 1, 65]);
const tooMany = [1008, "too_many_violations"];

describe("what the meter closes for", () => {
  it("is told like every other close", async () => {
    const { open, closes, opened } = await scene(members, {});
    const client = await open("ann");
    client.send(unmasked);
    expect(closeIn(await client.closed)).toEqual([1002, "protocol_error"]);
    expect(closes).toEqual([{ subject: "ann", code: "protocol_error" }]);
    expect(opened[0]?.closed).toMatchObject({ code: "protocol_error", closeCode: 1002 });
  });

  it("adds up over the connections of one identity, and keeps that one out", async () => {
    const { port, open, standings } = await scene(members, { banAt: 20 });
    for (const client of [await open("mallory"), await open("mallory")]) {
      client.send(unmasked);
      await client.closed;
    }
    expect(standings).toMatchObject([
      { standing: "banned", kind: "protocol_error", subject: "mallory", address: undefined },
    ]);
    const answer = await refusalOf(port, { headers: { name: "mallory" } });
    expect(answer).toMatchObject({ status: 403, body: expect.stringContaining("banned") });
    expect((await open("ann")).received()).toContain("101 Switching");
  });

  it("adds up by address where nobody is known", async () => {
    const { port, open, conduct } = await scene(anybody, { banAt: 10 });
    const client = await open();
    client.send(unmasked);
    await client.closed;
    expect(conduct.standingOf({ address: "127.0.0.1" })).toBe("banned");
    expect(await refusalOf(port)).toMatchObject({ status: 403 });
  });
});

it("a close counts once, however many gates share the account", async () => {
  const { wss, conduct, open } = await scene(anybody, { banAt: 20 });
  attach(wss.options.server as Server, anybody, { violations: conduct });
  const client = await open();
  client.send(unmasked);
  await client.closed;
  expect(conduct.standingOf({ address: "127.0.0.1" })).toBe("good");
});

it("a ban refuses handshakes that are just being decided", async () => {
  const decision = deferred<void>();
  const { port, gate, conduct } = await scene(
    guard(insecureAnyOrigin(), async () => {
      await decision.promise;
      return allow;
    }),
    {},
  );
  const answer = refusalOf(port);
  await expect.poll(() => gate.pending).toBe(1);
  conduct.ban({ address: "127.0.0.1" });
  decision.resolve();
  expect(await answer).toMatchObject({ status: 403, body: expect.stringContaining("banned") });
});

describe("whoever reaches the level", () => {
  it("loses all connections, whatever they were doing, and others lose none", async () => {
    const { open, closes } = await scene(members, { closeAt: 10 });
    const [bad, idle, other] = [await open("mallory"), await open("mallory"), await open("ann")];
    bad.send(unmasked);
    expect(closeIn(await bad.closed)).toEqual([1002, "protocol_error"]);
    expect(closeIn(await idle.closed)).toEqual(tooMany);
    other.send(textFrame("still here"));
    await other.until("still here");
    expect(closes).toEqual([
      { subject: "mallory", code: "too_many_violations" },
      { subject: "mallory", code: "protocol_error" },
    ]);
  });

  it("by what the application reports loses that connection too", async () => {
    const { open, opened, conduct } = await scene(members, { closeAt: 5 });
    const client = await open("mallory");
    expect(conduct.report(opened[0] as Connection, "spam", 5)).toBe("closed");
    expect(closeIn(await client.closed)).toEqual(tooMany);
  });

  it("loses a connection that it got at that level by the next report", async () => {
    const { open, opened, conduct } = await scene(members, { closeAt: 5 });
    await open("mallory");
    conduct.report(opened[0] as Connection, "spam", 5);
    const again = await open("mallory");
    expect(conduct.report(opened[1] as Connection, "spam", 1)).toBe("closed");
    expect(closeIn(await again.closed)).toEqual(tooMany);
  });

  it("by failed handshakes loses what is open", async () => {
    const { port, open } = await scene(anybody, { closeAt: 5 });
    const client = await open();
    await refusalOf(port, { headers: { "sec-websocket-version": "7" } });
    expect(closeIn(await client.closed)).toEqual(tooMany);
  });

  it("by a ban loses what is open at every gate that shares the account", async () => {
    const { open, conduct } = await scene(members, {});
    const { port, wss } = await gatedWs(members, { violations: conduct });
    expect(wss.clients.size).toBe(0);
    const here = await open("mallory");
    const there = await dial(port);
    there.send(handshakeText({ headers: { name: "mallory" } }));
    await there.until("\r\n\r\n");
    conduct.ban({ subject: "mallory" });
    expect(closeIn(await here.closed)).toEqual(tooMany);
    expect(closeIn(await there.closed)).toEqual(tooMany);
  });
});

it("what is wrong in messages counts, by a line of the application's", async () => {
  const { open, conduct, wss } = await scene(members, { closeAt: 10 });
  const protocol = messages({
    types: { say: message({ schema: () => true, allow: authenticated }) },
    onFault: ({ code }, connection) => {
      conduct.report(connection, code);
      return "ignore";
    },
    onError: () => undefined,
  });
  wss.on("connection", (socket, request) => {
    protocol.listen(socket, { connection: connectionOf(request), on: { say: () => undefined } });
  });
  const client = await open("mallory");
  client.send(textFrame('{"type":"say","__proto__":{}}'));
  client.send(textFrame('{"type":"say","constructor":{}}'));
  expect(closeIn(await client.closed)).toEqual(tooMany);
});
