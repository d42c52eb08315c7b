import { setTimeout as delay } from "node:timers/promises";
import {
  address,
  allow,
  bearerToken,
  type Check,
  cookieToken,
  type Decision,
  type GuardOptions,
  type Handshake,
  host,
  jwt,
  maxConnections,
  named,
  origin,
  rateLimit,
  refuse,
  subprotocol,
  subprotocolToken,
  when,
} from "@firmshake/node";
import { algorithm, audience, tokenType } from "./issuer.ts";

/** What the guards of the chat's endpoints are made of, whichever framework they are mounted in. */
export interface Policy {
  /** For tokens in the subprotocols (pages) or in `Authorization` (programs). */
  readonly "/chat": GuardOptions;
  /** For the session cookie of the page. */
  readonly "/session": GuardOptions;
  /** For the office network. */
  readonly "/operations": GuardOptions;
}

/** What {@link createPolicy} has to know. */
export interface PolicyOptions {
  /** The one origin whose pages may connect. */
  readonly page: string;
  /** By which the server may be called. */
  readonly hosts: readonly string[];
  /** Whose tokens count, and where its keys are. */
  readonly issuer: string;
  readonly jwksUri: string;
}

/** How many handshakes one address may make at once, and in each {@link handshakeWindowMs} after that. */
export const handshakeLimit = 40;
const handshakeWindowMs = 10_000;
/** How many connections one address may have open. */
export const connectionLimit = 20;
/** How long it takes to look an account up, as if it were in a database. */
const lookupMs = 60;
/** Whose tokens are still good and whose account is closed. */
export const closedAccount = "Mallory";
export const sessionCookie = "firmshake_session";
export const chatProtocol = "chat.v1";
/** Where nobody on this machine is. */
const officeNetwork = "10.20.0.0/16";

export function createPolicy({ page, hosts, issuer, jwksUri }: PolicyOptions): Policy {
  const tokens = { issuer, audience, jwksUri, typ: tokenType, algorithms: [algorithm] };
  // One limit for both ways in, so that nobody gets twice as much by using both.
  const limit = rateLimit({ limit: handshakeLimit, windowMs: handshakeWindowMs });
  const places = maxConnections({ perAddress: connectionLimit });

  return {
    "/chat": {
      label: "chat",
      checks: [
        address({ deny: ["198.51.100.0/24"] }),
        host(hosts),
        pageOrProgram(page),
        speaksChat,
        limit,
        places,
        jwt({ ...tokens, from: [subprotocolToken(), bearerToken()] }),
        account,
      ],
    },
    "/session": {
      label: "session",
      checks: [
        host(hosts),
        origin([page]),
        speaksChat,
        limit,
        places,
        jwt({ ...tokens, from: [cookieToken(sessionCookie)] }),
        account,
      ],
    },
    "/operations": {
      label: "operations",
      checks: [
        address({ allow: [officeNetwork] }),
        host(hosts),
        origin([page], { allowMissing: true }),
        speaksChat,
        jwt({ ...tokens, from: [bearerToken()] }),
      ],
    },
  };
}

/** Programs have no origin, and say who they are in `Authorization`. Only pages put tokens among the subprotocols, and those have one. */
const pageOrProgram = (page: string): Check =>
  named("origin", when(isPage, origin([page]), origin([page], { allowMissing: true })));

const isPage = ({ protocols }: Handshake): boolean =>
  protocols.some((name) => name !== chatProtocol);

const isWebSocket = ({ transport }: Handshake): boolean => transport === "websocket";

/** Socket.IO's polling has no subprotocols to agree on. */
const speaksChat = named("subprotocol", when(isWebSocket, subprotocol([chatProtocol])));

/** A check of the application's own: a token says who somebody was when it was signed, the account says whether that still holds. */
async function account({ identity, signal }: Handshake): Promise<Decision> {
  await delay(lookupMs, undefined, { signal });
  return identity?.subject === closedAccount
    ? refuse("forbidden", "This account is closed.")
    : allow;
}
