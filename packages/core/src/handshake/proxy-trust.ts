import { ConfigError } from "../config/config-error.ts";
import { aTextList, oneOf, readOptions } from "../config/options.ts";
import { type Refusal, refuse } from "../decision/decision.ts";
import { type AddressRange, compileRanges } from "../parse/address-range.ts";
import { type ForwardedHop, parseForwarded, parseForwardedFor } from "../parse/forwarded.ts";
import { trimBlanks } from "../parse/http-token.ts";
import type { IpAddress } from "../parse/ip-address.ts";
import { readAddressRanges } from "./address-ranges.ts";
import type { HeaderLines } from "./header-lines.ts";

/** The header by which the proxies in front of this server name the client. */
export type ForwardingHeader = "x-forwarded-for" | "forwarded";

/** What {@link trustedProxies} takes. */
export interface TrustedProxiesOptions {
  /** The proxies: addresses, CIDR blocks, or `loopback`, `linklocal`, `private`. */
  readonly proxies: readonly string[];
  /**
   * The only header that counts. Left out, either counts, and a handshake in which both stand and disagree is refused.
   */
  readonly header?: ForwardingHeader;
}

/** Which peers' forwarding headers count. Made by {@link trustedProxies}. */
export interface ProxyTrust {
  /** In words, for `explain()`. */
  readonly summary: string;
  /** For this package's own use. */
  readonly clientOf: (
    peer: IpAddress | undefined,
    isTls: boolean,
    headers: HeaderLines,
  ) => ForwardedClient;
}

/** The client as it stands behind the proxies. */
export interface ForwardedClient {
  readonly isTrustedPeer: boolean;
  /** Undefined where it cannot be told. */
  readonly address: IpAddress | undefined;
  readonly isSecure: boolean;
  /** Why the headers cannot be believed at all. */
  readonly refusal?: Refusal;
}

/**
 * Says which proxies stand in front of the server. Their `X-Forwarded-For` or `Forwarded` (RFC 7239) is walked from the right, past
 * trusted addresses, to the first that is not: the client. Their word on the scheme (`X-Forwarded-Proto`, `proto=`) counts too;
 * `https` and `wss` are secure. Nobody else's headers are looked at.
 *
 * @throws {@link ConfigError} `ERR_FIRMSHAKE_PROXY_TRUSTS_EVERYONE` for ranges so wide that a client could be inside,
 * `ERR_FIRMSHAKE_ADDRESS_RANGE_INVALID` for what is no range.
 *
 * @example
 * ```ts
 * import { trustedProxies } from "@firmshake/core";
 *
 * const proxies = trustedProxies({ proxies: ["10.0.0.0/8"], header: "x-forwarded-for" });
 * ```
 */
export function trustedProxies(
  given: TrustedProxiesOptions | readonly string[] | ProxyTrust,
): ProxyTrust {
  if (isProxyTrust(given)) return given;
  const options = Array.isArray(given) ? { proxies: given } : (given as TrustedProxiesOptions);
  const { proxies, header } = readOptions<TrustedProxiesOptions>(
    "trustProxy",
    options,
    { proxies: aTextList, header: oneOf("x-forwarded-for", "forwarded") },
    ["proxies"],
  );
  const ranges = readAddressRanges("trustProxy", proxies);
  for (const range of ranges) refuseWideRange(range);
  const isTrusted = compileRanges(ranges);
  return {
    summary: `${proxies.join(", ")} by ${header ?? "x-forwarded-for or forwarded"}`,
    clientOf: (peer, isTls, headers) =>
      peer !== undefined && isTrusted(peer)
        ? readForwarded(peer, isTls, headers, header, isTrusted)
        : { isTrustedPeer: false, address: peer, isSecure: isTls },
  };
}

function isProxyTrust(given: object): given is ProxyTrust {
  return typeof (given as Partial<ProxyTrust> | null)?.clientOf === "function";
}

/** No network that proxies stand in is wider than 10.0.0.0/8 or fc00::/7. */
function refuseWideRange({ base, prefixBits }: AddressRange): void {
  if (prefixBits >= (base.family === 4 ? 8 : 7)) return;
  throw new ConfigError(
    "ERR_FIRMSHAKE_PROXY_TRUSTS_EVERYONE",
    `trustProxy: ${base.text}/${prefixBits} would let clients name their own address. Write the addresses of your proxies, such as "10.0.0.0/8" or "loopback".`,
  );
}

const conflict = refuse("forwarded_conflict");
const invalid = refuse("forwarded_invalid");

function readForwarded(
  peer: IpAddress,
  isTls: boolean,
  headers: HeaderLines,
  header: ForwardingHeader | undefined,
  isTrusted: (address: IpAddress) => boolean,
): ForwardedClient {
  const unknown = { isTrustedPeer: true, address: undefined, isSecure: false };
  const listed = header === "forwarded" ? undefined : headers.joined("x-forwarded-for");
  const forwarded = header === "x-forwarded-for" ? undefined : headers.joined("forwarded");
  const described = forwarded === undefined ? undefined : parseForwarded(forwarded);
  if (forwarded !== undefined && described === undefined) return { ...unknown, refusal: invalid };

  const byList = listed === undefined ? undefined : clientHop(parseForwardedFor(listed), isTrusted);
  const byDescription = described === undefined ? undefined : clientHop(described, isTrusted);
  const proto = readProto(header === "forwarded" ? [] : headers.all("x-forwarded-proto"));
  if (proto === null) return { ...unknown, refusal: conflict };
  if (byList !== undefined && byDescription !== undefined) {
    if (byList.address?.text !== byDescription.address?.text) {
      return { ...unknown, refusal: conflict };
    }
  }
  const hop = byDescription ?? byList;
  const hopProto = byDescription?.proto;
  if (proto !== undefined && hopProto !== undefined && isSecure(proto) !== isSecure(hopProto)) {
    return { ...unknown, refusal: conflict };
  }
  const said = proto ?? hopProto;
  return {
    isTrustedPeer: true,
    address: hop === undefined ? peer : hop.address,
    isSecure: said === undefined ? isTls : isSecure(said),
  };
}

/** From the right, the first hop that is not a trusted proxy; the leftmost where all are trusted. */
function clientHop(
  hops: readonly ForwardedHop[],
  isTrusted: (address: IpAddress) => boolean,
): ForwardedHop | undefined {
  for (let index = hops.length - 1; index > 0; index--) {
    const hop = hops[index];
    if (hop?.address === undefined || !isTrusted(hop.address)) return hop;
  }
  return hops[0];
}

/** The one scheme that all values name; null where they differ. */
function readProto(lines: readonly string[]): string | null | undefined {
  const words = lines
    .flatMap((line) => line.split(","))
    .map((word) => trimBlanks(word).toLowerCase());
  const [first] = words;
  return words.every((word) => word === first) ? first : null;
}

/** Traefik and others say `wss` where they forward an upgrade. */
const isSecure = (proto: string): boolean => proto === "https" || proto === "wss";
