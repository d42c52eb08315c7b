import assert from "node:assert/strict";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { FirmSocket } from "@firmshake/client";
import { type Answer, type Check, ConfigError, handshakeFrom } from "@firmshake/core";
import { allowWith, attach, connectionOf, guard, origin } from "@firmshake/express";
import { type KoaContext, guard as koaGuard } from "@firmshake/koa";
import { everybody, message, messages } from "@firmshake/messages";
import type { GateOptions } from "@firmshake/node";
import express from "express";
import { WebSocket, WebSocketServer } from "ws";

const inLobby: Check<{ readonly room: string }> = () => allowWith({ room: "lobby" });
const chat = guard(origin(["https://app.example.com"]), inLobby);
const options: GateOptions = { decisionTimeoutMs: 1_000 };

const app = express();
app.use("/chat", chat);
const server = app.listen(0, "127.0.0.1");
attach(server, app, options);
new WebSocketServer({ server }).on("connection", (socket, request) => {
  const { facts } = connectionOf(request, chat);
  const room: string = facts.room;
  // @ts-expect-error what no check adds is not there
  facts.unknown;
  socket.send(room);
});
await once(server, "listening");
const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/chat`;

const accepted = new WebSocket(url, { origin: "https://app.example.com" });
const [greeting] = (await once(accepted, "message")) as [Buffer];
assert.equal(String(greeting), "lobby");
accepted.close();

// The types of browsers are not there, and not needed.
const socket = new FirmSocket(url, [], { WebSocket, reconnect: false });
const closed = new Promise<number>((resolve) => {
  socket.onclose = ({ code }) => resolve(code);
});
assert.equal(await closed, 1006);

const refused = new WebSocket(url, { origin: "https://evil.example" });
const [, answer] = (await once(refused, "unexpected-response")) as [unknown, IncomingMessage];
assert.equal(answer.statusCode, 403);
answer.resume();
refused.on("error", () => {}).terminate();

const verdict = await guard(origin("same-origin")).decide(
  handshakeFrom(new Request("https://app.example.com/chat")),
);
assert.equal(verdict.ok, false);
assert.throws(() => origin(["*"]), ConfigError);

// The types of Koa are not there, and not needed.
const mountable: (ctx: KoaContext, next: () => Promise<unknown>) => unknown = koaGuard(inLobby);
assert.equal(typeof mountable, "function");

// A compiled schema needs no library; what it says reaches the handler.
const say = message({
  schema: (value: unknown): value is { readonly text: string } =>
    typeof (value as { readonly text?: unknown }).text === "string",
  allow: everybody,
});
const protocol = messages({ types: { say }, onError: () => undefined });
const listenTo = (one: WebSocket): (() => void) =>
  protocol.listen(one, { connection: {}, on: { say: ({ text }) => text.length } });
assert.equal(typeof listenTo, "function");

export type { Answer };

server.close();
