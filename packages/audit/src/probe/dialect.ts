import type { Dress } from "../credentials.ts";
import type { Stack } from "../report.ts";
import type { Target } from "../target.ts";
import type { Connection } from "./connection.ts";

/** What is spoken above WebSocket, and how its opening goes. */
export interface Dialect {
  readonly name: Stack["dialect"];
  /** Speaks the opening as the user's own client does; says whether the server agreed. */
  readonly open: (connection: Connection, dress: Dress, timeoutMs: number) => Promise<Opening>;
}

/** `mute` where the server did not say what it says to everybody. */
export type Opening = "agreed" | "denied" | "mute";

/** Tells the dialect by path and subprotocol. */
export function dialectOf({ url }: Target, protocols: readonly string[]): Dialect {
  if (url.searchParams.has("EIO") || /\/(?:socket|engine)\.io\/?$/.test(url.pathname)) {
    const isSocketIo = /\/socket\.io\/?$/.test(url.pathname);
    return engineIo(isSocketIo && url.searchParams.get("EIO") !== "3");
  }
  const graphql = (["graphql-transport-ws", "graphql-ws"] as const).find((name) =>
    protocols.includes(name),
  );
  return graphql === undefined ? plain : graphqlOver(graphql);
}

/** What Engine.IO demands of a WebSocket's URL. */
export function withEngineIoQuery(target: Target): Target {
  const { url } = target;
  if (!/\/(?:socket|engine)\.io\/?$/.test(url.pathname)) return target;
  const read = new URL(url);
  if (!read.pathname.endsWith("/")) read.pathname += "/";
  if (!read.searchParams.has("EIO")) read.searchParams.set("EIO", "4");
  if (!read.searchParams.has("transport")) read.searchParams.set("transport", "websocket");
  return { ...target, url: read, path: `${read.pathname}${read.search}` };
}

const plain: Dialect = {
  name: "websocket",
  open: async (connection, { opening }) => {
    for (const message of opening) connection.sendText(message);
    return "agreed";
  },
};

/** Engine.IO sends an open packet first; Socket.IO's client then connects to a namespace, and is let in or not. */
function engineIo(isSocketIo: boolean): Dialect {
  return {
    name: "engine.io",
    open: async (connection, { connectPayload, opening }, timeoutMs) => {
      const open = await connection.listen(timeoutMs, (text) => text.startsWith("0"));
      if (open === undefined) return "mute";
      if (isSocketIo) {
        connection.sendText(
          `40${connectPayload === undefined ? "" : JSON.stringify(connectPayload)}`,
        );
        const answer = await connection.listen(timeoutMs, (text) => /^4[04]/.test(text));
        if (answer === undefined) return "mute";
        if (answer.startsWith("44")) return "denied";
      }
      for (const message of opening) connection.sendText(message);
      return "agreed";
    },
  };
}

function graphqlOver(name: "graphql-transport-ws" | "graphql-ws"): Dialect {
  return {
    name,
    open: async (connection, { connectPayload, opening }, timeoutMs) => {
      const init = {
        type: "connection_init",
        ...(connectPayload !== undefined && { payload: connectPayload }),
      };
      connection.sendText(JSON.stringify(init));
      const answer = await connection.listen(timeoutMs, (text) =>
        /"type"\s*:\s*"connection_(?:ack|error)"/.test(text),
      );
      if (answer === undefined) return "mute";
      if (answer.includes("connection_error")) return "denied";
      for (const message of opening) connection.sendText(message);
      return "agreed";
    },
  };
}
