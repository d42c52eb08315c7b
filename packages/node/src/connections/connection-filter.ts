import { ConfigError, type PathPattern } from "@firmshake/core";
import {
  aText,
  compilePath,
  compileRanges,
  issuerOf,
  parsePeerAddress,
  readAddressRanges,
  readOptions,
  sessionIdOf,
  tokenIdOf,
} from "@firmshake/core/gate";
import type { Connection, GuardedSocket } from "./guarded-socket.ts";

/** Which connections are meant: all that is named must fit. */
export interface ConnectionFilter {
  readonly subject?: string;
  /** Who vouches for the subject: the claim `iss`. */
  readonly issuer?: string;
  /** The claim `sid`, or what `identity()` was told as `sessionId`. */
  readonly sessionId?: string;
  /** The claim `jti`. */
  readonly tokenId?: string;
  /** One address, a CIDR block, or the name of a range. */
  readonly address?: string;
  /** One of the connection's `tags`. */
  readonly tag?: string;
  /** As in routes: a path, or one that ends in `/*`. */
  readonly path?: PathPattern;
}

type Matches = (guarded: GuardedSocket) => boolean;

/** @throws {@link ConfigError} for a filter that names nothing, or undefined: it would mean everybody. */
export function compileFilter(
  owner: string,
  filter: ConnectionFilter | ((connection: Connection) => boolean),
): Matches {
  if (typeof filter === "function") return (guarded) => filter(guarded.view) === true;
  const read = readOptions<ConnectionFilter>(owner, filter, {
    subject: aText,
    issuer: aText,
    sessionId: aText,
    tokenId: aText,
    address: aText,
    tag: aText,
    path: aText,
  });
  const named = Object.values(read);
  if (named.length === 0 || named.includes(undefined)) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTION_MISSING",
      `${owner}: name what is to be found, and leave out what you do not know; for all, write () => true.`,
    );
  }
  const { subject, issuer, sessionId, tokenId, address, tag, path } = read;
  const isInRange = address && compileRanges(readAddressRanges(owner, [address]));
  const isAt = path && compilePath(owner, path);
  return ({ identity, address: client, rare, path: at }) => {
    if (subject !== undefined && identity?.subject !== subject) return false;
    if (issuer !== undefined && (identity && issuerOf(identity)) !== issuer) return false;
    if (sessionId !== undefined && (identity && sessionIdOf(identity)) !== sessionId) return false;
    if (tokenId !== undefined && (identity && tokenIdOf(identity)) !== tokenId) return false;
    if (tag !== undefined && rare?.tags?.has(tag) !== true) return false;
    if (isAt && !isAt(at)) return false;
    if (!isInRange) return true;
    const parsed = parsePeerAddress(client);
    return parsed !== undefined && isInRange(parsed);
  };
}
