import type { Server } from "node:http";
import {
  type AnyCheck,
  attach,
  type CloseEvent,
  type DecisionEvent,
  type Gate,
  guard,
  insecureAnyOrigin,
  type LimitsOptions,
  type Policy,
} from "@firmshake/node";
import { onTestFinished } from "vitest";
import { handshakeText, type RawClient, type RawHandshake } from "../support/raw-client.ts";
import { listen } from "../support/server.ts";
import type { Library } from "./library.ts";

export interface ServeOptions {
  /** Decides on the library's path, where no policy is given. */
  readonly check?: AnyCheck;
  readonly policy?: Policy;
  /** What the gate holds accepted connections to. */
  readonly limits?: LimitsOptions;
  /** When the gate is attached, as seen from the library. Default: after it, which all of them bear. */
  readonly attached?: "before" | "after" | "never";
}

/** A library that serves, behind a gate or without one. */
export interface Serving {
  readonly server: Server;
  readonly port: number;
  readonly close: () => Promise<unknown>;
  /** What happened to the application, in order. */
  readonly log: readonly string[];
  /** What the library gave the application of each connection. */
  readonly requests: readonly object[];
  readonly decisions: readonly DecisionEvent[];
  /** Those that the gate has closed. */
  readonly closes: readonly CloseEvent[];
  /** How many handshakes wait for a decision. */
  readonly pending: () => number;
}

/** Starts the library, until the test is over. */
export async function serve(library: Library, options: ServeOptions = {}): Promise<Serving> {
  const { check, attached = "after", limits = {} } = options;
  const policy = options.policy ?? {
    [library.path]: guard(insecureAnyOrigin(), ...(check === undefined ? [] : [check])),
  };
  const log: string[] = [];
  const requests: object[] = [];
  const decisions: DecisionEvent[] = [];
  const closes: CloseEvent[] = [];
  let gate: Gate | undefined;
  const put = (server: Server): void => {
    gate = attach(server, policy, {
      limits,
      onDecision: (event) => decisions.push(event),
      onClose: (event) => closes.push(event),
    });
  };

  const app = {
    connected: (request: object) => {
      requests.push(request);
      log.push("connection");
    },
    said: (text: string) => void log.push(`message ${text}`),
    left: (how: unknown) => void log.push(`close ${how}`),
  };
  const started = await library.start(app, attached === "before" ? put : () => undefined);
  const { server } = started;
  if (attached === "after") put(server);
  let closing: Promise<unknown> | undefined;
  const close = (): Promise<unknown> => {
    closing ??= (async () => started.close())();
    return closing;
  };
  // By then the server may be closed already, which some libraries complain of.
  onTestFinished(() => close().then(undefined, () => undefined) as Promise<void>);
  const port = await listen(server);
  return {
    server,
    port,
    close,
    log,
    requests,
    decisions,
    closes,
    pending: () => gate?.pending ?? 0,
  };
}

/** The handshake of the library's client, by hand. */
export function handshakeFor(
  { target, protocols, polls = false }: Library,
  sketch: RawHandshake = {},
): string {
  if (polls) return pollText(sketch.target ?? target);
  const offered = protocols?.join(", ");
  return handshakeText({
    target,
    ...sketch,
    headers: { "Sec-WebSocket-Protocol": offered, ...sketch.headers },
  });
}

const pollText = (target: string): string =>
  handshakeText({
    target: target.includes("?") ? target : `${target}?transport=polling`,
    headers: {
      Upgrade: undefined,
      Connection: undefined,
      "Sec-WebSocket-Version": undefined,
      "Sec-WebSocket-Key": undefined,
    },
  });

/** Says that text by hand, as the library's client does once it is connected, and waits for the answer. */
export async function sayByHand(
  client: RawClient,
  { opening, frameOf }: Library,
  text: string,
): Promise<string> {
  await client.until("\r\n\r\n");
  if (opening !== undefined) {
    client.send(opening.frame);
    await client.until(opening.answer);
  }
  client.send(frameOf(text));
  return client.until(text);
}

/** What a hasty client sends to say those texts, before it has heard anything. */
export function earlyFrames(
  { opening, frameOf, polls = false }: Library,
  texts: readonly string[],
): Buffer {
  if (polls) return Buffer.alloc(0);
  const frames = texts.map(frameOf);
  return Buffer.concat(opening === undefined ? frames : [opening.frame, ...frames]);
}

/** A masked close frame with the code 1000 (RFC 6455 §5.5.1). */
export const closeFrame: Buffer = Buffer.concat([
  Buffer.from([0x88, 0x82, 0, 0, 0, 0]),
  Buffer.from([0x03, 0xe8]),
]);
