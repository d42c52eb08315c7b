/** Clients that do not keep to the rules. Each function resolves with whether it was answered as it deserves. */
import { setTimeout as sleep } from "node:timers/promises";
import { handshakeBytes, site } from "../bench/requests.mjs";
import { dial, frame, smallFrameIn, statusOf } from "./raw-socket.mjs";

const patienceMs = 10_000;

/** @param connection - Where, from which address, with which good token and which forged one. */
export function attacksOn({ port, localAddress, token, forged }) {
  const good = handshakeBytes(site.origin, token);

  async function refused(bytes, expected) {
    const socket = await dial(port, localAddress);
    const ending = ended(socket);
    socket.write(bytes);
    const status = await statusOf(socket);
    return (await ending) && status === expected;
  }

  /** Accepted, and closed for what is sent then. */
  async function closed(bytes, expected, { isDeafForMs = 0 } = {}) {
    const socket = await dial(port, localAddress);
    const ending = ended(socket);
    socket.write(good);
    if ((await statusOf(socket)) !== 101) return false;
    let code;
    socket.on("data", (chunk) => {
      for (let rest = chunk, next = smallFrameIn(rest); next; next = smallFrameIn(rest)) {
        if (next.opcode === 8) code = next.payload.readUInt16BE(0);
        rest = rest.subarray(2 + next.payload.length);
      }
    });
    socket.write(bytes);
    if (isDeafForMs > 0) {
      socket.pause();
      await sleep(isDeafForMs);
      socket.resume();
    }
    return (await ending) && code === expected;
  }

  /** Gone amid the handshake, or behind it; whether a place was kept shows later. */
  async function reset(afterMs) {
    const socket = await dial(port, localAddress);
    socket.write(good);
    if (afterMs > 0) await sleep(afterMs);
    socket.resetAndDestroy();
    return true;
  }

  const header = (...bytes) => Buffer.from(bytes);
  const many = (count, one) => Buffer.concat(Array.from({ length: count }, () => one));
  return [
    () => reset(0),
    () => reset(2),
    () => reset(50),
    () => refused(handshakeBytes(site.origin, forged), 401),
    () => refused(handshakeBytes(site.origin), 401),
    () => refused(handshakeBytes(site.foreignOrigin, token), 403),
    () => refused(good.replace("/chat", "/other"), 404),
    () => refused(good.replace(/Sec-WebSocket-Key.*\r\n/, ""), 400),
    // Reserved bits; a reserved opcode; no mask; a length of 2^62; a long and a fragmented ping; a forbidden close code.
    () => closed(header(0xf1, 0x80, 0, 0, 0, 0), 1002),
    () => closed(header(0x83, 0x80, 0, 0, 0, 0), 1002),
    () => closed(header(0x81, 0x01, 0x41), 1002),
    () => closed(header(0x82, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), 1002),
    () => closed(frame(0x89, Buffer.alloc(255)), 1002),
    () => closed(header(0x09, 0x80, 0, 0, 0, 0), 1002),
    () => closed(frame(0x88, header(0x03, 0xee)), 1002),
    // Announced: 256 MiB. Fragments, and messages, without an end.
    () => closed(header(0x82, 0xff, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0), 1009),
    () =>
      closed(Buffer.concat([frame(0x01, header(97)), many(5_000, frame(0x00, header(97)))]), 1008),
    () => closed(many(500, frame(0x81, header(97))), 1008),
    // Pings, from somebody who does not read.
    () => closed(many(5_000, frame(0x89, Buffer.alloc(125))), 1008, { isDeafForMs: 500 }),
  ];
}

/** Whether the server ends the connection within the time that it may take. */
async function ended(socket) {
  const isOver = new Promise((resolve) => socket.once("close", () => resolve(true)));
  const stop = new AbortController();
  const isLate = sleep(patienceMs, false, { signal: stop.signal }).catch(() => false);
  const over = await Promise.race([isOver, isLate]);
  stop.abort();
  socket.destroy();
  return over;
}
