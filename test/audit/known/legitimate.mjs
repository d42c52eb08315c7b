import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { io } from "socket.io-client";
import { WebSocket } from "ws";

/** How long the audit's own floods may be remembered. */
const patienceMs = 15_000;

/** Whether the server's own client is let in and served: it hears what it waits for. */
export async function isServed(url, { origin, protocols = [] }, client) {
  const until = Date.now() + patienceMs;
  while (Date.now() < until) {
    if (await clients[client](url, origin, protocols).catch(() => false)) return true;
    await delay(500);
  }
  return false;
}

const clients = {
  /** Development servers greet their pages. */
  greeted: (url, origin, protocols) =>
    withSocket(url, origin, protocols, async (socket) => {
      const [greeting] = await once(socket, "message", { signal: AbortSignal.timeout(2_000) });
      return JSON.parse(String(greeting)).type !== undefined;
    }),
  echoed: (url, origin, protocols) =>
    withSocket(url, origin, protocols, async (socket) => {
      await once(socket, "open", { signal: AbortSignal.timeout(2_000) });
      socket.send("hello");
      const [echo] = await once(socket, "message", { signal: AbortSignal.timeout(2_000) });
      return String(echo) === "hello";
    }),
  "socket.io": async (url, origin) => {
    const socket = io(url.replace(/^ws/, "http").replace("/socket.io/", ""), {
      transports: ["websocket"],
      extraHeaders: { Origin: origin },
      reconnection: false,
      forceNew: true,
    });
    try {
      return await new Promise((resolve) => {
        socket.once("connect", () => resolve(true));
        socket.once("connect_error", () => resolve(false));
      });
    } finally {
      socket.close();
    }
  },
};

async function withSocket(url, origin, protocols, use) {
  const socket = new WebSocket(url, protocols, { origin });
  socket.on("error", () => {});
  try {
    return await use(socket);
  } finally {
    socket.terminate();
  }
}
