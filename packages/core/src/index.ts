export type { Authorization, AuthorizeFacts } from "./authorize/authorization.ts";
export type { AuthorizeCacheOptions, AuthorizeOptions } from "./authorize/authorize-options.ts";
export { type AddressOptions, address } from "./checks/address.ts";
export {
  type ApiKeyFacts,
  type ApiKeyFinder,
  type ApiKeyOptions,
  apiKey,
} from "./checks/api-key.ts";
export { type Authorizer, authorize } from "./checks/authorize.ts";
export { type Csrf, type CsrfOptions, csrf, type IssuedCsrf } from "./checks/csrf.ts";
export { host } from "./checks/host.ts";
export { introspection } from "./checks/introspection.ts";
export { jwt } from "./checks/jwt.ts";
export {
  type LifetimeOptions,
  lifetime,
  type OpenConnection,
  type RevalidateOptions,
} from "./checks/lifetime.ts";
export { type FrameRate, type LimitsOptions, limits } from "./checks/limits.ts";
export {
  insecureAnyOrigin,
  type OriginOptions,
  type OriginResolver,
  origin,
} from "./checks/origin.ts";
export { type RateLimitKey, type RateLimitOptions, rateLimit } from "./checks/rate-limit.ts";
export { type ClaimPredicate, type ClaimValue, requireClaim } from "./checks/require-claim.ts";
export { requireScope } from "./checks/require-scope.ts";
export { secure } from "./checks/secure.ts";
export { type SubprotocolOptions, subprotocol } from "./checks/subprotocol.ts";
export { type ThrottleFailuresOptions, throttleFailures } from "./checks/throttle-failures.ts";
export {
  type IssuedTicket,
  type Tickets,
  type TicketsOptions,
  type TicketWish,
  tickets,
} from "./checks/tickets.ts";
export { ConfigError, type ConfigErrorCode, configErrorCodes } from "./config/config-error.ts";
export { type Answer, answerOf, responseOf } from "./decision/answer.ts";
export { type CloseCode, type CloseKind, closeKinds } from "./decision/close-kinds.ts";
export {
  type Allow,
  allow,
  allowWith,
  type Decision,
  type HeaderLine,
  type MaybePromise,
  type NoFacts,
  type Refusal,
  type RefuseOptions,
  refuse,
} from "./decision/decision.ts";
export type { Permit } from "./decision/permit.ts";
export { type RefusalCode, type RefusalKind, refusalKinds } from "./decision/refusal-codes.ts";
export type { AnyCheck, Check, FactsOf } from "./guard/check.ts";
export { type AllFacts, all, any, when } from "./guard/combine.ts";
export {
  type Guard,
  type GuardFacts,
  type GuardMode,
  type GuardOptions,
  guard,
  type Permitted,
  type Refused,
  type Verdict,
} from "./guard/guard.ts";
export { named } from "./guard/named.ts";
export type { PathPattern } from "./guard/path-pattern.ts";
export type { Handshake, TlsFacts, Transport } from "./handshake/handshake.ts";
export {
  type HandshakeFromOptions,
  handshakeFrom,
  type RequestLike,
} from "./handshake/handshake-from.ts";
export { HeaderLines } from "./handshake/header-lines.ts";
export type { Identity } from "./handshake/identity.ts";
export {
  type ForwardingHeader,
  type ProxyTrust,
  type TrustedProxiesOptions,
  trustedProxies,
} from "./handshake/proxy-trust.ts";
export type { TrailEntry } from "./handshake/trail.ts";
export { type SecretFree, withoutSecrets } from "./handshake/without-secrets.ts";
export type { ApiKeyRecord, ListedApiKey } from "./keys/api-key-record.ts";
export {
  type CreateApiKeyOptions,
  type CreatedApiKey,
  createApiKey,
} from "./keys/create-api-key.ts";
export {
  type ExpressRateLimitStore,
  expressRateLimitStore,
} from "./stores/express-rate-limit-store.ts";
export {
  type MemoryRateLimitStoreOptions,
  memoryRateLimitStore,
} from "./stores/memory-rate-limit-store.ts";
export { type MemoryReplayStoreOptions, memoryReplayStore } from "./stores/memory-replay-store.ts";
export {
  type MemoryTicketStoreOptions,
  memoryTicketStore,
} from "./stores/memory-ticket-store.ts";
export type { RateLimitResult, RateLimitRule, RateLimitStore } from "./stores/rate-limit-store.ts";
export {
  type FlexibleLimiter,
  type FlexibleLimiterResult,
  rateLimiterFlexibleStore,
} from "./stores/rate-limiter-flexible-store.ts";
export type { ReplayStore } from "./stores/replay-store.ts";
export type { StoredTicket, TicketStore } from "./stores/ticket-store.ts";
export { bearerToken } from "./tokens/bearer-token.ts";
export { cookieToken } from "./tokens/cookie-token.ts";
export type { DpopNonceOptions, DpopOptions, DpopProofOptions } from "./tokens/dpop-options.ts";
export { headerToken } from "./tokens/header-token.ts";
export type {
  IntrospectionCacheOptions,
  IntrospectionOptions,
} from "./tokens/introspection-options.ts";
export type { JwksOptions, JwtCacheOptions, JwtOptions } from "./tokens/jwt-options.ts";
export { queryToken } from "./tokens/query-token.ts";
export { type SubprotocolTokenForm, subprotocolToken } from "./tokens/subprotocol-token.ts";
export type { TokenSource } from "./tokens/token-source.ts";
export { type TokenVerifierOptions, tokenVerifier } from "./tokens/token-verifier.ts";
export type {
  JsonWebKey,
  JsonWebKeySet,
  KeyLike,
  VerificationKeys,
} from "./tokens/verification-keys.ts";
