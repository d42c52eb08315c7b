const assert = require("node:assert/strict");
const { once } = require("node:events");
const core = require("@firmshake/core");
const { allowWith, attach, connectionOf, guard, origin } = require("@firmshake/express");
const { firmshake } = require("@firmshake/fastify");
const koa = require("@firmshake/koa");
const { messages } = require("@firmshake/messages");
const node = require("@firmshake/node");
const express = require("express");
const fastify = require("fastify");
const { WebSocket, WebSocketServer } = require("ws");

assert.equal(node.guard, core.guard, "there is one copy of core");
assert.equal(koa.origin, origin, "and of what adapters share");
assert.throws(() => messages({}), core.ConfigError);

async function main() {
  const imported = await import("@firmshake/core");
  assert.equal(imported.ConfigError, core.ConfigError, "import and require give one copy");

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

  const instance = fastify();
  await instance.register(firmshake, { guard: chat });
  assert.equal(instance.firmshake.pending, 0);
  await instance.close();
}

void main();
