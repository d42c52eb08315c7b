import { ConfigError } from "../config/config-error.ts";
import { type Handshake, progressOf } from "../handshake/handshake.ts";
import { decodeBase64url } from "../parse/base64url.ts";
import { noTokens, type TokenSource } from "./token-source.ts";

/** The spellings of a token among subprotocols that are in use; see {@link subprotocolToken}. */
export type SubprotocolTokenForm = "bearer" | "kubernetes" | "phoenix" | "jupyter";

const allForms: readonly SubprotocolTokenForm[] = ["bearer", "kubernetes", "phoenix", "jupyter"];

/**
 * The token among the offered subprotocols: the one place where a browser's script can put it. It is taken out of the offer before the
 * WebSocket library sees the request, so that it can never be echoed; the client must offer another subprotocol beside it, to be answered.
 *
 * | form | offered |
 * | --- | --- |
 * | `bearer` | `bearer, <token>` |
 * | `kubernetes` | `base64url.bearer.authorization.k8s.io.<token in base64url>, <another>` |
 * | `phoenix` | `phoenix, base64url.bearer.phx.<token in base64url>` |
 * | `jupyter` | `v1.token.websocket.jupyter.org.<token, percent-encoded>, <another>` |
 *
 * @param forms - Default: all four.
 * @throws {@link ConfigError} `ERR_FIRMSHAKE_OPTION_INVALID` for an unknown form.
 *
 * @example
 * ```ts
 * import { guard, jwt, subprotocolToken } from "@firmshake/core";
 *
 * // In the browser: new WebSocket("wss://app.example.com/chat", ["bearer", token])
 * const chat = guard(
 *   jwt({ issuer: "https://id.example.com", audience: "chat", keys: new Uint8Array(32), from: [subprotocolToken()] }),
 * );
 * ```
 */
export function subprotocolToken(...forms: readonly SubprotocolTokenForm[]): TokenSource {
  const wanted = forms.length === 0 ? allForms : forms;
  if (!wanted.every((form) => allForms.includes(form))) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTION_INVALID",
      `subprotocolToken: the forms are ${allForms.map((form) => `"${form}"`).join(", ")}.`,
    );
  }
  return {
    name: wanted.length === allForms.length ? "subprotocol" : `subprotocol (${wanted.join(", ")})`,
    isAmbient: false,
    read: (handshake) => {
      const found = handshake.protocols.flatMap((entry, at, all) =>
        readEntry(entry, all[at - 1], wanted),
      );
      if (found.length === 0) return noTokens;
      withhold(handshake, found);
      const tokens = found.map(({ token }) => token);
      return tokens.every((token) => token !== undefined) ? tokens : "malformed";
    },
  };
}

interface Found {
  /** The offered name that holds the token. */
  readonly entry: string;
  readonly token: string | undefined;
}

const prefixes: Readonly<Record<Exclude<SubprotocolTokenForm, "bearer">, string>> = {
  kubernetes: "base64url.bearer.authorization.k8s.io.",
  phoenix: "base64url.bearer.phx.",
  jupyter: "v1.token.websocket.jupyter.org.",
};

function readEntry(
  entry: string,
  before: string | undefined,
  forms: readonly SubprotocolTokenForm[],
): readonly Found[] {
  return forms.flatMap((form): readonly Found[] => {
    if (form === "bearer") {
      return before === "bearer" ? [{ entry, token: entry }] : [];
    }
    if (!entry.startsWith(prefixes[form])) return [];
    const text = entry.slice(prefixes[form].length);
    return [{ entry, token: form === "jupyter" ? decodePercent(text) : decodeBase64url(text) }];
  });
}

function decodePercent(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** Keeps the entries from every library behind the gate. */
function withhold(handshake: Handshake, found: readonly Found[]): void {
  const progress = progressOf(handshake);
  progress.withheld = new Set([...progress.withheld, ...found.map(({ entry }) => entry)]);
}
