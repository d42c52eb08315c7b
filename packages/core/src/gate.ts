/**
 * What a gate for some runtime is built from: make the handshake, look at it, spend the permit, rewrite the request, answer.
 * Applications do not need this entry; `@firmshake/node` does.
 */

export {
  describeLifetime,
  type LifetimeRules,
  type LifetimeTerm,
  readLifetimeOptions,
  strictestLifetime,
} from "./checks/lifetime.ts";
export { describeLimits, type LimitsTerm, limitsKind, readLimits } from "./checks/limits.ts";
export { addressKey, identityKey, unknownAddress } from "./checks/rate-limit.ts";
export { readTicketPath } from "./checks/tickets.ts";
export {
  aBoolean,
  aCount,
  aFunction,
  aList,
  anObject,
  anything,
  aPositiveInteger,
  aPositiveNumber,
  aText,
  aTextList,
  aTimeoutMs,
  aWholeNumber,
  either,
  nearestName,
  type OptionRule,
  oneOf,
  readOptions,
} from "./config/options.ts";
export { isRefusal } from "./decision/decision.ts";
export { deciderOf, spendPermit } from "./decision/permit.ts";
export { unlessAborted } from "./fetch/unless-aborted.ts";
export { defineCheck, isPromiseLike, ranks, readChecks } from "./guard/check.ts";
export { runAll } from "./guard/combine.ts";
export { compilePath } from "./guard/path-pattern.ts";
export { readAddressRanges } from "./handshake/address-ranges.ts";
export {
  addTerm,
  type ConnectionTerm,
  takeBackTerms,
  termsOf,
  termsSoFar,
} from "./handshake/connection-terms.ts";
export {
  createHandshake,
  forwardedOf,
  type HandshakeSource,
  handshakeAgain,
  hasTrust,
  type Rewrite,
  rewriteOf,
  sourceOf,
  trailOf,
} from "./handshake/handshake.ts";
export {
  accountKey,
  grantedTo,
  issuedAtOf,
  issuerOf,
  sessionIdOf,
  tokenIdOf,
} from "./handshake/identity.ts";
export { protocolToAnswer } from "./handshake/protocol-to-answer.ts";
export { openingRefusal } from "./handshake/validity.ts";
export { compileRanges } from "./parse/address-range.ts";
export { isHeaderValue, isHttpToken, trimBlanks } from "./parse/http-token.ts";
export { clientKey, type IpAddress, parsePeerAddress } from "./parse/ip-address.ts";
export {
  closeWith,
  isLeaving,
  isMessageSocket,
  listenTo,
  type MessagePayload,
  type MessageSocket,
  payloadOf,
} from "./sockets/message-socket.ts";
export { takeUnits } from "./stores/gcra.ts";
export { boundThumbprint } from "./tokens/bound-thumbprint.ts";
export { extractToken, invalidToken } from "./tokens/extract-token.ts";
