/** One contender in a process of its own. Says what it has spent when it is asked. */
import { setTimeout as sleep } from "node:timers/promises";
import { contenders } from "./contenders.mjs";
import { openSockets } from "./open-sockets.mjs";
import { takeOrders } from "./take-orders.mjs";

const patienceMs = 20_000;

let server;
let acceptedCount = 0;
let before;

const orders = {
  start: async ({ contender, options, keys }) => {
    const accepted = () => {
      acceptedCount++;
    };
    server = await contenders[contender]({ accepted, options, keys });
    await new Promise((resolve) => server.listen(0, "0.0.0.0", 1024, resolve));
    return { port: server.address().port };
  },

  /** No collection is forced before a round: it throws away compiled code too, and the round would measure the compiler. */
  begin: async () => {
    acceptedCount = 0;
    before = process.cpuUsage();
    return {};
  },

  /** What was spent since `begin`, once that many connections are accepted and that many open. */
  end: async ({ accepted, open }) => {
    await until(async () => acceptedCount >= accepted && (await openSockets(server)) <= open);
    const { user, system } = process.cpuUsage(before);
    return { microseconds: user + system, accepted: acceptedCount };
  },

  idle: async () => {
    await until(async () => (await openSockets(server)) === 0);
    return {};
  },
};

async function until(isSo) {
  const end = performance.now() + patienceMs;
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error("The connections did not settle.");
    await sleep(2);
  }
}

takeOrders(orders);
