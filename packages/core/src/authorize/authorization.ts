import type { Identity } from "../handshake/identity.ts";

/** What an authoriser says of a handshake that it lets in; no other members. */
export interface Authorization {
  /** Who it is, where the authoriser knows. */
  readonly identity?: {
    readonly subject: string;
    /** What else is known. Default: nothing. */
    readonly claims?: Readonly<Record<string, unknown>>;
    /** When that ends, in milliseconds since 1970. Default: it does not end by itself. */
    readonly expiresAt?: number | undefined;
  };
  /** What else it found out. */
  readonly facts?: Readonly<Record<string, unknown>>;
}

/** What `authorize` adds. */
export interface AuthorizeFacts {
  /** Of the scheme `authorize`, where the authoriser named somebody. */
  readonly identity?: Identity;
  /** The `facts` of its answer; empty where there were none. */
  readonly authorized: Readonly<Record<string, unknown>>;
}

/**
 * Reads an answer. Strict: a member that is not known could be one that says no, such as `{ "allow": false }`. Undefined where it is no
 * answer.
 */
export function readAuthorization(given: unknown): AuthorizeFacts | undefined {
  if (!hasOnly(given, ["identity", "facts"])) return undefined;
  const { identity: named, facts = {} } = given as Authorization;
  if (!isPlain(facts)) return undefined;
  const authorized = Object.freeze({ ...facts });
  if (named === undefined) return { authorized };
  const identity = readIdentity(named);
  return identity === undefined ? undefined : { identity, authorized };
}

function readIdentity(given: unknown): Identity | undefined {
  if (!hasOnly(given, ["subject", "claims", "expiresAt"])) return undefined;
  const { subject, claims = {}, expiresAt } = given as NonNullable<Authorization["identity"]>;
  const isWhole =
    typeof subject === "string" &&
    subject !== "" &&
    isPlain(claims) &&
    (expiresAt === undefined || Number.isFinite(expiresAt));
  if (!isWhole) return undefined;
  return Object.freeze({
    subject,
    scheme: "authorize",
    claims: Object.freeze({ ...claims }),
    expiresAt,
  });
}

const isPlain = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const hasOnly = (value: unknown, names: readonly string[]): boolean =>
  isPlain(value) && Object.keys(value).every((name) => names.includes(name));
