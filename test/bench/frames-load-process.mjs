/** Opens WebSockets by hand and sends canned frames over them, so many at a time in each packet. */
import { connect } from "node:net";
import { handshakeBytes, site } from "./requests.mjs";
import { takeOrders } from "./take-orders.mjs";

let sockets = [];
/** All come from one address, and so many may wait for a decision. */
const atATime = 20;

const orders = {
  open: async ({ port, count, tokens }) => {
    for (let index = 0; index < count; index += atATime) {
      const some = Array.from({ length: Math.min(atATime, count - index) }, (_, at) =>
        opened(port, tokens?.[index + at]),
      );
      sockets.push(...(await Promise.all(some)));
    }
    return {};
  },

  /** Each connection sends a packet once the one before is answered whole. */
  talk: async ({ payloadBytes, perPacket, packets }) => {
    const packet = Buffer.concat(Array.from({ length: perPacket }, () => frame(payloadBytes)));
    const answerBytes = perPacket * (headBytes(payloadBytes) + payloadBytes);
    await Promise.all(sockets.map((socket) => talk(socket, packet, answerBytes, packets)));
    return {};
  },

  close: async () => {
    const closed = sockets.map((socket) => new Promise((resolve) => socket.once("close", resolve)));
    for (const socket of sockets) socket.destroy();
    await Promise.all(closed);
    sockets = [];
    return {};
  },
};

const headBytes = (length) => (length < 126 ? 2 : length < 65_536 ? 4 : 10);

function frame(length) {
  const head = Buffer.alloc(headBytes(length) + 4);
  head[0] = 0x82;
  if (length < 126) head[1] = 0x80 | length;
  else if (length < 65_536) {
    head[1] = 0xfe;
    head.writeUInt16BE(length, 2);
  } else {
    head[1] = 0xff;
    head.writeBigUInt64BE(BigInt(length), 2);
  }
  return Buffer.concat([head, Buffer.alloc(length, "x")]);
}

function opened(port, token) {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    socket.once("connect", () => socket.write(handshakeBytes(site.origin, token)));
    socket.once("error", reject);
    socket.once("data", (answer) => {
      if (answer.latin1Slice(9, 12) === "101") resolve(socket);
      else reject(new Error(`Refused: ${answer.latin1Slice(0, 40)}`));
    });
  });
}

function talk(socket, packet, answerBytes, packets) {
  return new Promise((resolve, reject) => {
    let left = packets;
    let missing = answerBytes;
    const onData = (bytes) => {
      missing -= bytes.length;
      if (missing > 0) return;
      missing = answerBytes;
      if (--left > 0) {
        socket.write(packet);
        return;
      }
      socket.off("data", onData).off("close", onClose);
      resolve();
    };
    const onClose = () => reject(new Error("The server has closed."));
    socket.on("data", onData).once("close", onClose);
    socket.write(packet);
  });
}

takeOrders(orders);
