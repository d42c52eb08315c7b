import type { IncomingMessage } from "node:http";
import { createServer, type Server } from "node:http";
import type { Duplex } from "node:stream";
import { attach, type Gate, type GateOptions } from "@firmshake/express";
import express from "express";
import express4 from "express4";
import { onTestFinished } from "vitest";
import {
  answerIn,
  dial,
  handshakeText,
  type RawAnswer,
  type RawHandshake,
} from "../support/raw-client.ts";
import type { HandedOver } from "../support/server.ts";
import { listen } from "../support/server.ts";

/** Both majors, by one table. */
export const majors = [
  { major: "Express 5", express },
  { major: "Express 4", express: express4 },
] as const;

export interface WalkedServer {
  readonly server: Server;
  readonly port: number;
  readonly gate: Gate;
  readonly handedOver: HandedOver[];
  /** What comes of one handshake: 101, or the answer. */
  readonly shake: (sketch?: RawHandshake) => Promise<RawAnswer>;
}

/** An app on a server with a gate, and behind it a listener that answers "101" in its own words. */
export async function walkedServer(
  app: express.Application,
  options: GateOptions = {},
): Promise<WalkedServer> {
  const server = createServer(app);
  const gate = attach(server, app, options);
  const handedOver: HandedOver[] = [];
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    handedOver.push({ request, socket, head });
    socket.on("error", () => undefined);
    socket.end("HTTP/1.1 101 Handed over\r\n\r\n");
  });
  const port = await listen(server);
  const shake = async (sketch: RawHandshake = {}): Promise<RawAnswer> => {
    const client = await dial(port);
    client.send(handshakeText(sketch));
    return answerIn(await client.closed);
  };
  return { server, port, gate, handedOver, shake };
}

/** The process's warnings with a code of ours, from now until the test is over. */
export function captureWarnings(): readonly string[] {
  const codes: string[] = [];
  const note = (warning: Error & { code?: string }): void => {
    if (warning.code?.startsWith("FIRMSHAKE_")) codes.push(warning.code);
  };
  process.on("warning", note);
  onTestFinished(() => void process.off("warning", note));
  return codes;
}
