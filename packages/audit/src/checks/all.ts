import type { Check } from "../check.ts";
import { credentialNeeded, credentialVerified } from "./auth/needed.ts";
import { credentialInQuery, tokenEchoed } from "./auth/where.ts";
import { malformedFrame } from "./frames/malformed-frame.ts";
import { leftHanging, usableAfterRefusal } from "./handshake/after-refusal.ts";
import { malformedHeaders } from "./handshake/malformed-headers.ts";
import { badKey, body, wrongMethod } from "./handshake/rfc.ts";
import { upgradeTokens } from "./handshake/upgrade-tokens.ts";
import { foreignHost, oddHost, severalHosts } from "./host/rebinding.ts";
import { dataFirst } from "./information/data-first.ts";
import { addressOrigin } from "./origin/address-origin.ts";
import { anyOrigin } from "./origin/any-origin.ts";
import { lateRefusal } from "./origin/late-refusal.ts";
import { lookAlike } from "./origin/look-alike.ts";
import { missingOrigin } from "./origin/missing-origin.ts";
import { opaqueOrigin } from "./origin/opaque-origin.ts";
import { otherPaths } from "./origin/other-paths.ts";
import { schemeAndPort } from "./origin/scheme-and-port.ts";
import { severalOrigins } from "./origin/several-origins.ts";
import { sisterSubdomain } from "./origin/sister-subdomain.ts";
import { forwardedRate, handshakeRate } from "./rate/handshakes.ts";
import { plainBesideTls, spoofedTls } from "./tls/plain-beside-tls.ts";

/**
 * Every check, in the order in which they run: what changes nothing first; then what may end a weak server; then what has the client
 * refused for a while; last what takes its credential away.
 */
export const allChecks: readonly Check[] = [
  anyOrigin,
  opaqueOrigin,
  missingOrigin,
  addressOrigin,
  schemeAndPort,
  sisterSubdomain,
  lookAlike,
  severalOrigins,
  otherPaths,
  lateRefusal,
  foreignHost,
  oddHost,
  severalHosts,
  wrongMethod,
  badKey,
  body,
  usableAfterRefusal,
  upgradeTokens,
  plainBesideTls,
  spoofedTls,
  credentialNeeded,
  credentialVerified,
  credentialInQuery,
  tokenEchoed,
  dataFirst,
  leftHanging,
  malformedHeaders,
  malformedFrame,
  handshakeRate,
  forwardedRate,
];
