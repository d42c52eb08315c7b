import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { Server } from "socket.io";
import { WebSocketServer } from "ws";

/*
 * WebSocket authentication as it is written by hand: nothing in it is wrong but what is not there, a listener for the socket's errors
 * while the token is verified and the account looked up. Runs in a process of its own, because it does not survive what is done to it.
 */
const [library = "", jwksUri = "", issuer = ""] = process.argv.slice(2);
const keys = createRemoteJWKSet(new URL(jwksUri));
const server = createServer();

async function isWelcome({ headers }: IncomingMessage): Promise<boolean> {
  try {
    const token = (headers.authorization ?? "").replace(/^Bearer /, "");
    await jwtVerify(token, keys, { issuer, audience: "chat" });
    await delay(100);
    return true;
  } catch {
    return false;
  }
}

if (library === "socket.io") {
  new Server(server, {
    path: "/chat",
    addTrailingSlash: false,
    allowRequest: async (request, answer) => answer(null, await isWelcome(request)),
  });
} else {
  const sockets = new WebSocketServer({ noServer: true });
  server.on("upgrade", async (request, socket, head) => {
    if (await isWelcome(request)) {
      sockets.handleUpgrade(request, socket, head, (webSocket) => webSocket.send("Welcome."));
    } else {
      socket.end("HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\n");
    }
  });
}

server.listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port));
// Nobody is left to be served when the parent is gone.
process.on("disconnect", () => process.exit());
