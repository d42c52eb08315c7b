import { lookup } from "node:dns/promises";
import { BlockList, isIP } from "node:net";
import { ConfigError } from "@firmshake/core";

/** The endpoint, taken apart. */
export interface Target {
  readonly url: URL;
  readonly isTls: boolean;
  /** Without the brackets of IPv6. */
  readonly hostname: string;
  readonly port: number;
  /** As the Host header names it. */
  readonly host: string;
  /** Path and query. */
  readonly path: string;
}

/** How far away an address is. */
export type AddressClass = "loopback" | "private" | "public";

/** An address of the target, with what may be said of it. */
export interface TargetAddress {
  readonly address: string;
  readonly class: AddressClass;
}

/**
 * Reads the URL of an endpoint.
 *
 * @throws {@link ConfigError} `ERR_FIRMSHAKE_TARGET_INVALID` where it is not a `ws` or `wss` URL.
 */
export function readTarget(text: string): Target {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== "ws:" && url.protocol !== "wss:")) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_TARGET_INVALID",
      'audit: the target must be a URL such as "ws://localhost:8080/chat" or "wss://chat.example.com/".',
    );
  }
  if (url.username !== "" || url.password !== "") {
    throw new ConfigError(
      "ERR_FIRMSHAKE_TARGET_INVALID",
      "audit: browsers drop user and password from WebSocket URLs; give them as an Authorization header.",
    );
  }
  const isTls = url.protocol === "wss:";
  return {
    url,
    isTls,
    hostname: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? (isTls ? 443 : 80) : Number(url.port),
    host: url.host,
    path: `${url.pathname}${url.search}`,
  };
}

/**
 * Resolves the target's name, once for the whole run: an address that changes between two probes would be another target.
 *
 * @throws {@link ConfigError} `ERR_FIRMSHAKE_TARGET_PUBLIC` where an address is public and that was not allowed.
 */
export async function resolveTarget(
  { hostname }: Target,
  allowPublic: boolean,
): Promise<readonly [TargetAddress, ...TargetAddress[]]> {
  const found =
    isIP(hostname) > 0
      ? [{ address: hostname }]
      : await lookup(hostname, { all: true }).catch(() => []);
  const addresses = found.map(({ address }) => ({ address, class: classOf(address) }));
  const [first, ...others] = addresses;
  if (first === undefined) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_TARGET_INVALID",
      "audit: the name of the target cannot be resolved.",
    );
  }
  if (!allowPublic && addresses.some((one) => one.class === "public")) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_TARGET_PUBLIC",
      'audit: the target has a public address. If it is yours, set "allowPublic".',
    );
  }
  return [first, ...others];
}

/** What is neither this machine nor a network that is not routed counts as public. */
export function classOf(address: string): AddressClass {
  const family = isIP(address) === 6 ? "ipv6" : "ipv4";
  if (loopback.check(address, family)) return "loopback";
  return local.check(address, family) ? "private" : "public";
}

/** Mapped IPv4 addresses are found by the IPv4 ranges. The unspecified address reaches this machine. */
const loopback = ranges(
  ["127.0.0.0", 8, "ipv4"],
  ["0.0.0.0", 32, "ipv4"],
  ["::1", 128, "ipv6"],
  ["::", 128, "ipv6"],
);
/** RFC 1918, 3927, 4193, 4291, 6598. */
const local = ranges(
  ["10.0.0.0", 8, "ipv4"],
  ["172.16.0.0", 12, "ipv4"],
  ["192.168.0.0", 16, "ipv4"],
  ["169.254.0.0", 16, "ipv4"],
  ["100.64.0.0", 10, "ipv4"],
  ["fc00::", 7, "ipv6"],
  ["fe80::", 10, "ipv6"],
);

function ranges(...list: readonly (readonly [string, number, "ipv4" | "ipv6"])[]): BlockList {
  const made = new BlockList();
  for (const [net, prefix, family] of list) made.addSubnet(net, prefix, family);
  return made;
}
