import assert from "node:assert/strict";
import { once } from "node:events";
import * as core from "@firmshake/core";
import { allowWith, attach, connectionOf, guard, origin } from "@firmshake/express";
import * as node from "@firmshake/node";
import express from "express";
import { WebSocket, WebSocketServer } from "ws";

assert.equal(node.guard, core.guard, "there is one copy of core");

const chat = guard(origin(["https://app.example.com"]), () => allowWith({ room: "lobby" }));
const app = express();
app.use("/chat", chat);
const server = app.listen(0, "127.0.0.1");
attach(server, app);
new WebSocketServer({ server }).on("connection", (socket, request) => {
  socket.send(connectionOf(request, chat).facts.room);
});
await once(server, "listening");
const url = `ws://127.0.0.1:${server.address().port}/chat`;

const accepted = new WebSocket(url, { origin: "https://app.example.com" });
const [message] = await once(accepted, "message");
assert.equal(String(message), "lobby");
accepted.close();

const refused = new WebSocket(url, { origin: "https://evil.example" });
const [, answer] = await once(refused, "unexpected-response");
assert.equal(answer.statusCode, 403);
answer.resume();
refused.on("error", () => {}).terminate();

server.close();
