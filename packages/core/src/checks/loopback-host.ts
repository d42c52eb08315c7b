import { allow, refuse } from "../decision/decision.ts";
import { type Check, defineCheck, ranks } from "../guard/check.ts";
import { readAddressRanges } from "../handshake/address-ranges.ts";
import { forwardedOf, type Handshake } from "../handshake/handshake.ts";
import { compileRanges } from "../parse/address-range.ts";
import { parseAuthority } from "../parse/authority.ts";
import { parsePeerAddress } from "../parse/ip-address.ts";

/**
 * Added by `guard()` itself where no list names hosts or origins: who comes over loopback, and is no trusted proxy, must have asked for a
 * loopback name. A foreign name there is a page that had its own name resolve to this machine (CVE-2025-66414).
 */
export function loopbackHost(): Check {
  return defineCheck(
    {
      name: "loopback host",
      summary: "over loopback only localhost and loopback addresses",
      rank: ranks.header,
    },
    (handshake) => (isLoopbackHost(handshake) || !comesOverLoopback(handshake) ? allow : denied),
  );
}

const denied = refuse("host_denied", undefined, {
  reason:
    "a foreign host name over loopback; name it with host([...]) or trust the proxy that forwards it",
});
const isLoopback = compileRanges(readAddressRanges("loopback host", ["loopback"]));

function isLoopbackHost(handshake: Handshake): boolean {
  const authority = parseAuthority(handshake.headers.only("host") ?? "");
  if (authority === undefined) return false;
  const { host, kind } = authority;
  if (kind === "name") return host === "localhost" || host.endsWith(".localhost");
  const address = parsePeerAddress(kind === "ipv6" ? host.slice(1, -1) : host);
  return address !== undefined && isLoopback(address);
}

function comesOverLoopback(handshake: Handshake): boolean {
  const { isTrustedPeer, address } = forwardedOf(handshake);
  return !isTrustedPeer && address !== undefined && isLoopback(address);
}
