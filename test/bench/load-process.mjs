/** Opens raw TCP connections, writes canned bytes, and looks at the first line of what comes back. */
import { connect } from "node:net";
import { takeOrders } from "./take-orders.mjs";

const patienceMs = 20_000;

const held = new Set();

const orders = {
  /** Sends each request over a connection of its own, `concurrency` at a time. Accepted ones stay open. */
  shoot: async ({ port, requests, concurrency, addresses }) => {
    const statuses = {};
    let next = 0;
    const worker = async () => {
      while (next < requests.length) {
        const at = next++;
        const status = await exchange(port, requests[at], addresses[at % addresses.length]);
        statuses[status] = (statuses[status] ?? 0) + 1;
      }
    };
    const rest = stayAwake();
    await Promise.all(Array.from({ length: concurrency }, worker));
    rest();
    return { statuses };
  },

  /** Closes what was accepted, the same way for every server. */
  release: async () => {
    const closed = [...held].map(
      (socket) => new Promise((resolve) => socket.once("close", resolve)),
    );
    for (const socket of held) socket.end();
    await Promise.all(closed);
    return {};
  },
};

/**
 * Keeps this process from sleeping. Waking it costs whoever sends it something, and a server that is slower finds it asleep more often:
 * that would be counted as the server's own work.
 */
function stayAwake() {
  let isAwake = true;
  const turn = () => {
    if (isAwake) setImmediate(turn);
  };
  turn();
  return () => {
    isAwake = false;
  };
}

function exchange(port, request, localAddress) {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", localAddress, noDelay: true });
    let status;
    const timer = setTimeout(() => fail(new Error("No answer in time.")), patienceMs);
    const done = () => {
      clearTimeout(timer);
      resolve(status);
    };
    const fail = (error) => {
      // A server that destroys the socket behind its answer may reset the connection; the answer counts.
      if (status !== undefined) return;
      clearTimeout(timer);
      socket.destroy();
      reject(error);
    };
    socket.once("connect", () => socket.write(request));
    socket.on("data", (bytes) => {
      if (status !== undefined) return;
      status = bytes.latin1Slice(9, 12);
      if (status !== "101") return;
      held.add(socket);
      done();
    });
    socket.on("error", fail);
    socket.once("close", () => {
      held.delete(socket);
      if (status === undefined) fail(new Error("Closed without an answer."));
      else if (status !== "101") done();
    });
  });
}

takeOrders(orders);
