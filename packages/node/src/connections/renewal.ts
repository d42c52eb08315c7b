import {
  type AnyCheck,
  ConfigError,
  type Handshake,
  type Identity,
  type MaybePromise,
  type Refusal,
  refuse,
} from "@firmshake/core";
import {
  aFunction,
  aList,
  aTimeoutMs,
  createHandshake,
  handshakeAgain,
  invalidToken,
  issuerOf,
  readChecks,
  readOptions,
  runAll,
  takeBackTerms,
  unlessAborted,
} from "@firmshake/core/gate";
import { guardedIn, handshakeIn } from "../connection.ts";
import { identityFrom, type SignedIn } from "../identity.ts";
import type { Connection, GuardedSocket } from "./guarded-socket.ts";

/** What {@link renewal} takes. `verify` is required. */
export interface RenewalOptions {
  /** Tells whose the new token is, as for `firstMessage`; undefined, null and false for nobody. */
  readonly verify: (
    token: string,
    connection: Connection,
  ) => MaybePromise<SignedIn | Identity | undefined | null | false>;
  /** What has to allow the connection again with what the new token says: `requireScope`, `authorize`, checks of your own. */
  readonly checks?: readonly AnyCheck[];
  /** How long all of it may take. Default 5,000. */
  readonly timeoutMs?: number;
}

/** What became of a new token. Nothing of a refusal ends the connection: it goes on for as long as it would have without. */
export type Renewed =
  | {
      readonly ok: true;
      /** The new deadline, in milliseconds since 1970; undefined where there is none. */
      readonly expiresAt: number | undefined;
    }
  | { readonly ok: false; readonly refusal: Refusal };

/**
 * Takes a new token for an open connection. Never rejects.
 *
 * @param target - The connection, or the request of the library's connection event.
 * @throws {@link ConfigError} `ERR_FIRMSHAKE_NOT_GUARDED` for what no gate has let in.
 */
export type Renew = (target: object, token: string) => Promise<Renewed>;

/**
 * Makes what prolongs open connections: a new token of the same issuer and subject moves the deadline, takes the place of the identity, and
 * passes the authorisation checks again. The maximum age stays.
 *
 * Call it from a message of your own protocol, or let `renewalRoute` do it. The checks see the handshake as it was; where a connection is given
 * instead of its request, its path, its address and its facts alone.
 *
 * @throws {@link ConfigError} for options that are not as described.
 *
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * import { attach, guard, jwt, origin, renewal, requireScope, tokenVerifier } from "@firmshake/node";
 * import { WebSocketServer } from "ws";
 *
 * const tokens = { issuer: "https://id.example.com", audience: "chat", keys: new Uint8Array(32) };
 * const renew = renewal({ verify: tokenVerifier(tokens), checks: [requireScope("chat")] });
 * const server = createServer();
 * attach(server, { "/chat": guard(origin(["https://app.example.com"]), jwt(tokens), requireScope("chat")) });
 * new WebSocketServer({ server }).on("connection", (socket, request) => {
 *   socket.on("message", async (data) => {
 *     const message = JSON.parse(String(data));
 *     if (message.type !== "renew") return;
 *     const { ok } = await renew(request, message.token);
 *     socket.send(JSON.stringify({ type: "renewed", ok }));
 *   });
 * });
 * ```
 */
export function renewal(options: RenewalOptions): Renew {
  const read = readOptions<RenewalOptions>(
    "renewal",
    options,
    { verify: aFunction, checks: aList, timeoutMs: aTimeoutMs },
    ["verify"],
  );
  const { verify, timeoutMs = 5_000 } = read;
  const checks = readChecks("renewal", read.checks ?? []);
  return (target, token) => {
    const guarded = guardedIn(target);
    if (guarded === undefined) {
      throw new ConfigError(
        "ERR_FIRMSHAKE_NOT_GUARDED",
        "renewal: no gate has let this in. Give the request of the library's connection event, or the connection.",
      );
    }
    return renew(guarded, handshakeIn(target), { verify, checks, timeoutMs }, token);
  };
}

async function renew(
  guarded: GuardedSocket,
  handshake: Handshake | undefined,
  { verify, checks, timeoutMs }: Required<RenewalOptions>,
  token: string,
): Promise<Renewed> {
  if (typeof token !== "string" || token === "") return refused(missing);
  const signal = AbortSignal.timeout(timeoutMs);
  const found = await verified(verify, token, guarded, signal);
  if ("refusal" in found) return found;
  const { identity } = found;
  const before = refusalOf(guarded, identity);
  if (before !== undefined) return refused(before);
  const facts = { ...guarded.facts, identity };
  const again =
    handshake === undefined
      ? handshakeAgain(slimHandshake(guarded), facts, signal)
      : handshakeAgain(handshake, facts, signal);
  const outcome = await runAll(checks, again);
  // What is asked of a connection was asked of it when it was opened.
  takeBackTerms(again);
  if (!outcome.ok) return refused(outcome);
  // Meanwhile it may have been closed, or revoked.
  const after = refusalOf(guarded, identity);
  if (after !== undefined) return refused(after);
  guarded.facts = Object.freeze({ ...guarded.facts, ...again.facts, identity });
  guarded.registry.changed(guarded);
  return Object.freeze({ ok: true, expiresAt: identity.expiresAt });
}

const missing = refuse("token_missing");
const gone = refuse("client_gone");
const otherSubject = invalidToken("of another issuer or subject");
const nobody = invalidToken("verify knows nobody by it");
const expired = invalidToken("expired");
const revoked = invalidToken("revoked");
const refused = (refusal: Refusal): Renewed => Object.freeze({ ok: false, refusal });

async function verified(
  verify: RenewalOptions["verify"],
  token: string,
  guarded: GuardedSocket,
  signal: AbortSignal,
): Promise<{ readonly identity: Identity } | (Renewed & { readonly ok: false })> {
  const failed = (cause: unknown): Renewed & { readonly ok: false } =>
    Object.freeze({
      ok: false,
      refusal: refuse("keys_unavailable", undefined, { cause, headers: [["Retry-After", "5"]] }),
    });
  try {
    const found = await unlessAborted(signal, () => verify(token, guarded.view));
    if (found === undefined || found === null || found === false) {
      return { ok: false, refusal: nobody };
    }
    const scheme = "scheme" in found && found.scheme;
    const identity = identityFrom(found, typeof scheme === "string" ? scheme : "bearer");
    return identity === undefined ? failed(new TypeError("the subject is no text")) : { identity };
  } catch (cause) {
    return failed(cause);
  }
}

/** Why the identity may not take the connection over: one answer for all that is wrong with a token. */
function refusalOf(guarded: GuardedSocket, identity: Identity): Refusal | undefined {
  const { registry, identity: known } = guarded;
  if (guarded.place === -1 || guarded.isClosing) return gone;
  if (known?.subject !== identity.subject || issuerOf(known) !== issuerOf(identity)) {
    return otherSubject;
  }
  const { expiresAt } = identity;
  if (expiresAt !== undefined && !(registry.clock.now() < expiresAt)) return expired;
  return registry.isRevoked(identity) ? revoked : undefined;
}

/** What is left of a handshake when its request is gone. */
const slimHandshake = ({ path, address }: GuardedSocket): Handshake =>
  createHandshake({
    method: "GET",
    target: path,
    httpVersion: "1.1",
    headerLines: [],
    maxHeaderLines: 1,
    showsConnectionHeader: false,
    peerAddress: () => address,
    tls: () => undefined,
    signal: () => AbortSignal.timeout(0),
  });
