import type { IncomingMessage } from "node:http";
import {
  allowWith,
  type Check,
  ConfigError,
  type Decision,
  type Handshake,
  type Identity,
  type MaybePromise,
  refuse,
} from "@firmshake/core";
import { defineCheck, isPromiseLike, ranks } from "@firmshake/core/gate";
import { requestOf } from "./request-of.ts";

/** Who is signed in, in the words of the application's own middleware. */
export interface SignedIn {
  readonly subject: string;
  /** What else is known. Default: nothing. */
  readonly claims?: Readonly<Record<string, unknown>>;
  /** When the session ends, in milliseconds since 1970. Default: it does not end by itself. */
  readonly expiresAt?: number;
  /** By which `gate.connections` finds the connections of a session, to close them when it ends. Becomes the claim `sid`. */
  readonly sessionId?: string;
  /**
   * When the user signed in, in milliseconds since 1970. Where a subject is revoked, who signs in later is let in again; without it, nobody
   * until the revocation ends. Becomes the claim `iat`.
   */
  readonly signedInAt?: number;
}

/**
 * Authenticates by what the middleware before the guard found out: the user of Passport, a session. Undefined, null and false refuse
 * with 401. Adds the fact `identity`, with the scheme `session`.
 *
 * Sessions are cookies, which browsers send whichever page asks: a guard with this check does not accept that origins are not checked.
 *
 * @throws {@link ConfigError} `ERR_FIRMSHAKE_CHECK_INVALID` for what is no function.
 *
 * @example
 * ```ts
 * import type { Request } from "express";
 * import { guard, identity, origin } from "@firmshake/express";
 *
 * const chat = guard(
 *   origin(["https://app.example.com"]),
 *   identity((request: Request & { user?: { id: string } }) => request.user && { subject: request.user.id }),
 * );
 * ```
 */
export function identity<Request extends IncomingMessage>(
  read: (request: Request) => MaybePromise<SignedIn | undefined | null | false>,
): Check<{ readonly identity: Identity }> {
  return identityBy(requestOf<Request>, read, "request.user");
}

/**
 * The same for frameworks whose middleware leaves what it found elsewhere than on Node's request.
 *
 * @param find - Where it is left.
 * @param user - How that is written, for the message of a wrong use.
 */
export function identityBy<Source>(
  find: (handshake: Handshake) => Source,
  read: (source: Source) => MaybePromise<SignedIn | undefined | null | false>,
  user: string,
): Check<{ readonly identity: Identity }> {
  if (typeof read !== "function") {
    throw new ConfigError(
      "ERR_FIRMSHAKE_CHECK_INVALID",
      `identity: write identity((${user.split(".")[0]}) => ${user} && { subject: ${user}.id }).`,
    );
  }
  return defineCheck<{ readonly identity: Identity }>(
    {
      name: "identity",
      summary: "by the application's own middleware",
      rank: ranks.token,
      credential: "ambient",
      givesIdentity: true,
    },
    (handshake) => {
      const found = read(find(handshake));
      return isPromiseLike(found) ? found.then(decide) : decide(found);
    },
  );
}

const unauthorized = refuse("unauthorized");
const nameless = refuse("check_failed", undefined, { reason: "identity: the subject is no text" });

function decide(
  found: SignedIn | undefined | null | false,
): Decision<{ readonly identity: Identity }> {
  if (found === undefined || found === null || found === false) return unauthorized;
  const identity = identityFrom(found, "session");
  return identity === undefined ? nameless : allowWith({ identity });
}

/** A frozen copy; undefined where the subject is no text. */
export function identityFrom(found: SignedIn | Identity, scheme: string): Identity | undefined {
  if (typeof found.subject !== "string" || found.subject === "") return undefined;
  const { subject, claims = {}, expiresAt, sessionId, signedInAt } = found as SignedIn;
  const known = {
    ...claims,
    ...(sessionId === undefined ? {} : { sid: sessionId }),
    ...(signedInAt === undefined ? {} : { iat: signedInAt / 1_000 }),
  };
  return Object.freeze({ subject, scheme, claims: Object.freeze(known), expiresAt });
}
