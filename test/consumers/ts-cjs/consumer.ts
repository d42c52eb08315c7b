import assert = require("node:assert/strict");

import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { type Check, ConfigError } from "@firmshake/core";
import { allowWith, attach, connectionOf, guard, origin } from "@firmshake/express";
import { type FirmshakeOptions, firmshake } from "@firmshake/fastify";
import type { GateOptions } from "@firmshake/node";

import express = require("express");
import fastify = require("fastify");

import { WebSocket, WebSocketServer } from "ws";

async function main(): Promise<void> {
  const inLobby: Check<{ readonly room: string }> = () => allowWith({ room: "lobby" });
  const chat = guard(origin(["https://app.example.com"]), inLobby);
  const options: GateOptions = { decisionTimeoutMs: 1_000 };

  const app = express();
  app.use("/chat", chat);
  const server = app.listen(0, "127.0.0.1");
  attach(server, app, options);
  new WebSocketServer({ server }).on("connection", (socket, request) => {
    const room: string = connectionOf(request, chat).facts.room;
    socket.send(room);
  });
  await once(server, "listening");
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/chat`;

  const accepted = new WebSocket(url, { origin: "https://app.example.com" });
  const [message] = (await once(accepted, "message")) as [Buffer];
  assert.equal(String(message), "lobby");
  accepted.close();

  const refused = new WebSocket(url, { origin: "https://evil.example" });
  const [, answer] = (await once(refused, "unexpected-response")) as [unknown, IncomingMessage];
  assert.equal(answer.statusCode, 403);
  answer.resume();
  refused.on("error", () => {}).terminate();

  assert.throws(() => origin(["*"]), ConfigError);
  server.close();

  const policy: FirmshakeOptions = { guard: chat, ...options };
  const instance = fastify();
  await instance.register(firmshake, policy);
  instance.get("/chat", { config: { firmshake: chat } }, ({ firmshake: connection }) => ({
    path: connection?.path ?? "none",
  }));
  assert.deepEqual((await instance.inject("/chat")).json(), { path: "none" });
  await instance.close();
}

void main();
