import { readFileSync } from "node:fs";
import type { Server } from "node:http";
import type { PathPattern } from "@firmshake/node";

/** One WebSocket library, started for real and reached by its own client. */
export interface Library {
  readonly name: string;
  /** The npm package whose version the table shows. */
  readonly package: string;
  /** Where its handshakes come, as a guard's route. */
  readonly path: PathPattern;
  /** The request target of a handshake. */
  readonly target: string;
  /** What its client offers as subprotocols. */
  readonly protocols?: readonly string[];
  /**
   * Starts an application that answers every message by itself, and `leave` by closing with 4001.
   *
   * @param prepare - Called with the server once it is there, before the library listens for upgrades.
   */
  readonly start: (app: Application, prepare: (server: Server) => void) => Promise<Started>;
  /** Rejects where the server refuses. */
  readonly connect: (port: number) => Promise<Client>;
  /** Whether its handshake is an ordinary request, and whatever it says a request of its own. */
  readonly polls?: boolean;
  /** The frame by which a client says that text. */
  readonly frameOf: (text: string) => Buffer;
  /** The frame that a client must send before it may say something, and what shows that it was answered. */
  readonly opening?: { readonly frame: Buffer; readonly answer: string };
  /** What of an answer is different each time. */
  readonly random?: RegExp;
  /** Whether closing the library leaves its clients connected. */
  readonly keepsClients: boolean;
  /** What it cannot have, with the reason. */
  readonly lacks: Lacks;
}

export type Lacks = { readonly [behaviour in BehaviourId]?: string };

export type BehaviourId =
  | "accepted"
  | "refused"
  | "silent"
  | "identity"
  | "resets"
  | "haste"
  | "early"
  | "order"
  | "shared"
  | "elsewhere"
  | "tokens"
  | "unchanged"
  | "malformed"
  | "notText"
  | "sizes"
  | "pings"
  | "bombs"
  | "bursts"
  | "slow";

export interface Started {
  readonly server: Server;
  /** Closes in the way that the library's manual tells. */
  readonly close: () => unknown;
}

/** What an application behind the library tells of. */
export interface Application {
  /** In the library's own event of a new connection, with the request (or what stands for it) that the library hands out. */
  readonly connected: (request: object) => void;
  readonly said: (text: string) => void;
  /** With whatever the library says of the end. */
  readonly left: (how: unknown) => void;
}

/** A connected client. */
export interface Client {
  /** What happened to it, in order. */
  readonly log: readonly string[];
  /** The answer to that text. */
  readonly say: (text: string) => Promise<string>;
  /** Says that text, and expects no answer. */
  readonly tell: (text: string) => void;
  readonly close: () => void;
  readonly ended: Promise<void>;
}

/** Of the installed package, in its own words. */
export function versionOf({ package: name }: Library): string {
  const manifest = new URL(`../../node_modules/${name}/package.json`, import.meta.url);
  return (JSON.parse(readFileSync(manifest, "utf8")) as { readonly version: string }).version;
}
