import { createServer } from "node:http";
import { attach, type GateOptions } from "@firmshake/express";
import express from "express";
import express4 from "express4";
import { type WalkedServer, walkedServerOf } from "../support/walked-server.ts";

/** Both majors, by one table. */
export const majors = [
  { major: "Express 5", express },
  { major: "Express 4", express: express4 },
] as const;

/** An app on a server with a gate, and behind it a listener that answers "101" in its own words. */
export function walkedServer(
  app: express.Application,
  options: GateOptions = {},
): Promise<WalkedServer> {
  const server = createServer(app);
  return walkedServerOf(server, attach(server, app, options));
}
