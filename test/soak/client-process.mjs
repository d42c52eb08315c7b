/** The clients: those that keep to the rules, and those that do not. */
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { handshakeBytes, site } from "../bench/requests.mjs";
import { takeOrders } from "../bench/take-orders.mjs";
import { attacksOn } from "./attacks.mjs";
import { dial, frame, smallFrameIn, statusOf } from "./raw-socket.mjs";

const patienceMs = 30_000;
const concurrency = 200;
/** From several addresses, as clients come, and so that ports suffice. */
const addressOf = (index) => `127.0.0.${2 + (index % 20)}`;

let port;
let tokens;
let forged;
let opening = 0;
const open = new Set();
const told = {
  opened: 0,
  refused: 0,
  lost: 0,
  sent: 0,
  delivered: 0,
  renewed: 0,
  revoked: 0,
  unrevoked: 0,
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
    let left = count;
    const worker = async () => {
      while (left-- > 0) await openOne();
    };
    await Promise.all(Array.from({ length: Math.min(concurrency, count) }, worker));
    return {};
  },

  close: async ({ count }) => {
    await Promise.all([...open].slice(0, count).map((client) => client.leave()));
    return {};
  },

  /** All at the same time: a tenth of the clients talks, some go and others come, some are locked out, and some attack. */
  round: async ({ churned, revocable }) => {
    const all = [...open];
    const talkers = all.slice(churned).filter(() => Math.random() < 0.1);
    await Promise.all([
      ...talkers.map((client) => client.talk()),
      ...all.slice(0, churned).map((client) => client.leave()),
      orders.open({ count: churned }),
      ...revocable.map(lockedOut),
      ...attacksOn({ port, localAddress: addressOf(opening), token: tokens[0], forged }).map(
        async (attack) => {
          told.attacks++;
          if (!(await attack())) told.survived++;
        },
      ),
    ]);
    return {};
  },

  /** What became of everybody once the server has drained. */
  report: async () => {
    const end = performance.now() + patienceMs;
    while (open.size > 0 && performance.now() < end) await sleep(20);
    if (open.size > 0) lose("nothing at all", open.size);
    return told;
  },
};

function lose(by, count = 1) {
  told.lost += count;
  told[`lost by ${by}`] = (told[`lost by ${by}`] ?? 0) + count;
}

async function openOne() {
  const index = opening++;
  const client = await openClient(tokens[index % tokens.length], addressOf(index));
  if (client === undefined) told.refused++;
  else told.opened++;
}

/** A client that keeps to the rules; undefined where it was refused. */
async function openClient(token, localAddress) {
  const socket = await dial(port, localAddress);
  socket.write(handshakeBytes(site.origin, token));
  if ((await statusOf(socket)) !== 101) return void socket.destroy();
  const waiting = new Map();
  let rest = Buffer.alloc(0);
  let hasLeft = false;
  let isWithinFrame = false;
  const pongs = [];
  const closed = new Promise((resolve) => socket.once("close", resolve));

  /** What was sent has to come back. */
  const answerTo = (nonce) =>
    new Promise((resolve) => {
      told.sent++;
      // Not delivered then.
      const timer = setTimeout(resolve, patienceMs);
      waiting.set(nonce, (text) => {
        clearTimeout(timer);
        told.delivered++;
        resolve(text);
      });
    });

  function pong(payload) {
    if (isWithinFrame) pongs.push(frame(0x8a, payload));
    else socket.write(frame(0x8a, payload));
  }

  const client = {
    closeCode: undefined,
    closed,
    write: (bytes) => socket.write(bytes),

    /** One of the ways in which messages come. */
    talk: async () => {
      const kind = Math.floor(Math.random() * 5);
      const nonces = Array.from({ length: kind === 0 ? 8 : 1 }, () =>
        randomBytes(12).toString("base64url"),
      );
      const answers = nonces.map(answerTo);
      const [nonce] = nonces;
      if (kind === 0) {
        socket.write(Buffer.concat(nonces.map((text) => frame(0x81, Buffer.from(text)))));
      } else if (kind === 1) {
        socket.write(frame(0x01, Buffer.from(nonce.slice(0, 5))));
        socket.write(frame(0x89, Buffer.from("between")));
        socket.write(frame(0x80, Buffer.from(nonce.slice(5))));
      } else if (kind === 2) {
        const bytes = frame(0x81, Buffer.from(nonce));
        isWithinFrame = true;
        socket.write(bytes.subarray(0, 3));
        await new Promise(setImmediate);
        socket.write(Buffer.concat([bytes.subarray(3), ...pongs.splice(0)]));
        isWithinFrame = false;
      } else if (kind === 3) {
        socket.write(frame(0x81, Buffer.from(`renew ${nonce} ${token}`)));
        if ((await answers[0]) === `${nonce} true`) told.renewed++;
      } else {
        socket.write(frame(0x81, Buffer.from(nonce)));
      }
      await Promise.all(answers);
    },

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
      if (next.opcode === 1) {
        const text = next.payload.toString();
        takeOut(waiting, text.split(" ")[0])?.(text);
      }
      if (next.opcode === 9) pong(next.payload);
      if (next.opcode === 8 && !hasLeft) {
        hasLeft = true;
        client.closeCode = next.payload.readUInt16BE(0);
        if (open.delete(client)) {
          if (client.closeCode === 1012) told.closedByDrain++;
          else lose(`${client.closeCode} ${next.payload.subarray(2)}`);
        }
        socket.end(frame(0x88, next.payload.subarray(0, 2)));
      }
    }
  });
  socket.once("close", () => {
    if (open.delete(client)) lose("no close frame");
  });
  open.add(client);
  return client;
}

/** Somebody whose access is revoked: the open connection is closed, and the token opens no other. */
async function lockedOut(token) {
  const client = await openClient(token, addressOf(opening));
  if (client === undefined) return void told.refused++;
  open.delete(client);
  client.write(frame(0x81, Buffer.from("lock-me-out")));
  await Promise.race([client.closed, sleep(patienceMs)]);
  const again = await openClient(token, addressOf(opening));
  if (client.closeCode === 3000 && again === undefined) told.revoked++;
  else told.unrevoked++;
  await again?.leave();
}

function takeOut(map, key) {
  const value = map.get(key);
  map.delete(key);
  return value;
}

takeOrders(orders);
