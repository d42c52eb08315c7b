/** The clients: those that keep to the rules, on raw sockets so that thousands fit into one process, and those that do not. */
import { randomBytes } from "node:crypto";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { handshakeBytes, site } from "../bench/requests.mjs";

const patienceMs = 30_000;
const concurrency = 200;
/** From several addresses, as clients come, and so that ports suffice. */
const addressOf = (index) => `127.0.0.${2 + (index % 20)}`;

let port;
let tokens;
let forged;
const open = new Set();
const told = {
  opened: 0,
  lost: 0,
  sent: 0,
  delivered: 0,
  attacks: 0,
  survived: 0,
  closedByDrain: 0,
};

const orders = {
  prepare: async (details) => {
    ({ port, tokens, forged } = details);
    return {};
  },

  open: async ({ count }) => {
    await each(count, async (index) => {
      const client = await openClient(
        tokens[(told.opened + index) % tokens.length],
        addressOf(index),
      );
      open.add(client);
      told.opened++;
    });
    return {};
  },

  /** A message over a tenth of the connections, each of which must come back. */
  talk: async () => {
    const some = [...open].filter(() => Math.random() < 0.1);
    await Promise.all(some.map((client) => client.echo()));
    return {};
  },

  close: async ({ count }) => {
    const some = [...open].slice(0, count);
    await Promise.all(some.map((client) => client.leave()));
    return {};
  },

  attack: async () => {
    await Promise.all(attacks.map((attack) => attack()));
    return {};
  },

  /** What became of everybody once the server has drained. */
  report: async () => {
    const end = performance.now() + patienceMs;
    while (open.size > 0 && performance.now() < end) await sleep(20);
    return { ...told, lost: told.lost + open.size };
  },
};

async function each(count, run) {
  let next = 0;
  const worker = async () => {
    while (next < count) await run(next++);
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, count) }, worker));
}

/** A client that keeps to the rules. */
async function openClient(token, localAddress) {
  const socket = await dial(localAddress);
  const upgraded = upgradeOf(socket);
  socket.write(handshakeBytes(site.origin, token));
  await upgraded;
  const waiting = new Map();
  let rest = Buffer.alloc(0);
  let hasLeft = false;
  const closed = new Promise((resolve) => socket.once("close", resolve));
  const client = {
    echo: () =>
      new Promise((resolve, reject) => {
        const text = randomBytes(12).toString("base64url");
        const timer = setTimeout(
          () => reject(new Error("A message did not come back.")),
          patienceMs,
        );
        told.sent++;
        waiting.set(text, () => {
          clearTimeout(timer);
          told.delivered++;
          resolve();
        });
        socket.write(frame(0x81, Buffer.from(text)));
      }),
    leave: () => {
      hasLeft = true;
      open.delete(client);
      socket.end(frame(0x88, Buffer.from([0x03, 0xe8])));
      return closed;
    },
  };
  socket.on("data", (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (let next = smallFrameIn(rest); next !== undefined; next = smallFrameIn(rest)) {
      rest = rest.subarray(2 + next.payload.length);
      if (next.opcode === 1) takeOut(waiting, next.payload.toString())?.();
      if (next.opcode === 9) socket.write(frame(0x8a, next.payload));
      if (next.opcode === 8 && !hasLeft) {
        const code = next.payload.readUInt16BE(0);
        if (code === 1001 || code === 1012) told.closedByDrain++;
        else told.lost++;
        hasLeft = true;
        open.delete(client);
        socket.end(frame(0x88, next.payload.subarray(0, 2)));
      }
    }
  });
  socket.once("close", () => {
    if (open.delete(client)) told.lost++;
  });
  return client;
}

/** Each is over when the server has ended the connection, or counts as one that was left open. */
const attacks = [
  // Resets amid the handshake, while the token is being verified.
  async () => {
    const socket = await attacker();
    socket.write(handshakeBytes(site.origin, tokens[0]));
    socket.resetAndDestroy();
  },
  () => refused(handshakeBytes(site.origin, forged)),
  () => refused(handshakeBytes(site.foreignOrigin, tokens[0])),
  () =>
    refused(
      "GET /chat HTTP/1.1\r\nHost: app.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    ),
  // Reserved bits; a reserved opcode; no mask; a length of 2^62; a ping that is too long; a fragmented ping; too large a message.
  () => broken(Buffer.from([0xf1, 0x80, 0, 0, 0, 0])),
  () => broken(Buffer.from([0x83, 0x80, 0, 0, 0, 0])),
  () => broken(Buffer.from([0x81, 0x01, 0x41])),
  () => broken(Buffer.from([0x82, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])),
  () =>
    broken(Buffer.concat([Buffer.from([0x89, 0xfe, 0x00, 0xff, 0, 0, 0, 0]), Buffer.alloc(255)])),
  () => broken(Buffer.from([0x09, 0x80, 0, 0, 0, 0])),
  () => broken(Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0])),
  // Fragments without an end.
  () =>
    broken(
      Buffer.concat([
        frame(0x01, Buffer.from("a")),
        ...Array.from({ length: 5_000 }, () => frame(0x00, Buffer.from("a"))),
      ]),
    ),
  // Pings, from somebody who does not read.
  async () => {
    const socket = await upgradedAttacker();
    socket.pause();
    socket.write(
      Buffer.concat(Array.from({ length: 5_000 }, () => frame(0x89, Buffer.alloc(125)))),
    );
    await ended(socket);
  },
];

async function attacker() {
  told.attacks++;
  const socket = await dial(addressOf(told.attacks));
  return socket;
}

async function upgradedAttacker() {
  const socket = await attacker();
  const upgraded = upgradeOf(socket);
  socket.write(handshakeBytes(site.origin, tokens[0]));
  await upgraded;
  return socket;
}

async function refused(bytes) {
  const socket = await attacker();
  socket.resume();
  socket.write(bytes);
  await ended(socket);
}

async function broken(bytes) {
  const socket = await upgradedAttacker();
  socket.resume();
  socket.write(bytes);
  await ended(socket);
}

/** Within the time that a server may take to close what is against the rules. */
async function ended(socket) {
  const isOver = new Promise((resolve) => socket.once("close", () => resolve(true)));
  // A paused socket does not see the end.
  const timer = setTimeout(() => socket.resume(), 3_000);
  const over = socket.destroyed || (await Promise.race([isOver, sleep(10_000, false)]));
  clearTimeout(timer);
  if (!over) told.survived++;
  socket.destroy();
}

function dial(localAddress) {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", localAddress, noDelay: true });
    socket.once("connect", () => {
      socket.off("error", reject);
      socket.on("error", () => undefined);
      resolve(socket);
    });
    socket.once("error", reject);
  });
}

/** Resolves with the answer's head; the sockets here are answered nothing behind it before they speak. */
function upgradeOf(socket) {
  return new Promise((resolve, reject) => {
    const onClose = () => reject(new Error("Closed instead of upgraded."));
    socket.once("close", onClose);
    socket.once("data", (bytes) => {
      socket.off("close", onClose);
      const line = bytes.toString("latin1", 0, 12);
      if (line === "HTTP/1.1 101") resolve();
      else reject(new Error(line));
    });
  });
}

/** RFC 6455 §5.2, masked as a client has to, by zeros. */
function frame(head, payload) {
  return Buffer.concat([Buffer.from([head, 0x80 | payload.length, 0, 0, 0, 0]), payload]);
}

/** The first frame, of fewer than 126 bytes and not masked: all that this server sends. */
function smallFrameIn(bytes) {
  if (bytes.length < 2 || bytes.length < 2 + bytes[1]) return undefined;
  return { opcode: bytes[0] & 0x0f, payload: bytes.subarray(2, 2 + bytes[1]) };
}

function takeOut(map, key) {
  const value = map.get(key);
  map.delete(key);
  return value;
}

process.on("message", async ({ order, details }) => {
  try {
    process.send({ result: await orders[order](details) });
  } catch (error) {
    process.send({ error: String(error?.stack ?? error) });
  }
});
process.on("disconnect", () => process.exit());
