import { randomInt } from "node:crypto";
import type { AuditOptions } from "./options.ts";
import type { Target } from "./target.ts";

/** One header line, written as it stands. */
export type Line = readonly [name: string, value: string];

/**
 * Whose credentials a handshake carries: the user's own; those that a browser adds by itself, whichever page asks (`ambient`); none;
 * or others of the same shape (`random`).
 */
export type CredentialMode = "own" | "ambient" | "none" | "random";

/** What the user's own client sends, with credentials left in, taken out or replaced. */
export interface Dress {
  /** Path and query. */
  readonly path: string;
  readonly lines: readonly Line[];
  readonly protocols: readonly string[];
  readonly connectPayload: Readonly<Record<string, unknown>> | undefined;
  readonly opening: readonly string[];
}

/** What the user gave to be let in with. */
export interface Credentials {
  readonly dress: (mode: CredentialMode) => Dress;
  /** The own one with the user's token exchanged. */
  readonly withToken: (token: string) => Dress;
  /** The first JWT among them. */
  readonly token: string | undefined;
  /** Whether there is any. */
  readonly isGiven: boolean;
  /** Whether browsers send one of them by themselves. */
  readonly isAmbient: boolean;
  /** Whether any of them is sent after the handshake alone. */
  readonly isInMessages: boolean;
  readonly isInHandshake: boolean;
  /** The query parameters that hold one. */
  readonly secretParameters: readonly string[];
  /** The subprotocols that are one. */
  readonly secretProtocols: readonly string[];
  /** The texts that must not be in a report. */
  readonly secrets: readonly string[];
}

type Given = Pick<
  AuditOptions,
  "headers" | "protocols" | "secretParameters" | "opening" | "connectPayload"
>;

/** Sorts what the user gave into credentials and the rest. */
export function readCredentials({ url }: Pick<Target, "url">, given: Given): Credentials {
  const lines = Object.entries(given.headers ?? {});
  const protocols = given.protocols ?? [];
  const { opening = [], connectPayload } = given;
  const secretParameters = [...url.searchParams]
    .filter(([name, value]) => isSecretParameter(name, value, given.secretParameters ?? []))
    .map(([name]) => name);
  const secretProtocols = protocols.filter(isTokenLike);
  const secretLines = lines.filter(isSecretLine);
  const isAmbient = secretLines.some(isAmbientLine);
  const isInHandshake = secretLines.length + secretParameters.length + secretProtocols.length > 0;
  const payloadTexts = textsIn(connectPayload);
  const isInMessages = opening.length > 0 || payloadTexts.length > 0;

  const query = (change: (value: string) => string | undefined): string => {
    if (secretParameters.length === 0) return `${url.pathname}${url.search}`;
    const kept = new URLSearchParams();
    for (const [name, value] of url.searchParams) {
      const written = secretParameters.includes(name) ? change(value) : value;
      if (written !== undefined) kept.append(name, written);
    }
    return kept.size === 0 ? url.pathname : `${url.pathname}?${kept}`;
  };
  const own: Dress = {
    path: `${url.pathname}${url.search}`,
    lines,
    protocols,
    connectPayload,
    opening,
  };
  const plainProtocols = protocols.filter((one) => !isTokenLike(one));
  const without = (isKept: (line: Line) => boolean): Dress => ({
    path: query(() => undefined),
    lines: lines.filter((line) => !isSecretLine(line) || isKept(line)),
    protocols: plainProtocols,
    connectPayload: undefined,
    opening: [],
  });
  const changed = (change: (secret: string) => string): Dress => ({
    path: query(change),
    lines: lines.map((line) => (isSecretLine(line) ? changedLine(line, change) : line)),
    protocols: protocols.map((one) => (isTokenLike(one) ? change(one) : one)),
    connectPayload: changedTexts(connectPayload, change) as Dress["connectPayload"],
    opening: opening.map(change),
  });
  const dressed: Readonly<Record<CredentialMode, () => Dress>> = {
    own: () => own,
    ambient: () => without(isAmbientLine),
    none: () => without(() => false),
    random: () => changed(sameShape),
  };
  const secretTexts = [
    ...secretLines.flatMap(secretsInLine),
    ...secretParameters.flatMap((name) => url.searchParams.getAll(name)),
    ...secretProtocols,
    ...payloadTexts,
  ];
  const token = [...secretTexts, ...opening].map(jwtIn).find((one) => one !== undefined);

  return {
    dress: (mode) => dressed[mode](),
    withToken: (text) => {
      const exchange = (secret: string): string =>
        token === undefined ? secret : secret.replaceAll(token, () => text);
      return changed(exchange);
    },
    token,
    isGiven: isInHandshake || isInMessages,
    isAmbient,
    isInMessages,
    isInHandshake,
    secretParameters,
    secretProtocols,
    secrets: [...secretTexts, ...opening, ...(token?.split(".").slice(1) ?? [])],
  };
}

const secretNames =
  /^(?:.*[-_])?(?:access|api|auth|authorization|bearer|code|credential|jwt|key|pass|password|secret|session|sessionid|sid|sig|signature|ticket|token)s?$|token$|apikey$|password$/i;

function isSecretParameter(name: string, value: string, named: readonly string[]): boolean {
  return named.includes(name) || secretNames.test(name) || jwtIn(value) !== undefined;
}

const isSecretLine = ([name, value]: Line): boolean =>
  isAmbientLine([name, value]) || secretNames.test(name) || jwtIn(value) !== undefined;

/** Browsers keep and send cookies, and what was typed into their login window. */
const isAmbientLine = ([name, value]: Line): boolean =>
  name.toLowerCase() === "cookie" ||
  (name.toLowerCase() === "authorization" && /^(?:basic|negotiate) /i.test(value));

/** A subprotocol's name is a few words; a token is long and without sense, or follows a prefix such as `bearer.`. */
const isTokenLike = (protocol: string): boolean =>
  jwtIn(protocol) !== undefined ||
  /^(?:bearer|token|auth|authorization|ticket|jwt|access_token)[.\-_=].{4}/i.test(protocol) ||
  (protocol.length >= 20 &&
    /\d/.test(protocol) &&
    /[a-z]/i.test(protocol) &&
    !/[./]v?\d/.test(protocol));

function secretsInLine([name, value]: Line): readonly string[] {
  if (name.toLowerCase() === "cookie") {
    return value.split(";").map((pair) => pair.slice(pair.indexOf("=") + 1).trim());
  }
  const space = value.indexOf(" ");
  return [space === -1 ? value : value.slice(space + 1).trim()];
}

function changedLine([name, value]: Line, change: (secret: string) => string): Line {
  if (name.toLowerCase() === "cookie") {
    const pairs = value.split(";").map((pair) => {
      const at = pair.indexOf("=") + 1;
      return `${pair.slice(0, at)}${change(pair.slice(at))}`;
    });
    return [name, pairs.join(";")];
  }
  const space = value.indexOf(" ") + 1;
  return [name, `${value.slice(0, space)}${change(value.slice(space))}`];
}

/** Something that starts with a JSON object in base64url which names an algorithm. One run of letters after another: linear. */
function jwtIn(text: string): string | undefined {
  const found = /eyJ[\w-]{4,}\.[\w-]+\.[\w-]*/.exec(text)?.[0];
  if (found === undefined) return undefined;
  try {
    const [header = ""] = found.split(".");
    const read = JSON.parse(Buffer.from(header, "base64url").toString()) as { alg?: unknown };
    return typeof read.alg === "string" ? found : undefined;
  } catch {
    return undefined;
  }
}

/** Another text of the same length, with letters where there were letters and digits where there were digits. */
function sameShape(text: string): string {
  for (let attempt = 0; attempt < 10; attempt++) {
    const made = text
      .replace(/[a-z]/g, () => String.fromCharCode(0x61 + randomInt(26)))
      .replace(/[A-Z]/g, () => String.fromCharCode(0x41 + randomInt(26)))
      .replace(/\d/g, () => String(randomInt(10)));
    if (made !== text) return made;
  }
  return `${text}x`;
}

function textsIn(value: unknown): readonly string[] {
  if (typeof value === "string") return [value];
  if (typeof value !== "object" || value === null) return [];
  return Object.values(value).flatMap(textsIn);
}

function changedTexts(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === "string") return change(value);
  if (Array.isArray(value)) return value.map((one) => changedTexts(one, change));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [name, changedTexts(one, change)]),
  );
}
