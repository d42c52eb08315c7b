/** Holds raw connections, each with one message in flight: sends the next when the whole answer is there. */
import { connect } from "node:net";
import { samples } from "./hygiene-messages.mjs";
import { handshakeBytes, site } from "./requests.mjs";
import { takeOrders } from "./take-orders.mjs";

const connections = 64;
const answerBytes = 4 + 1_024;
const byPort = new Map();

const orders = {
  open: async ({ port }) => {
    byPort.set(port, await Promise.all(Array.from({ length: connections }, () => opened(port))));
    return {};
  },

  /** Sends so many messages in all. */
  say: async ({ port, shape, count }) => {
    const frame = frameOf(samples[shape]);
    let left = count;
    const perSocket = (socket) =>
      new Promise((resolve, reject) => {
        let received = 0;
        const next = () => {
          if (left === 0) {
            socket.removeAllListeners("data");
            return resolve();
          }
          left--;
          socket.write(frame);
        };
        socket.once("close", () => reject(new Error("The server has closed a connection.")));
        socket.on("data", ({ length }) => {
          received += length;
          if (received < answerBytes) return;
          if (received > answerBytes) reject(new Error("More came than was asked for."));
          received = 0;
          next();
        });
        next();
      });
    await Promise.all(byPort.get(port).map(perSocket));
    for (const socket of byPort.get(port)) socket.removeAllListeners("close");
    return {};
  },
};

function opened(port) {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    socket.once("error", reject);
    socket.once("connect", () => socket.write(handshakeBytes(site.origin)));
    socket.once("data", () => resolve(socket));
  });
}

/** A masked text frame (RFC 6455 §5.2); the mask is zeros, which a server takes off all the same. */
function frameOf(text) {
  const payload = Buffer.from(text);
  const head = Buffer.from([
    0x81,
    0x80 | 126,
    payload.length >> 8,
    payload.length & 0xff,
    0,
    0,
    0,
    0,
  ]);
  return Buffer.concat([head, payload]);
}

takeOrders(orders);
