import { ConfigError } from "../config/config-error.ts";
import { aBoolean, kindOf, readOptions } from "../config/options.ts";
import { allowWith, refuse } from "../decision/decision.ts";
import { type Check, defineCheck, ranks } from "../guard/check.ts";
import { progressOf } from "../handshake/handshake.ts";
import { isHttpToken } from "../parse/http-token.ts";

/** What {@link subprotocol} takes besides the list. */
export interface SubprotocolOptions {
  /** Whether handshakes that offer none of the list are refused. Default true. */
  readonly required?: boolean;
}

/**
 * Agrees on one of the listed subprotocols: the client's first choice among them (RFC 6455 §1.9). The WebSocket library is shown that one
 * alone, so it cannot choose another, and the fact `subprotocol` names it.
 *
 * Polling has no subprotocols: it is refused, unless `required` is false. To ask it of WebSockets alone, write
 * `when(({ transport }) => transport === "websocket", subprotocol([...]))`.
 *
 * @throws {@link ConfigError} `ERR_FIRMSHAKE_OPTION_INVALID` for a name that is not a token.
 *
 * @example
 * ```ts
 * import { guard, subprotocol } from "@firmshake/core";
 *
 * const chat = guard(subprotocol(["chat.v2", "chat.v1"]));
 * ```
 */
export function subprotocol(
  names: readonly string[],
  options?: SubprotocolOptions & { readonly required?: true },
): Check<{ readonly subprotocol: string }>;
export function subprotocol(
  names: readonly string[],
  options: SubprotocolOptions,
): Check<{ readonly subprotocol: string | undefined }>;
export function subprotocol(
  names: readonly string[],
  options: SubprotocolOptions = {},
): Check<{ readonly subprotocol: string | undefined }> {
  const { required = true } = readOptions<SubprotocolOptions>("subprotocol", options, {
    required: aBoolean,
  });
  if (!Array.isArray(names) || names.length === 0 || !names.every(isName)) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTION_INVALID",
      `subprotocol: write a list of tokens such as ["chat.v1"], got ${kindOf(names)}.`,
    );
  }
  const spoken = new Set<string>(names);
  return defineCheck(
    {
      name: "subprotocol",
      summary: `${names.join(", ")}${required ? "" : ", or none"}`,
      rank: ranks.header,
    },
    (handshake) => {
      const agreed = handshake.protocols.find((name) => spoken.has(name));
      if (agreed === undefined && required) {
        return handshake.protocols.length === 0 ? missing : unsupported;
      }
      progressOf(handshake).agreed = agreed === undefined ? [] : [agreed];
      return allowWith({ subprotocol: agreed });
    },
  );
}

const missing = refuse("subprotocol_required");
const unsupported = refuse("subprotocol_unsupported");
const isName = (name: unknown): boolean => typeof name === "string" && isHttpToken(name);
