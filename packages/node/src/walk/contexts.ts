import type { IncomingMessage } from "node:http";
import { ConfigError, type Handshake } from "@firmshake/core";
import { sourceOf } from "@firmshake/core/gate";
import { handshakeOf } from "../connection.ts";
import { makeStamp } from "../stamp.ts";
import { walkOf } from "./walk.ts";

/** What a framework makes of Node's requests, found by their handshakes: for checks that look there. */
export interface Contexts<Context extends object> {
  /** For an upgrade that is on a walk or was handed over; of other requests nothing is kept. */
  readonly put: (request: IncomingMessage, context: Context) => void;
  /** @throws {@link ConfigError} `ERR_FIRMSHAKE_NOT_ATTACHED` for a handshake that did not come through the framework. */
  readonly of: (handshake: Handshake) => Context;
}

/** @param owner - How the function is called that asks, for its message. */
export function makeContexts<Context extends object>(owner: string): Contexts<Context> {
  const contexts = makeStamp<Context>();
  return {
    put: (request, context) => {
      const isKept = walkOf(request) !== undefined || handshakeOf(request) !== undefined;
      if (isKept) contexts.put(request, context);
    },
    of: (handshake) => {
      const context = contexts.of(sourceOf(handshake).request);
      if (context !== undefined) return context;
      throw new ConfigError(
        "ERR_FIRMSHAKE_NOT_ATTACHED",
        `${owner}: this handshake has not come through the application. Use it in guards of an application that the gate was attached with.`,
      );
    },
  };
}
