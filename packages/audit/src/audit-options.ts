import {
  aBoolean,
  aCount,
  aFunction,
  anything,
  aPositiveInteger,
  aText,
  aTextList,
  aTimeoutMs,
  type OptionRule,
  readOptions as readByTable,
} from "@firmshake/core/gate";
import { checkIds } from "./check-id.ts";
import type { AuditLimits, AuditOptions } from "./options.ts";

/** Options that were read, with the bounds filled in. */
export type ReadOptions = Omit<AuditOptions, "limits"> & { readonly limits: Required<AuditLimits> };

const defaultLimits: Required<AuditLimits> = {
  maxHandshakes: 400,
  maxBytes: 64 * 1_024 * 1_024,
  maxDurationMs: 180_000,
  answerMs: 3_000,
  quietMs: 400,
  rateHandshakes: 60,
  rateConnections: 50,
  rateMessages: 300,
};

/** @throws `ConfigError` for unknown names and wrong values. */
export function readOptions(options: AuditOptions): ReadOptions {
  const read = readByTable<AuditOptions>("audit", options, rules);
  const limits = readByTable<AuditLimits>("audit: limits", read.limits ?? {}, limitRules);
  return { ...read, limits: { ...defaultLimits, ...given(limits) } };
}

const given = (limits: AuditLimits): AuditLimits =>
  Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined));

/** What would end a line in the middle of a value would be another line. */
const isOneLine = (value: unknown): boolean =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not get through.
  typeof value === "string" && !/[\r\n\u0000]/.test(value);

const oneLine: OptionRule = {
  expected: "a non-empty string of one line",
  accepts: (value) => value !== "" && isOneLine(value),
};
const headerLines: OptionRule = {
  expected: "an object of header names and values of one line each",
  accepts: (value) =>
    typeof value === "object" &&
    value !== null &&
    Object.entries(value).every(
      ([name, one]) => /^[!#$%&'*+\-.^_`|~\w]+$/.test(name) && isOneLine(one),
    ),
};
const protocolNames: OptionRule = {
  expected: "a list of subprotocol names",
  accepts: (value) =>
    Array.isArray(value) && value.every((one) => /^[!#$%&'*+\-.^_`|~\w]+$/.test(String(one))),
};
const texts: OptionRule = {
  expected: "a list of strings",
  accepts: (value) => Array.isArray(value) && value.every((one) => typeof one === "string"),
};
const paths: OptionRule = {
  expected: "a list of paths that begin with a slash",
  accepts: (value) => Array.isArray(value) && value.every((one) => /^\/[^\s]*$/.test(String(one))),
};
const ids: OptionRule = {
  expected: "a list of check ids, such as WS-ORIGIN-1",
  accepts: (value) =>
    Array.isArray(value) && value.every((one) => (checkIds as readonly unknown[]).includes(one)),
};
const plainObject: OptionRule = {
  expected: "an object",
  accepts: (value) => typeof value === "object" && value !== null,
};
const origin: OptionRule = {
  expected: 'an origin as browsers write it, such as "https://app.example.com"',
  accepts: (value) => {
    if (typeof value !== "string" || !URL.canParse(value)) return false;
    const { protocol, host } = new URL(value);
    return `${protocol}//${host}` === value;
  },
};

const rules: { readonly [Name in keyof Required<AuditOptions>]: OptionRule } = {
  origin,
  headers: headerLines,
  protocols: protocolNames,
  secretParameters: aTextList,
  opening: texts,
  connectPayload: plainObject,
  message: aText,
  paths,
  plainPort: aPositiveInteger,
  certificateAuthorities: aText,
  publicKey: aText,
  expiredToken: oneLine,
  wrongTokens: headerLines,
  ticket: aFunction,
  logout: aFunction,
  waitMs: aCount,
  intrusive: aBoolean,
  allowPublic: aBoolean,
  only: ids,
  except: ids,
  limits: plainObject,
  onProgress: aFunction,
  signal: anything,
};

const limitRules: { readonly [Name in keyof Required<AuditLimits>]: OptionRule } = {
  maxHandshakes: aPositiveInteger,
  maxBytes: aPositiveInteger,
  maxDurationMs: aTimeoutMs,
  answerMs: aTimeoutMs,
  quietMs: aTimeoutMs,
  rateHandshakes: aPositiveInteger,
  rateConnections: aPositiveInteger,
  rateMessages: aPositiveInteger,
};
