import type { IncomingMessage } from "node:http";
import { type Connection, connectionOf } from "@firmshake/node";
import type { Traffic } from "../protocol.ts";

/** Counts what comes on the connections that a gate has let in. */
export interface TrafficCounter {
  /** An upgrade is about to be the library's. Other protocols than WebSocket pass the gate without having been let in, and do not count. */
  readonly onHandOver: (request: IncomingMessage) => void;
  /** A message has come, of a request or of a session that began by another one. */
  readonly onMessage: (request: IncomingMessage, sessionId?: string) => void;
  readonly of: (connection: Connection) => Traffic;
}

interface Count {
  messages: number;
  readonly bytes: () => number;
}

export function createTrafficCounter(): TrafficCounter {
  const byConnection = new WeakMap<Connection, Count>();
  const byRequest = new WeakMap<IncomingMessage, Count>();
  const bySession = new Map<string, Count>();
  return {
    onHandOver: (request) => {
      const connection = letIn(request);
      if (connection === undefined) return;
      const { socket, url = "" } = request;
      const before = socket.bytesRead;
      const count: Count = { messages: 0, bytes: () => socket.bytesRead - before };
      byConnection.set(connection, count);
      byRequest.set(request, count);
      const sessionId = new URLSearchParams(url.split("?")[1]).get("sid");
      if (sessionId === null) return;
      bySession.set(sessionId, count);
      socket.once("close", () => bySession.delete(sessionId));
    },
    onMessage: (request, sessionId = "") => {
      const count = byRequest.get(request) ?? bySession.get(sessionId);
      if (count !== undefined) count.messages++;
    },
    of: (connection) => {
      const { messages, bytes } = byConnection.get(connection) ?? unheard;
      return { messages, bytes: bytes() };
    },
  };
}

const unheard: Count = { messages: 0, bytes: () => 0 };

function letIn(request: IncomingMessage): Connection | undefined {
  try {
    return connectionOf(request);
  } catch {
    return undefined;
  }
}
