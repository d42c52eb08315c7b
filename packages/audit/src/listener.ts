import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** A server of the audit's own on this machine, which notes whether anybody comes. */
export interface Listener {
  readonly port: number;
  readonly requests: () => number;
}

/** Listens while something is tried. Answers everybody with the text, as JSON. */
export async function withListener<Value>(
  answer: ((port: number) => string) | undefined,
  act: (listener: Listener) => Promise<Value>,
): Promise<Value> {
  let connections = 0;
  const server = createServer((_, response) => {
    response.setHeader("Content-Type", "application/json");
    response.end(answer?.((server.address() as AddressInfo).port) ?? "{}");
  });
  server.on("connection", () => {
    connections++;
  });
  server.on("upgrade", (_, socket) => socket.destroy());
  server.on("clientError", (_, socket) => socket.destroy());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const { port } = server.address() as AddressInfo;
    return await act({ port, requests: () => connections });
  } finally {
    server.close();
    server.closeAllConnections();
  }
}
