import { onTestFinished } from "vitest";
import { WebSocket } from "ws";
import type { Client } from "./library.ts";

/** A client that a library builds on: events in, texts out. */
export interface ClientEvents {
  readonly opened: () => void;
  readonly failed: (error: unknown) => void;
  readonly heard: (text: string) => void;
  readonly ended: (how: string) => void;
}

/** Makes a {@link Client} of anything that connects, sends and closes. It is closed when the test is over. */
export function connecting(
  dial: (events: ClientEvents) => {
    readonly send: (text: string) => void;
    readonly close: () => void;
  },
): Promise<Client> {
  const log: string[] = [];
  const waiting: ((text: string) => void)[] = [];
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  return new Promise((resolve, reject) => {
    const { send, close } = dial({
      opened: () => {
        log.push("open");
        // What `dial` answers with is known by then, also where a client opens at once.
        queueMicrotask(() =>
          resolve({
            log,
            ended,
            close,
            tell: send,
            say: (text) =>
              new Promise((answer) => {
                waiting.push(answer);
                send(text);
              }),
          }),
        );
      },
      heard: (text) => {
        log.push(`message ${text}`);
        waiting.shift()?.(text);
      },
      failed: reject,
      ended: (how) => {
        log.push(`close ${how}`);
        end();
        reject(new Error(`closed before it was open: ${how}`));
      },
    });
    onTestFinished(close);
  });
}

/** What all clients with the API of browsers have in common. */
export interface BrowserLike {
  readonly send: (text: string) => void;
  readonly close: (code?: number) => void;
  onopen: unknown;
  onmessage: unknown;
  onerror: unknown;
  onclose: unknown;
}

/** How texts travel; by themselves unless said otherwise. */
export interface Wrapping {
  readonly wrap: (text: string) => string;
  readonly unwrap: (data: string) => string;
}

const asTheyAre: Wrapping = { wrap: (text) => text, unwrap: (data) => data };

/** A client with the API of browsers. */
export function browserLike(
  socket: BrowserLike,
  { wrap, unwrap }: Wrapping = asTheyAre,
): Promise<Client> {
  return connecting(({ opened, failed, heard, ended }) => {
    socket.onopen = opened;
    socket.onmessage = ({ data }: { readonly data: unknown }) => heard(unwrap(String(data)));
    socket.onerror = () => failed(new Error("the client reports an error"));
    socket.onclose = ({ code, reason }: { readonly code: number; readonly reason: string }) =>
      ended(`${code} ${reason}`);
    return { send: (text) => socket.send(wrap(text)), close: () => socket.close() };
  });
}

/** The client of `ws`. */
export const wsClient = (
  port: number,
  target: string,
  protocols: readonly string[] = [],
  wrapping: Wrapping = asTheyAre,
): Promise<Client> =>
  browserLike(new WebSocket(`ws://127.0.0.1:${port}${target}`, [...protocols]), wrapping);

/** Node's own client; on releases that have none, the one of `ws`. */
export const nodeClient = (port: number, target: string): Promise<Client> =>
  browserLike(new (globalThis.WebSocket ?? WebSocket)(`ws://127.0.0.1:${port}${target}`));
