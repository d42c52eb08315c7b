import { checkList, type RemedyExample } from "@firmshake/audit";
import type { Example } from "./examples.ts";

/** The code in the findings of the audit, each once, with what stands around it in a reader's own file. */
export function remedyExamples(): readonly Example[] {
  const all = checkList.flatMap(({ id, remedy }) =>
    remedy.examples.map((example) => ({ id, ...example })),
  );
  const seen = new Set<string>();
  return all.flatMap(({ id, ...example }, index) => {
    const key = `${example.library} ${example.code}`;
    if (seen.has(key)) return [];
    seen.add(key);
    const code = `${before(example)}\n\nexport async function mend() {\n${example.code}\n}\n`;
    const place = `packages/audit/src/remedies/examples.ts, ${id}, ${index}`;
    return [{ place, language: "ts" as const, flags: ["no-run"], code }];
  });
}

const before = ({ library, isFirmshake, code }: RemedyExample): string =>
  [
    ...surroundings[`${library}${isFirmshake ? " guarded" : ""}`],
    ...(isFirmshake ? guarded(library, code) : []),
  ].join("\n");

type Place = RemedyExample["library"] | `${RemedyExample["library"]} guarded`;

const surroundings: Readonly<Record<Place, readonly string[]>> = {
  ws: [
    'import { createServer, type IncomingMessage } from "node:http";',
    'import { WebSocketServer } from "ws";',
    "declare const check: (request: IncomingMessage) => void;",
    "const server = createServer();",
    "const wss = new WebSocketServer({ noServer: true });",
  ],
  "socket.io": [
    'import { createServer } from "node:http";',
    'import { Server } from "socket.io";',
    "const server = createServer();",
  ],
  express: [
    'import type { WebSocket } from "ws";',
    "declare const app: { ws: (path: string, serve: (socket: WebSocket) => void) => void };",
  ],
  koa: [],
  fastify: [
    'import websocket from "@fastify/websocket";',
    'import fastify from "fastify";',
    "const app = fastify();",
  ],
  node: [
    'import type { Duplex } from "node:stream";',
    'import { createServer } from "node:https";',
    "declare const socket: Duplex;",
    "declare const [key, fullChain, ticket]: readonly [string, string, string];",
    "declare const redis: { getDel: (key: string) => Promise<string | null> };",
  ],
  "ws guarded": [],
  "socket.io guarded": [],
  "node guarded": ['import { createServer } from "node:http";', "const server = createServer();"],
  "express guarded": ['import express from "express";', "const app = express();"],
  "koa guarded": [
    'import Router from "@koa/router";',
    'import Koa from "koa";',
    "const app = new Koa();",
    "const router = new Router();",
  ],
  "fastify guarded": ['import fastify from "fastify";', "const app = fastify();"],
};

/** Everything with which Firmshake is called in it, from the one package. */
function guarded(library: RemedyExample["library"], code: string): readonly string[] {
  const called = [...code.matchAll(/(?<![.\w])([a-z]\w+)(?=\()/gi)].map(([name]) => name);
  const names = new Set([...called, ...(code.includes("(firmshake,") ? ["firmshake"] : [])]);
  return [
    `import { ${[...names].join(", ")}, type TicketStore } from "@firmshake/${library}";`,
    "declare const store: TicketStore;",
    "declare const [issuer, audience, jwksUri]: readonly [string, string, string];",
  ];
}
