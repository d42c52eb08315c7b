import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import type { Gate } from "@firmshake/node";
import { answerIn, dial, handshakeText, type RawAnswer, type RawHandshake } from "./raw-client.ts";
import { type HandedOver, listen } from "./server.ts";

export interface WalkedServer {
  readonly server: Server;
  readonly port: number;
  readonly gate: Gate;
  readonly handedOver: HandedOver[];
  /** What comes of one handshake: 101, or the answer. */
  readonly shake: (sketch?: RawHandshake) => Promise<RawAnswer>;
  /** The same, byte for byte. */
  readonly bytesOf: (sketch?: RawHandshake) => Promise<string>;
}

/** Puts a listener behind a gate that answers "101" in its own words. */
export async function walkedServerOf(server: Server, gate: Gate): Promise<WalkedServer> {
  const handedOver: HandedOver[] = [];
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    handedOver.push({ request, socket, head });
    socket.on("error", () => undefined);
    socket.end("HTTP/1.1 101 Handed over\r\n\r\n");
  });
  const port = await listen(server);
  const bytesOf = async (sketch: RawHandshake = {}): Promise<string> => {
    const client = await dial(port);
    client.send(handshakeText(sketch));
    return client.closed;
  };
  const shake = async (sketch?: RawHandshake): Promise<RawAnswer> =>
    answerIn(await bytesOf(sketch));
  return { server, port, gate, handedOver, shake, bytesOf };
}
