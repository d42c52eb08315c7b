import { ConfigError } from "../config/config-error.ts";
import { aBoolean, kindOf, readOptions } from "../config/options.ts";
import {
  allow,
  type Decision,
  type MaybePromise,
  type NoFacts,
  refuse,
} from "../decision/decision.ts";
import { type Check, defineCheck, isPromiseLike, ranks } from "../guard/check.ts";
import type { Handshake } from "../handshake/handshake.ts";
import { parseAuthority } from "../parse/authority.ts";
import {
  defaultPorts,
  isOtherSchemeOrigin,
  parseSerializedOrigin,
  type SerializedOrigin,
} from "../parse/serialized-origin.ts";

/** What {@link origin} takes besides the list. */
export interface OriginOptions {
  /**
   * Lets in handshakes without an Origin header, which browsers never send: other clients, which need a token. Default false.
   *
   * For polling browsers do leave it out, of pages of the same origin and of scripts and images of any other; those that say so by
   * `Sec-Fetch-Site` are told apart, and refused all the same.
   */
  readonly allowMissing?: boolean;
  /** Lets in `Origin: null`, which any page can send from a sandboxed frame. Default false. */
  readonly insecureAllowNull?: boolean;
}

/** Says whether a page of this origin may connect. Anything but `true` is no. */
export type OriginResolver = (origin: string, handshake: Handshake) => MaybePromise<boolean>;

/**
 * Lets in pages of listed origins alone: the defence against cross-site WebSocket hijacking (CWE-1385, RFC 6455 §10.2).
 *
 * An entry is `https://app.example.com` (compared letter by letter: scheme, host, port), `https://*.example.com` (one or more labels in
 * front, never the name itself), or `same-origin` (the scheme of the connection, and Host).
 *
 * Browsers send no Origin with a polling `GET` of a page of the same origin, but say so by `Sec-Fetch-Site: same-origin`, which no page
 * can set (Fetch Metadata §2.2). Beside that, the request is judged as if the connection's own scheme and host were its Origin.
 *
 * @param allowed - A list, `"same-origin"`, or a function that decides for each origin.
 * @throws {@link ConfigError} `ERR_FIRMSHAKE_ORIGIN_INVALID` for an entry that no browser could send, `ERR_FIRMSHAKE_ORIGIN_ANY` for `*`.
 *
 * @example
 * ```ts
 * import { guard, origin } from "@firmshake/core";
 *
 * const chat = guard(origin(["https://app.example.com", "https://*.example.org"]));
 * ```
 */
export function origin(
  allowed: readonly string[] | "same-origin" | OriginResolver,
  options: OriginOptions = {},
): Check {
  const { allowMissing = false, insecureAllowNull = false } = readOptions<OriginOptions>(
    "origin",
    options,
    { allowMissing: aBoolean, insecureAllowNull: aBoolean },
  );
  const entries = typeof allowed === "string" ? [allowed] : allowed;
  const isAllowed = typeof entries === "function" ? resolved(entries) : listed(entries);
  const summary = typeof entries === "function" ? "by function" : entries.join(", ");
  const isListed =
    typeof entries !== "function" && !entries.includes("same-origin") && !allowMissing;
  return defineCheck(
    {
      name: "origin",
      summary: allowMissing ? `${summary}, or none` : summary,
      rank: ranks.header,
      origin: { isListed, isOff: false, allowsNull: insecureAllowNull },
      weaknesses: insecureAllowNull
        ? ["insecureAllowNull: sandboxed frames of any page may connect"]
        : [],
    },
    (handshake) => {
      const text = handshake.headers.joined("origin") ?? ownOrigin(handshake);
      if (text === undefined) return allowMissing && !comesFromPage(handshake) ? allow : missing;
      if (text === "null") return insecureAllowNull ? allow : opaque;
      return isAllowed(text, handshake);
    },
  );
}

/**
 * Turns the origin check off: pages of every site may connect. For public data alone; a guard that reads cookies does not accept it.
 *
 * @example
 * ```ts
 * import { guard, insecureAnyOrigin } from "@firmshake/core";
 *
 * const publicTicker = guard(insecureAnyOrigin());
 * ```
 */
export function insecureAnyOrigin(): Check {
  return defineCheck(
    {
      name: "insecureAnyOrigin",
      summary: "",
      rank: ranks.header,
      origin: { isListed: false, isOff: true, allowsNull: true },
      weaknesses: ["pages of every site may connect"],
    },
    () => allow,
  );
}

/** The origin of a page that the browser vouches to be of this very server; undefined where none does. */
function ownOrigin({ transport, headers, scheme }: Handshake): string | undefined {
  if (transport !== "polling" || headers.only("sec-fetch-site") !== "same-origin") return undefined;
  const own = parseAuthority(headers.only("host") ?? "");
  if (own === undefined) return undefined;
  const pageScheme = scheme === "wss" ? "https" : "http";
  const isWritten = own.port !== undefined && own.port !== defaultPorts[pageScheme];
  return `${pageScheme}://${own.host}${isWritten ? `:${own.port}` : ""}`;
}

/** Only browsers send it; with a script element any page could read the answers of a polling session that cookies had opened. */
const comesFromPage = ({ transport, headers }: Handshake): boolean =>
  transport === "polling" && headers.has("sec-fetch-site");

const missing = refuse("origin_missing");
const opaque = refuse("origin_null");
const invalid = refuse("origin_invalid");
const denied = refuse("origin_denied");

type OriginTest = (text: string, handshake: Handshake) => MaybePromise<Decision<NoFacts>>;

function listed(entries: readonly string[]): OriginTest {
  if (!Array.isArray(entries) || entries.length === 0) {
    throw invalidEntry(
      kindOf(entries),
      `Write the pages that may connect, such as ["https://app.example.com"], or "same-origin".`,
    );
  }
  for (const entry of entries) refuseUnsendable(entry);
  const exact = new Set(entries.filter((entry) => !entry.includes("*") && entry !== "same-origin"));
  const wildcards = entries.filter((entry) => entry.includes("*")).map(readWildcard);
  const allowsSame = entries.includes("same-origin");
  return (text, handshake) => {
    if (exact.has(text)) return allow;
    const parsed = parseSerializedOrigin(text);
    if (parsed === undefined) return isOtherSchemeOrigin(text) ? denied : invalid;
    if (wildcards.some((wildcard) => isUnder(parsed, wildcard))) return allow;
    return allowsSame && isSameOrigin(parsed, handshake) ? allow : denied;
  };
}

function resolved(resolve: OriginResolver): OriginTest {
  return (text, handshake) => {
    if (parseSerializedOrigin(text) === undefined && !isOtherSchemeOrigin(text)) return invalid;
    const answer = resolve(text, handshake);
    return isPromiseLike(answer)
      ? answer.then((settled) => (settled === true ? allow : denied))
      : answer === true
        ? allow
        : denied;
  };
}

interface Wildcard {
  readonly scheme: string;
  /** With the dot in front, so that no other name ends in it. */
  readonly suffix: string;
  readonly port: number;
}

const isUnder = (origin: SerializedOrigin, { scheme, suffix, port }: Wildcard): boolean =>
  origin.scheme === scheme &&
  origin.port === port &&
  origin.kind === "name" &&
  origin.host.length > suffix.length &&
  origin.host.endsWith(suffix);

/** Scheme, host and port agree with the connection's own; any of them alone is not enough (JLSEC-2026-614). */
function isSameOrigin(origin: SerializedOrigin, handshake: Handshake): boolean {
  const own = parseAuthority(handshake.headers.only("host") ?? "");
  if (own === undefined || own.host !== origin.host) return false;
  const scheme = handshake.scheme === "wss" ? "https" : "http";
  return origin.scheme === scheme && origin.port === (own.port ?? defaultPorts[scheme]);
}

function refuseUnsendable(entry: unknown): asserts entry is string {
  if (typeof entry !== "string")
    throw invalidEntry(kindOf(entry), "Write each origin as a string.");
  if (entry === "same-origin" || parseSerializedOrigin(entry) !== undefined) return;
  if (entry === "*") {
    throw new ConfigError(
      "ERR_FIRMSHAKE_ORIGIN_ANY",
      `origin: "*" would let pages of every site connect. List the origins, or say ${insecureAnyOrigin.name}() where that is meant.`,
    );
  }
  if (entry === "null") {
    throw invalidEntry(`"null"`, "Opaque origins are let in by { insecureAllowNull: true } alone.");
  }
  if (entry.includes("*")) {
    readWildcard(entry);
    return;
  }
  if (isOtherSchemeOrigin(entry)) return;
  throw invalidEntry(`"${entry}"`, adviceFor(entry));
}

function readWildcard(entry: string): Wildcard {
  const star = entry.indexOf("://*.");
  const base =
    star === -1
      ? undefined
      : parseSerializedOrigin(`${entry.slice(0, star)}://${entry.slice(star + 5)}`);
  if (base === undefined || base.kind !== "name" || !isWildcardBase(base.host)) {
    throw invalidEntry(
      `"${entry}"`,
      `A wildcard stands for whole labels in front of a name of two or more, as in "https://*.example.com".`,
    );
  }
  return { scheme: base.scheme, suffix: `.${base.host}`, port: base.port };
}

/** A single label would be a whole top-level domain, but for the one that is always this machine (RFC 6761 §6.3). */
const isWildcardBase = (host: string): boolean =>
  host === "localhost" || host.slice(0, -1).includes(".");

/** The text that a browser would send for what was probably meant. */
function adviceFor(entry: string): string {
  const text = entry.includes("://") ? entry : `https://${entry}`;
  if (!URL.canParse(text)) return `Write it as browsers do, such as "https://app.example.com".`;
  const { origin: serialized } = new URL(text.replace(/^ws/, "http"));
  return serialized === "null"
    ? `Write it as browsers do, such as "https://app.example.com".`
    : `Browsers write "${serialized}".`;
}

const invalidEntry = (written: string, advice: string): ConfigError =>
  new ConfigError("ERR_FIRMSHAKE_ORIGIN_INVALID", `origin: ${written} is not an origin. ${advice}`);
