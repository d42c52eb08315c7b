import type { IncomingMessage } from "node:http";
import { ConfigError, type Handshake } from "@firmshake/core";
import { sourceOf } from "@firmshake/core/gate";
import { makeStamp } from "../stamp.ts";

/** What a framework makes of Node's requests, found by their handshakes: for checks that look there. */
export interface Contexts<Context extends object> {
  readonly put: (request: IncomingMessage, context: Context) => void;
  /** @throws {@link ConfigError} `ERR_FIRMSHAKE_NOT_ATTACHED` for a handshake that did not come through the framework. */
  readonly of: (handshake: Handshake) => Context;
}

/** @param owner - How the function is called that asks, for its message. */
export function makeContexts<Context extends object>(owner: string): Contexts<Context> {
  const contexts = makeStamp<Context>();
  return {
    put: (request, context) => contexts.put(request, context),
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
