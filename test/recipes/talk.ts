import { once } from "node:events";
import type { IncomingMessage, Server } from "node:http";
import { onTestFinished } from "vitest";
import { WebSocket } from "ws";
import { handshakeText, type RawHandshake } from "../support/raw-client.ts";

/** The page that the recipes let in. */
export const origin = "https://app.example.com";

/** A client that hears everything from the first byte on. */
export interface Talk {
  readonly socket: WebSocket;
  /** The next message, once it is there. */
  readonly next: () => Promise<string>;
}

export interface TalkOptions {
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Connects with the token as a subprotocol, as browsers do. Terminated when the test is over. */
export async function talk(url: string, options: TalkOptions = {}): Promise<Talk> {
  const { token, headers = {} } = options;
  const protocols = token === undefined ? [] : ["bearer", token];
  const socket = new WebSocket(url, protocols, { origin, headers });
  onTestFinished(() => socket.terminate());
  const heard: string[] = [];
  const waiting: ((text: string) => void)[] = [];
  socket.on("message", (data) => {
    const listener = waiting.shift();
    if (listener === undefined) heard.push(String(data));
    else listener(String(data));
  });
  await once(socket, "open");
  socket.on("error", () => undefined);
  return {
    socket,
    next: () => {
      const text = heard.shift();
      return text === undefined
        ? new Promise((resolve) => waiting.push(resolve))
        : Promise.resolve(text);
    },
  };
}

/** A handshake by hand, with the token in a header. */
export function handshakeWith(
  token: string | undefined,
  headers: RawHandshake["headers"] = {},
): string {
  const authorization = token === undefined ? undefined : `Bearer ${token}`;
  return handshakeText({ headers: { Origin: origin, Authorization: authorization, ...headers } });
}

/** Notes the upgrades that whatever listens on the server gets to see. */
export function upgradesBehind(server: Server): readonly (string | undefined)[] {
  const seen: (string | undefined)[] = [];
  server.on("upgrade", ({ url }: IncomingMessage) => void seen.push(url));
  return seen;
}
