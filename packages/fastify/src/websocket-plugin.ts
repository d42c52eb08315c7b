import type { IncomingMessage } from "node:http";
import { emitsOn, walkOf } from "@firmshake/node/adapter";
import type { FastifyInstance } from "fastify";

/** What `@fastify/websocket` decorates an instance with, as far as it is used. */
interface Decorated {
  readonly injectWS: () => Promise<unknown>;
  readonly websocketServer: {
    handleUpgrade: (request: IncomingMessage, ...others: readonly unknown[]) => void;
  };
}

const found = new WeakSet<FastifyInstance>();

/** Whether `@fastify/websocket` is the one library behind the gate. Then it starts the lifecycle itself, and one is enough. */
export const isOnlyListener = (instance: FastifyInstance): boolean =>
  found.has(instance) && instance.server.listenerCount("upgrade") === 1;

/** When all plugins are loaded: looks whether `@fastify/websocket` is behind the gate, and has it ask before it accepts. */
export function lookForPlugin(instance: FastifyInstance): void {
  const { injectWS, websocketServer } = instance as Partial<Decorated>;
  if (injectWS === undefined || websocketServer === undefined) return;
  // It may have been told to listen on another server.
  if (!emitsOn(instance.server, injectWS.bind(instance))) return;
  found.add(instance);
  const { handleUpgrade } = websocketServer;
  websocketServer.handleUpgrade = (request, ...others) => {
    const accept = (): void => handleUpgrade.call(websocketServer, request, ...others);
    const walk = walkOf(request);
    if (walk === undefined) accept();
    else walk.end(accept);
  };
}
