import { ConfigError } from "../config/config-error.ts";
import { aTextList, readOptions } from "../config/options.ts";
import { allow, refuse } from "../decision/decision.ts";
import { type Check, defineCheck, ranks } from "../guard/check.ts";
import { readAddressRanges } from "../handshake/address-ranges.ts";
import { forwardedOf } from "../handshake/handshake.ts";
import { compileRanges } from "../parse/address-range.ts";

/** What {@link address} takes; at least one of the two. */
export interface AddressOptions {
  /** Clients in none of these are refused. Addresses, CIDR blocks, or `loopback`, `linklocal`, `private`. */
  readonly allow?: readonly string[];
  /** Clients in one of these are refused, also where `allow` holds them. */
  readonly deny?: readonly string[];
}

/**
 * Lets clients in by their address, as it stands behind trusted proxies. IPv4-mapped IPv6 addresses are IPv4; a client whose address
 * cannot be told is refused.
 *
 * @throws {@link ConfigError} `ERR_FIRMSHAKE_ADDRESS_RANGE_INVALID` for an entry that is no range.
 *
 * @example
 * ```ts
 * import { address, guard } from "@firmshake/core";
 *
 * const office = guard(address({ allow: ["private", "203.0.113.0/24"], deny: ["203.0.113.66"] }));
 * ```
 */
export function address(options: AddressOptions): Check {
  const { allow: allowed, deny: refused } = readOptions<AddressOptions>("address", options, {
    allow: aTextList,
    deny: aTextList,
  });
  if (allowed === undefined && refused === undefined) {
    throw new ConfigError("ERR_FIRMSHAKE_OPTION_MISSING", `address: give "allow", "deny" or both.`);
  }
  const isAllowed = allowed && compileRanges(readAddressRanges("address", allowed));
  const isDenied = refused && compileRanges(readAddressRanges("address", refused));
  const summary = [
    ...(allowed === undefined ? [] : [`allow ${allowed.join(", ")}`]),
    ...(refused === undefined ? [] : [`deny ${refused.join(", ")}`]),
  ].join("; ");
  return defineCheck({ name: "address", summary, rank: ranks.address }, (handshake) => {
    const client = forwardedOf(handshake).address;
    if (client === undefined) return unknown;
    if (isDenied?.(client)) return denied;
    return isAllowed === undefined || isAllowed(client) ? allow : denied;
  });
}

const unknown = refuse("address_unknown");
const denied = refuse("address_denied");
