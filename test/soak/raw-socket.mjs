/** Sockets that speak by hand, so that thousands fit into one process. */
import { connect } from "node:net";

export function dial(port, localAddress) {
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

/** The answer's status; 0 where there is none. Nothing comes behind it before these clients have spoken. */
export function statusOf(socket) {
  return new Promise((resolve) => {
    socket.once("close", () => resolve(0));
    socket.once("data", (bytes) => resolve(Number(bytes.toString("latin1", 9, 12))));
  });
}

/** RFC 6455 §5.2, masked as a client has to, by zeros. */
export function frame(head, payload) {
  const { length } = payload;
  const short = Buffer.from([head, 0x80 | Math.min(length, 126)]);
  const long = length < 126 ? Buffer.alloc(0) : Buffer.from([length >> 8, length & 255]);
  return Buffer.concat([short, long, Buffer.alloc(4), payload]);
}

/** The first frame, of fewer than 126 bytes and not masked: all that this server sends. */
export function smallFrameIn(bytes) {
  if (bytes.length < 2 || bytes.length < 2 + bytes[1]) return undefined;
  return { opcode: bytes[0] & 0x0f, payload: bytes.subarray(2, 2 + bytes[1]) };
}
