import { ConfigError, type MaybePromise } from "@firmshake/core";
import { aFunction, anything, aPositiveInteger, readOptions } from "@firmshake/core/gate";
import type { Allow, MessageConnection } from "./allow.ts";
import { type Checked, type DataOf, type Schema, validatorOf } from "./schema.ts";

/** What {@link message} takes. `schema` is required. */
export interface MessageOptions<S extends Schema, Connection> {
  /** What the data must be: a Standard Schema (zod, valibot, arktype), or a compiled function (ajv, typebox). */
  readonly schema: S;
  /** Who may send it, asked before the data is looked at. Without it, nobody may. */
  readonly allow?: Allow<Connection>;
  /** Who may send it with just this data, asked once the schema has let it through. */
  readonly allowData?: (connection: Connection, data: DataOf<S>) => MaybePromise<boolean>;
  /** What it takes from the budget of its connection: a whole number. Default 1. */
  readonly cost?: number;
}

/** A type of message, as {@link message} makes it. */
export interface MessageType<Data, Connection> {
  readonly allow: Allow<Connection>;
  readonly allowData: ((connection: Connection, data: never) => MaybePromise<boolean>) | undefined;
  readonly validate: (value: unknown) => MaybePromise<Checked>;
  readonly cost: number;
  /** Never there; it carries what the schema says to the handler. */
  readonly data?: Data;
}

/** Any type of message. */
export type AnyMessageType = MessageType<unknown, never>;

/**
 * Declares one type of message: what its data must be, who may send it, and what it costs. Who is not allowed is denied, so a type without
 * `allow` is denied to everybody.
 *
 * @throws {@link ConfigError} for options that are not as above.
 *
 * @example
 * ```ts
 * import { authenticated, message } from "@firmshake/messages";
 * import { z } from "zod";
 *
 * const say = message({
 *   schema: z.object({ room: z.string().max(64), text: z.string().max(500) }),
 *   allow: authenticated,
 *   allowData: ({ identity }, { room }) => room === "lobby" || identity?.subject === room,
 *   cost: 2,
 * });
 * ```
 */
export function message<S extends Schema, Connection = MessageConnection>(
  options: MessageOptions<S, Connection>,
): MessageType<DataOf<S>, NoInfer<Connection>> {
  const {
    schema,
    allow,
    allowData,
    cost = 1,
  } = readOptions<MessageOptions<S, Connection>>(
    "message",
    options,
    { schema: anything, allow: aFunction, allowData: aFunction, cost: aPositiveInteger },
    ["schema"],
  );
  const validate = validatorOf(schema);
  if (validate === undefined) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTION_INVALID",
      `message: "schema" must be a Standard Schema such as z.object({...}), or a compiled one such as ajv.compile(...).`,
    );
  }
  return Object.freeze({ allow: allow ?? nobody, allowData, validate, cost });
}

const nobody = (): boolean => false;
