import { exec } from "node:child_process";
import { promisify } from "node:util";
import type { AuditLimits, AuditOptions, CheckId } from "../index.ts";
import { checksNamed } from "./check-names.ts";
import { type CredentialFlags, credentialHeaders, splitPair } from "./credential-headers.ts";
import { readText, secretLines, secretText } from "./secret-text.ts";
import { sentenceOf, UsageError } from "./usage-error.ts";

/** What stood on the command line, of what the engine needs. */
export interface AuditFlags extends CredentialFlags {
  readonly origin?: string;
  readonly protocol: readonly string[];
  readonly query: readonly string[];
  readonly opening: readonly string[];
  readonly connectPayload?: string;
  readonly message?: string;
  readonly path: readonly string[];
  readonly plainPort?: number;
  readonly ca?: string;
  readonly publicKey?: string;
  readonly expiredToken?: string;
  readonly wrongToken: readonly string[];
  readonly ticketCommand?: string;
  readonly logoutCommand?: string;
  readonly wait?: number;
  readonly intrusive?: boolean;
  readonly public?: boolean;
  readonly only: readonly string[];
  readonly except: readonly string[];
  readonly maxHandshakes?: number;
  readonly maxDuration?: number;
  readonly answerTimeout?: number;
  readonly settleTime?: number;
}

/**
 * Makes the engine's options of what stood on the command line.
 *
 * @throws {@link UsageError}
 */
export function auditOptions(flags: AuditFlags): AuditOptions {
  const { connectPayload, message, plainPort, ca, publicKey, expiredToken, wait } = flags;
  const query = flags.query.map((pair) => queryParameter(pair)[0]);
  return {
    ...defined({ origin: flags.origin, message, plainPort }),
    headers: Object.fromEntries(credentialHeaders(flags)),
    intrusive: flags.intrusive ?? false,
    allowPublic: flags.public ?? false,
    limits: limitsOf(flags),
    ...defined({
      protocols: listOf(flags.protocol.map((text) => secretText("--protocol", text))),
      secretParameters: listOf(query),
      opening: listOf(flags.opening.map((text) => secretLines("--opening", text))),
      paths: listOf(flags.path),
      connectPayload: connectPayload === undefined ? undefined : payloadOf(connectPayload),
      certificateAuthorities: ca === undefined ? undefined : readText("--ca", ca),
      publicKey: publicKey === undefined ? undefined : readText("--public-key", publicKey),
      expiredToken:
        expiredToken === undefined ? undefined : secretText("--expired-token", expiredToken),
      wrongTokens: flags.wrongToken.length === 0 ? undefined : wrongTokensOf(flags.wrongToken),
      waitMs: wait === undefined ? undefined : Math.round(wait * 1_000),
      ticket:
        flags.ticketCommand === undefined
          ? undefined
          : () => outputOf("--ticket-command", flags.ticketCommand ?? ""),
      logout:
        flags.logoutCommand === undefined
          ? undefined
          : async () => {
              await outputOf("--logout-command", flags.logoutCommand ?? "");
            },
      only: flags.only.length === 0 ? undefined : idsOf("--only", flags.only),
      except: flags.except.length === 0 ? undefined : idsOf("--except", flags.except),
    }),
  };
}

/**
 * The URL with the parameters of `--query`.
 *
 * @throws {@link UsageError} where it is no WebSocket URL. What is behind its `?` is never shown.
 */
export function targetUrl(given: string, query: readonly string[]): string {
  const shown = placeOf(given);
  const url = URL.canParse(given) ? new URL(given) : undefined;
  if (url === undefined || !/^wss?:$/.test(url.protocol)) {
    const [, scheme, rest] = /^(https?):(.*)$/i.exec(shown) ?? [];
    const meant =
      scheme === undefined
        ? "Write one such as ws://localhost:8080/chat."
        : `Write ${scheme.toLowerCase() === "https" ? "wss" : "ws"}:${rest}.`;
    throw new UsageError(`${shown} is not a WebSocket URL. ${meant}`);
  }
  if (url.username !== "" || url.password !== "") {
    throw new UsageError(
      `${shown}: browsers drop user and password from WebSocket URLs. Give them with --header "Authorization: …".`,
    );
  }
  return query.reduce(
    (made, pair) => {
      const [name, value] = queryParameter(pair);
      return `${made}${made.includes("?") ? "&" : "?"}${encodeURIComponent(name)}=${encodeURIComponent(value)}`;
    },
    given.replace(/#.*$/s, ""),
  );
}

/** What of a URL may be shown. */
export function placeOf(given: string): string {
  const [place = ""] = given.split(/[?#]/);
  return place.replace(/\/\/[^/]*@/, "//");
}

function queryParameter(pair: string): readonly [name: string, value: string] {
  const [name, value] = splitPair("--query", pair, "=", "access_token=env:TOKEN");
  return [name, secretText("--query", value)];
}

function wrongTokensOf(pairs: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const [name, value] = splitPair(
        "--wrong-token",
        pair,
        "=",
        "aud=env:TOKEN_OF_ANOTHER_AUDIENCE",
      );
      return [name, secretText("--wrong-token", value)];
    }),
  );
}

function payloadOf(given: string): Readonly<Record<string, unknown>> {
  let payload: unknown;
  try {
    payload = JSON.parse(secretLines("--connect-payload", given));
  } catch (error) {
    if (error instanceof UsageError) throw error;
  }
  if (typeof payload !== "object" || payload === null || Array.isArray(payload)) {
    throw new UsageError(
      `--connect-payload takes a JSON object: --connect-payload '{"token":"…"}', or @file with one.`,
    );
  }
  return payload as Readonly<Record<string, unknown>>;
}

function idsOf(option: string, names: readonly string[]): readonly CheckId[] {
  return names
    .flatMap((name) => name.split(","))
    .flatMap((name) => {
      const ids = checksNamed(name.trim());
      if (ids.length > 0) return ids;
      throw new UsageError(
        `${option}: there is no check ${name.trim()}. Write ids or families: ${option} WS-ORIGIN-1,WS-JWT-*; "firmshake checks" lists them.`,
      );
    });
}

function limitsOf({
  maxHandshakes,
  maxDuration,
  answerTimeout,
  settleTime,
}: AuditFlags): AuditLimits {
  return defined({
    maxHandshakes,
    maxDurationMs: maxDuration === undefined ? undefined : Math.round(maxDuration * 1_000),
    answerMs: answerTimeout,
    quietMs: settleTime,
  });
}

const commandTimeoutMs = 30_000;

/** Runs what the user wrote as the user's shell would, and gives what it prints. */
async function outputOf(option: string, command: string): Promise<string> {
  try {
    const { stdout } = await promisify(exec)(command, { timeout: commandTimeoutMs });
    return stdout.trim();
  } catch (error) {
    throw new Error(`${option} failed: ${sentenceOf(error)}`);
  }
}

const listOf = (list: readonly string[]): readonly string[] | undefined =>
  list.length === 0 ? undefined : list;

/** What an engine's option is called on the command line, to be named in its complaints. */
export function inFlags(complaint: string): string {
  return complaint
    .replace(/^audit: (?:limits: )?/, "")
    .replace(/^"(\w+)"/, (_, name: string) => flagNames[name] ?? `"${name}"`)
    .replace(/ \(ERR_\w+\)$/, "");
}

const flagNames: Readonly<Record<string, string>> = {
  origin: "--origin",
  headers: "--header",
  protocols: "--protocol",
  secretParameters: "--query",
  opening: "--opening",
  message: "--message",
  paths: "--path",
  plainPort: "--plain-port",
  certificateAuthorities: "--ca",
  publicKey: "--public-key",
  expiredToken: "--expired-token",
  wrongTokens: "--wrong-token",
  waitMs: "--wait",
  maxHandshakes: "--max-handshakes",
  maxDurationMs: "--max-duration",
  answerMs: "--answer-timeout",
  quietMs: "--settle-time",
};

type Defined<Given> = { readonly [Name in keyof Given]?: Exclude<Given[Name], undefined> };

function defined<Given extends object>(given: Given): Defined<Given> {
  return Object.fromEntries(
    Object.entries(given).filter(([, value]) => value !== undefined),
  ) as Defined<Given>;
}
