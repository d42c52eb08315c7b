import { ConfigError } from "@firmshake/core";
import { aFunction, anObject, readOptions } from "@firmshake/core/gate";
import type { Terms } from "./terms.ts";

/** What listens to a connection, read. */
export interface ReadHandlers {
  readonly connection: object;
  readonly handlers: ReadonlyMap<string, unknown>;
  readonly onBinary: unknown;
}

interface Given {
  readonly connection: object;
  readonly on: object;
  readonly onBinary?: unknown;
}

/** Reads who listens to what: every type has one handler, and every handler has a type. */
export function readHandlers(
  owner: string,
  { types, binary }: Terms,
  options: object,
): ReadHandlers {
  const { connection, on, onBinary } = readOptions<Given>(
    owner,
    options,
    { connection: anObject, on: anObject, onBinary: aFunction },
    ["connection", "on"],
  );
  const handlers = new Map<string, unknown>(Object.entries(on));
  for (const name of types.keys()) {
    if (typeof handlers.get(name) !== "function")
      throw missing(owner, `"on" has no function "${name}"`);
  }
  for (const name of handlers.keys()) {
    if (types.has(name)) continue;
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTION_UNKNOWN",
      `${owner}: "on" has a handler "${name}", but there is no such type; it would never be called.`,
    );
  }
  if (owner === "listen" && typeof binary !== "string" && onBinary === undefined) {
    throw missing(owner, `"onBinary" is required, since "binary" is a type`);
  }
  if (onBinary !== undefined && typeof binary === "string") {
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTIONS_CONTRADICT",
      `${owner}: "onBinary" would never be called, since "binary" is no type. Write messages({ binary: message({...}) }).`,
    );
  }
  return { connection, handlers, onBinary };
}

const missing = (owner: string, what: string): ConfigError =>
  new ConfigError("ERR_FIRMSHAKE_OPTION_MISSING", `${owner}: ${what}; each type needs a handler.`);
