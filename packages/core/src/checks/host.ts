import { ConfigError } from "../config/config-error.ts";
import { kindOf } from "../config/options.ts";
import { allow, refuse } from "../decision/decision.ts";
import { type Check, defineCheck, ranks } from "../guard/check.ts";
import type { Handshake } from "../handshake/handshake.ts";
import { type Authority, parseAuthority } from "../parse/authority.ts";
import { defaultPorts } from "../parse/serialized-origin.ts";

/**
 * Answers to listed host names alone, so that a foreign name that resolves to this server reaches nothing (DNS rebinding, CVE-2018-7160).
 *
 * An entry is `app.example.com` (any port), `app.example.com:8443` (that port; a `Host` without one means the scheme's own, 443 or 80),
 * `*.example.com` (one or more labels in front, never the name itself), or `ip-literal` (any address, since addresses cannot be rebound).
 * `X-Forwarded-Host` is never looked at.
 *
 * @throws {@link ConfigError} `ERR_FIRMSHAKE_HOST_INVALID`, naming the entry and what to write.
 *
 * @example
 * ```ts
 * import { guard, host } from "@firmshake/core";
 *
 * const local = guard(host(["localhost", "127.0.0.1", "[::1]"]));
 * ```
 */
export function host(names: readonly string[]): Check {
  if (!Array.isArray(names) || names.length === 0) {
    throw invalidEntry(kindOf(names), `Write a list such as ["app.example.com"].`);
  }
  const tests = names.map(readEntry);
  return defineCheck(
    { name: "host", summary: names.join(", "), rank: ranks.header, namesHosts: true },
    (handshake) => {
      const authority = parseAuthority(handshake.headers.only("host") ?? "");
      return authority !== undefined && tests.some((matches) => matches(authority, handshake))
        ? allow
        : denied;
    },
  );
}

const denied = refuse("host_denied");

type HostTest = (authority: Authority, handshake: Handshake) => boolean;

function readEntry(entry: unknown): HostTest {
  if (typeof entry !== "string") throw invalidEntry(kindOf(entry), "Write each host as a string.");
  if (entry === "ip-literal") return ({ kind }) => kind !== "name";
  const isWildcard = entry.startsWith("*.");
  const listed = parseAuthority(isWildcard ? entry.slice(2) : entry);
  if (listed === undefined || (isWildcard && listed.kind !== "name")) {
    throw invalidEntry(
      `"${entry}"`,
      `Write "app.example.com", "app.example.com:8443", "*.example.com", "[::1]" or "ip-literal".`,
    );
  }
  const agreesInPort: HostTest = ({ port }, { scheme }) =>
    listed.port === undefined ||
    listed.port === (port ?? defaultPorts[scheme === "wss" ? "https" : "http"]);
  if (!isWildcard) {
    return (authority, handshake) =>
      authority.host === listed.host && agreesInPort(authority, handshake);
  }
  const suffix = `.${listed.host}`;
  return (authority, handshake) =>
    authority.kind === "name" &&
    authority.host.length > suffix.length &&
    authority.host.endsWith(suffix) &&
    agreesInPort(authority, handshake);
}

const invalidEntry = (written: string, advice: string): ConfigError =>
  new ConfigError("ERR_FIRMSHAKE_HOST_INVALID", `host: ${written} is not a host. ${advice}`);
