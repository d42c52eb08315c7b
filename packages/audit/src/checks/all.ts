import type { Check } from "../check.ts";
import { credentialNeeded, credentialVerified } from "./auth/needed.ts";
import { ticketOnce } from "./auth/tickets.ts";
import { unauthenticatedKept } from "./auth/unauthenticated-kept.ts";
import { credentialInQuery, tokenEchoed } from "./auth/where.ts";
import { compression } from "./frames/compression.ts";
import { endlessFragments, pingFlood } from "./frames/floods.ts";
import { malformedFrame } from "./frames/malformed-frame.ts";
import { messageSize, unmasked } from "./frames/size-and-masking.ts";
import { leftHanging, usableAfterRefusal } from "./handshake/after-refusal.ts";
import { extendedConnect } from "./handshake/extended-connect.ts";
import { foreignTarget } from "./handshake/foreign-target.ts";
import { halfSent } from "./handshake/half-sent.ts";
import { headerFlood } from "./handshake/header-flood.ts";
import { malformedHeaders } from "./handshake/malformed-headers.ts";
import { badKey, body, wrongMethod } from "./handshake/rfc.ts";
import { slowHeaders } from "./handshake/slow-headers.ts";
import { upgradeTokens } from "./handshake/upgrade-tokens.ts";
import { foreignHost, oddHost, severalHosts } from "./host/rebinding.ts";
import { dataFirst } from "./information/data-first.ts";
import { errorsTell, softwareTold } from "./information/what-is-told.ts";
import { claims, keyConfusion, ownKey, signature } from "./jwt/token-checks.ts";
import { idle, outlivesToken } from "./lifetime/limits.ts";
import { opensAfterLogout, otherSpelling, outlivesLogout } from "./lifetime/logout.ts";
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
import { addressRules } from "./proxy/address-rules.ts";
import { openConnections } from "./rate/connections.ts";
import { forwardedRate, handshakeRate } from "./rate/handshakes.ts";
import { messageRate } from "./rate/messages.ts";
import { certificate } from "./tls/certificate.ts";
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
  otherPaths,
  lateRefusal,
  foreignHost,
  severalHosts,
  wrongMethod,
  badKey,
  body,
  usableAfterRefusal,
  foreignTarget,
  upgradeTokens,
  extendedConnect,
  plainBesideTls,
  certificate,
  spoofedTls,
  credentialNeeded,
  credentialVerified,
  credentialInQuery,
  tokenEchoed,
  ticketOnce,
  signature,
  keyConfusion,
  claims,
  ownKey,
  addressRules,
  dataFirst,
  errorsTell,
  softwareTold,
  leftHanging,
  outlivesToken,
  unauthenticatedKept,
  halfSent,
  idle,
  openConnections,
  messageRate,
  malformedHeaders,
  headerFlood,
  slowHeaders,
  malformedFrame,
  unmasked,
  messageSize,
  compression,
  severalOrigins,
  oddHost,
  endlessFragments,
  pingFlood,
  handshakeRate,
  forwardedRate,
  outlivesLogout,
  opensAfterLogout,
  otherSpelling,
];
