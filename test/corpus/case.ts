import {
  flag,
  list,
  number,
  object,
  oneOf,
  optional,
  pair,
  type Reader,
  record,
  text,
} from "./words.ts";

/** One case, understood. */
export interface Case {
  readonly id: string;
  readonly given: Given;
  readonly expect: "allow" | "deny" | "as-steps";
  /** The address that the checks must have seen; null where it must not be known. */
  readonly clientIp: string | null | undefined;
  /** The refusal's or the configuration error's code, where the case says why it is denied. */
  readonly code: string | undefined;
  readonly reason: string;
  readonly source: string;
}

export interface Given {
  readonly policy: PolicyWords;
  readonly request: RequestWords | undefined;
  /** Left to the token builder, which knows its own words. */
  readonly token: Readonly<Record<string, unknown>> | undefined;
  readonly steps: readonly Step[] | undefined;
}

export interface PolicyWords {
  readonly origins: readonly string[] | undefined;
  readonly missingOrigin: "allow" | "deny" | undefined;
  readonly nullOrigin: "allow" | "deny" | undefined;
  readonly hosts: readonly string[] | undefined;
  readonly loopbackRule: boolean | undefined;
  readonly paths: readonly string[] | undefined;
  readonly trustProxy: readonly string[] | undefined;
  readonly forwardedHeader: "x-forwarded-for" | "forwarded" | "either" | undefined;
  readonly allowIps: readonly string[] | undefined;
  readonly denyIps: readonly string[] | undefined;
  readonly requireTls: boolean | undefined;
  readonly protocols: readonly string[] | undefined;
  readonly requireProtocol: boolean | undefined;
  readonly jwt: JwtWords | string | undefined;
  readonly rate: RateWords | undefined;
  /** For sequences alone: elsewhere nobody could have issued one. */
  readonly ticket: TicketWords | undefined;
  /** For sequences alone, as the two below: elsewhere nothing comes after the handshake. */
  readonly closeOnExpiry: boolean | undefined;
  readonly maxConnectionSeconds: number | undefined;
  readonly connections: ConnectionsWords | undefined;
  /** Words of sequences that no released check answers to yet. */
  readonly later: readonly string[];
}

export interface JwtWords {
  readonly algorithms: readonly string[] | undefined;
  readonly issuer: string | undefined;
  readonly audience: string | readonly string[] | undefined;
  readonly requireExp: boolean | undefined;
  readonly typ: string | undefined;
  readonly defaultTyp: boolean | undefined;
  readonly clockToleranceSeconds: number | undefined;
  readonly maxTokenBytes: number | undefined;
  readonly maxLifetimeSeconds: number | undefined;
  readonly keys: string;
  readonly from: readonly string[] | undefined;
}

export interface RateWords {
  readonly handshakes: number;
  readonly perSeconds: number;
  readonly key: "ip" | "user" | undefined;
}

export interface ConnectionsWords {
  readonly max: number;
  readonly key: "ip" | "user" | undefined;
}

export interface TicketWords {
  readonly ttlSeconds: number | undefined;
  /** There are no others. */
  readonly singleUse: boolean | undefined;
  readonly bindAddress: boolean | undefined;
}

export interface RequestWords {
  readonly url: string | undefined;
  readonly remoteAddress: string | undefined;
  readonly tls: boolean | undefined;
  readonly headers: readonly (readonly [string, string])[] | undefined;
  readonly raw: RawWords | undefined;
}

export interface RawWords {
  readonly lines: readonly string[];
  readonly after: string | undefined;
}

export interface Step extends Omit<RequestWords, "raw"> {
  readonly at: number;
  readonly do: string;
  readonly as: string | undefined;
  readonly expect: "allow" | "deny" | undefined;
  readonly user: string | undefined;
  readonly ticket: string | undefined;
  readonly jwtExp: number | undefined;
  readonly bytes: number | undefined;
  readonly codes: readonly number[] | undefined;
}

const jwtWords = record<JwtWords>({
  algorithms: optional(list(text)),
  issuer: optional(text),
  audience: optional((value, where) =>
    typeof value === "string" ? value : list(text)(value, where),
  ),
  requireExp: optional(flag),
  typ: optional(text),
  defaultTyp: optional(flag),
  clockToleranceSeconds: optional(number),
  maxTokenBytes: optional(number),
  maxLifetimeSeconds: optional(number),
  keys: text,
  from: optional(list(text)),
});

const policyWords = record<Omit<PolicyWords, "later">>({
  origins: optional(list(text)),
  missingOrigin: optional(oneOf("allow", "deny")),
  nullOrigin: optional(oneOf("allow", "deny")),
  hosts: optional(list(text)),
  loopbackRule: optional(flag),
  paths: optional(list(text)),
  trustProxy: optional(list(text)),
  forwardedHeader: optional(oneOf("x-forwarded-for", "forwarded", "either")),
  allowIps: optional(list(text)),
  denyIps: optional(list(text)),
  requireTls: optional(flag),
  protocols: optional(list(text)),
  requireProtocol: optional(flag),
  jwt: optional((value, where) => (typeof value === "string" ? value : jwtWords(value, where))),
  rate: optional(
    record<RateWords>({
      handshakes: number,
      perSeconds: number,
      key: optional(oneOf("ip", "user")),
    }),
  ),
  ticket: optional(
    record<TicketWords>({
      ttlSeconds: optional(number),
      singleUse: optional(flag),
      bindAddress: optional(flag),
    }),
  ),
  closeOnExpiry: optional(flag),
  maxConnectionSeconds: optional(number),
  connections: optional(
    record<ConnectionsWords>({ max: number, key: optional(oneOf("ip", "user")) }),
  ),
});

/** Limits on what comes after the handshake are all called max… in the form. */
const isLaterWord = (name: string): boolean =>
  name === "slowAuthMs" || (/^max[A-Z]/.test(name) && name !== "maxConnectionSeconds");

const policy: Reader<PolicyWords> = (value, where) => {
  const entries = Object.entries(object(value, where));
  const now = Object.fromEntries(entries.filter(([name]) => !isLaterWord(name)));
  const later = entries.map(([name]) => name).filter(isLaterWord);
  return { ...policyWords(now, where), later };
};

const requestBase = {
  url: optional(text),
  remoteAddress: optional(text),
  tls: optional(flag),
  headers: optional(list(pair)),
};

const given = record<Given>({
  policy,
  request: optional(
    record<RequestWords>({
      ...requestBase,
      raw: optional(record<RawWords>({ lines: list(text), after: optional(text) })),
    }),
  ),
  token: optional(object),
  steps: optional(
    list(
      record<Step>({
        ...requestBase,
        at: number,
        do: text,
        as: optional(text),
        expect: optional(oneOf("allow", "deny")),
        user: optional(text),
        ticket: optional(text),
        jwtExp: optional(number),
        bytes: optional(number),
        codes: optional(list(number)),
      }),
    ),
  ),
});

/** Reads one case, strictly. */
export const readCase: Reader<Case> = record<Case>({
  id: text,
  given,
  expect: oneOf("allow", "deny", "as-steps"),
  clientIp: optional((value, where) => (value === null ? null : text(value, where))),
  code: optional(text),
  reason: text,
  source: text,
});
