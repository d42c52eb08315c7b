import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { Handshake } from "@firmshake/core";
import { forgetWithheld } from "../hand-over.ts";
import { withWaitingBytes } from "../target.ts";
import { walkOf } from "./walk.ts";

/** A `WebSocketServer` of ws without a server of its own, as far as it is used. */
interface Accepting {
  handleUpgrade: (
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    ...others: readonly unknown[]
  ) => void;
}

/** What a framework makes of a request, and shows to handlers. */
export interface RequestView {
  readonly query: unknown;
  readonly originalUrl: string;
}

const asking = new WeakSet<Accepting>();

/**
 * Has a `WebSocketServer` that an application's stack accepts by end the walk before it accepts.
 *
 * @param viewOf - What handlers see of the request. What must not be seen behind the gate is taken out of it.
 */
export function askBeforeAccepting(
  server: Accepting,
  viewOf: (handshake: Handshake) => RequestView,
): void {
  if (asking.has(server)) return;
  asking.add(server);
  const { handleUpgrade } = server;
  server.handleUpgrade = (request, socket, head, ...others) => {
    const walk = walkOf(request);
    if (walk === undefined) return handleUpgrade.call(server, request, socket, head, ...others);
    walk.end((meter) => {
      withhold(request, walk.handshake, viewOf(walk.handshake));
      const early = meter(socket, withWaitingBytes(head, socket)) ?? head;
      handleUpgrade.call(server, request, socket, early, ...others);
    });
  };
}

function withhold(request: IncomingMessage, handshake: Handshake, view: RequestView): void {
  forgetWithheld(view.query, handshake);
  const { originalUrl: value = request.url } = request as { readonly originalUrl?: string };
  // Fastify remembers it from when a hook has asked for it first.
  if (view.originalUrl !== value) Object.defineProperty(view, "originalUrl", { value });
}
