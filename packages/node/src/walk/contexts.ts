import { ConfigError, type Handshake } from "@firmshake/core";

/** What a framework makes of requests, found by their handshakes: for checks that look there. */
export interface Contexts<Context extends object> {
  readonly put: (handshake: Handshake, context: Context) => void;
  /** @throws {@link ConfigError} `ERR_FIRMSHAKE_NOT_ATTACHED` for a handshake that did not come through the framework. */
  readonly of: (handshake: Handshake) => Context;
}

/** @param owner - How the function is called that asks, for its message. */
export function makeContexts<Context extends object>(owner: string): Contexts<Context> {
  const contexts = new WeakMap<Handshake, Context>();
  return {
    put: (handshake, context) => void contexts.set(handshake, context),
    of: (handshake) => {
      const context = contexts.get(handshake);
      if (context !== undefined) return context;
      throw new ConfigError(
        "ERR_FIRMSHAKE_NOT_ATTACHED",
        `${owner}: this handshake has not come through the application. Use it in guards of an application that the gate was attached with.`,
      );
    },
  };
}
