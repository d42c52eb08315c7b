import { type AnswerWords, answerWords } from "./answer-words.ts";
import {
  flag,
  list,
  number,
  object,
  oneOf,
  optional,
  type Reader,
  record,
  scalar,
  text,
} from "./words.ts";

/** What a guard is to ask for. */
export interface PolicyWords extends AuthenticationWords {
  readonly origins: readonly string[] | undefined;
  readonly missingOrigin: "allow" | "deny" | undefined;
  readonly nullOrigin: "allow" | "deny" | undefined;
  readonly hosts: readonly string[] | undefined;
  readonly loopbackRule: boolean | undefined;
  readonly paths: readonly string[] | undefined;
  readonly trustProxy: readonly string[] | undefined;
  readonly forwardedHeader: "x-forwarded-for" | "forwarded" | "either" | undefined;
  readonly allowIps: readonly string[] | undefined;
  readonly denyIps: readonly string[] | undefined;
  readonly requireTls: boolean | undefined;
  readonly protocols: readonly string[] | undefined;
  readonly requireProtocol: boolean | undefined;
  readonly rate: RateWords | undefined;
  /** For sequences alone: elsewhere nobody could have issued one. */
  readonly ticket: TicketWords | undefined;
  readonly csrf: CsrfWords | undefined;
  /** For sequences alone, as those down to `controlFrames`: elsewhere nothing comes after the handshake. */
  readonly closeOnExpiry: boolean | undefined;
  readonly maxConnectionSeconds: number | undefined;
  readonly connections: ConnectionsWords | undefined;
  readonly maxMessageBytes: number | undefined;
  readonly maxFragments: number | undefined;
  readonly messages: TrafficWords | undefined;
  readonly bytes: TrafficWords | undefined;
  readonly messagesPerUser: TrafficWords | undefined;
  readonly controlFrames: TrafficWords | undefined;
  /** Several ways in; of the words of each all must allow. */
  readonly any: readonly AuthenticationWords[] | undefined;
  /** Around everything that authenticates. */
  readonly throttle: ThrottleWords | undefined;
  /** Behind the handshake, so over a socket alone. */
  readonly firstMessage: FirstMessageWords | undefined;
  /** Words of sequences that no released check answers to yet. */
  readonly later: readonly string[];
}

/** Who it must be. */
export interface AuthenticationWords {
  readonly jwt: JwtWords | string | undefined;
  readonly introspection: IntrospectionWords | undefined;
  readonly apiKeys: readonly ApiKeyWords[] | undefined;
  readonly clientCertificate: ClientCertificateWords | undefined;
  readonly boundToCertificate: CertificatePlace | undefined;
  readonly authorize: AuthorizeWords | undefined;
  readonly requireScope: readonly string[] | undefined;
  readonly requireClaim: RequireClaimWords | undefined;
}

export interface JwtWords {
  readonly algorithms: readonly string[] | undefined;
  readonly issuer: string | undefined;
  readonly audience: string | readonly string[] | undefined;
  readonly requireExp: boolean | undefined;
  readonly typ: string | undefined;
  readonly defaultTyp: boolean | undefined;
  readonly profile: "rfc9068" | undefined;
  readonly subjectClaim: string | undefined;
  readonly clockToleranceSeconds: number | undefined;
  readonly maxTokenBytes: number | undefined;
  readonly maxLifetimeSeconds: number | undefined;
  readonly keys: string | undefined;
  /** Instead of keys, what an issuer on loopback answers when it is asked where they are. */
  readonly metadata: AnswerWords | undefined;
  readonly from: readonly string[] | undefined;
  readonly certificateBound: boolean | undefined;
  readonly dpop: DpopWords | undefined;
}

export interface DpopWords {
  readonly origins: readonly string[];
  readonly algorithms: readonly string[] | undefined;
  readonly maxAgeSeconds: number | undefined;
  readonly maxProofBytes: number | undefined;
  readonly asksForNonce: boolean | undefined;
}

export interface IntrospectionWords {
  readonly issuer: string | undefined;
  readonly audience: string | readonly string[];
  readonly subjectClaim: string | undefined;
  readonly timeoutMs: number | undefined;
  readonly from: readonly string[] | undefined;
  /** What the issuer's endpoint answers. */
  readonly answer: AnswerWords | undefined;
  /** Instead, what the issuer answers when it is asked where its endpoint is. */
  readonly metadata: AnswerWords | undefined;
}

export interface AuthorizeWords {
  readonly answer: AnswerWords;
  readonly timeoutMs: number | undefined;
}

/** A key as its client has it. The guard is given its hash. */
export interface ApiKeyWords {
  readonly key: string;
  readonly subject: string;
  readonly expiresInSeconds: number | undefined;
}

export type CertificatePlace = "socket" | "client-cert-header";

export interface ClientCertificateWords {
  readonly subject: "spiffe" | "san-dns" | "san-uri" | "san-email" | "thumbprint";
  readonly trustDomains: readonly string[] | undefined;
  readonly from: CertificatePlace | undefined;
}

export interface RequireClaimWords {
  readonly name: string;
  readonly values: readonly (string | number | boolean)[];
}

export interface RateWords {
  readonly handshakes: number;
  readonly perSeconds: number;
  readonly key: "ip" | "user" | undefined;
}

export interface ThrottleWords {
  readonly failures: number;
  readonly perSeconds: number;
  readonly bySubject: boolean | undefined;
  readonly ipv6PrefixBits: number | undefined;
}

export interface ConnectionsWords {
  readonly max: number;
  readonly key: "ip" | "user" | "all" | undefined;
  readonly evicts: boolean | undefined;
}

export interface CsrfWords {
  readonly ttlSeconds: number | undefined;
}

export interface TrafficWords {
  readonly limit: number;
  readonly perSeconds: number;
}

export interface TicketWords {
  readonly ttlSeconds: number | undefined;
  /** There are no others. */
  readonly singleUse: boolean | undefined;
  readonly bindAddress: boolean | undefined;
  readonly bindKey: boolean | undefined;
}

export interface FirstMessageWords {
  readonly jwt: JwtWords;
  readonly timeoutMs: number | undefined;
  readonly maxBytes: number | undefined;
  readonly maxMessages: number | undefined;
}

const textOrTexts: Reader<string | readonly string[]> = (value, where) =>
  typeof value === "string" ? value : list(text)(value, where);

const certificatePlace = oneOf("socket", "client-cert-header");

const jwtWords = record<JwtWords>({
  algorithms: optional(list(text)),
  issuer: optional(text),
  audience: optional(textOrTexts),
  requireExp: optional(flag),
  typ: optional(text),
  defaultTyp: optional(flag),
  profile: optional(oneOf("rfc9068")),
  subjectClaim: optional(text),
  clockToleranceSeconds: optional(number),
  maxTokenBytes: optional(number),
  maxLifetimeSeconds: optional(number),
  keys: optional(text),
  metadata: optional(answerWords),
  from: optional(list(text)),
  certificateBound: optional(flag),
  dpop: optional(
    record<DpopWords>({
      origins: list(text),
      algorithms: optional(list(text)),
      maxAgeSeconds: optional(number),
      maxProofBytes: optional(number),
      asksForNonce: optional(flag),
    }),
  ),
});

const authentication = {
  jwt: optional<JwtWords | string>((value, where) =>
    typeof value === "string" ? value : jwtWords(value, where),
  ),
  introspection: optional(
    record<IntrospectionWords>({
      issuer: optional(text),
      audience: textOrTexts,
      subjectClaim: optional(text),
      timeoutMs: optional(number),
      from: optional(list(text)),
      answer: optional(answerWords),
      metadata: optional(answerWords),
    }),
  ),
  apiKeys: optional(
    list(record<ApiKeyWords>({ key: text, subject: text, expiresInSeconds: optional(number) })),
  ),
  clientCertificate: optional(
    record<ClientCertificateWords>({
      subject: oneOf("spiffe", "san-dns", "san-uri", "san-email", "thumbprint"),
      trustDomains: optional(list(text)),
      from: optional(certificatePlace),
    }),
  ),
  boundToCertificate: optional(certificatePlace),
  authorize: optional(record<AuthorizeWords>({ answer: answerWords, timeoutMs: optional(number) })),
  requireScope: optional(list(text)),
  requireClaim: optional(record<RequireClaimWords>({ name: text, values: list(scalar) })),
};

const trafficWords = record<TrafficWords>({ limit: number, perSeconds: number });

const policyWords = record<Omit<PolicyWords, "later">>({
  ...authentication,
  origins: optional(list(text)),
  missingOrigin: optional(oneOf("allow", "deny")),
  nullOrigin: optional(oneOf("allow", "deny")),
  hosts: optional(list(text)),
  loopbackRule: optional(flag),
  paths: optional(list(text)),
  trustProxy: optional(list(text)),
  forwardedHeader: optional(oneOf("x-forwarded-for", "forwarded", "either")),
  allowIps: optional(list(text)),
  denyIps: optional(list(text)),
  requireTls: optional(flag),
  protocols: optional(list(text)),
  requireProtocol: optional(flag),
  rate: optional(
    record<RateWords>({
      handshakes: number,
      perSeconds: number,
      key: optional(oneOf("ip", "user")),
    }),
  ),
  ticket: optional(
    record<TicketWords>({
      ttlSeconds: optional(number),
      singleUse: optional(flag),
      bindAddress: optional(flag),
      bindKey: optional(flag),
    }),
  ),
  csrf: optional(record<CsrfWords>({ ttlSeconds: optional(number) })),
  closeOnExpiry: optional(flag),
  maxConnectionSeconds: optional(number),
  connections: optional(
    record<ConnectionsWords>({
      max: number,
      key: optional(oneOf("ip", "user", "all")),
      evicts: optional(flag),
    }),
  ),
  maxMessageBytes: optional(number),
  maxFragments: optional(number),
  messages: optional(trafficWords),
  bytes: optional(trafficWords),
  messagesPerUser: optional(trafficWords),
  controlFrames: optional(trafficWords),
  any: optional(list(record<AuthenticationWords>(authentication))),
  throttle: optional(
    record<ThrottleWords>({
      failures: number,
      perSeconds: number,
      bySubject: optional(flag),
      ipv6PrefixBits: optional(number),
    }),
  ),
  firstMessage: optional(
    record<FirstMessageWords>({
      jwt: jwtWords,
      timeoutMs: optional(number),
      maxBytes: optional(number),
      maxMessages: optional(number),
    }),
  ),
});

const nowWords: readonly string[] = ["maxConnectionSeconds", "maxMessageBytes", "maxFragments"];

/** Limits on what comes after the handshake are all called max… in the form. */
const isLaterWord = (name: string): boolean =>
  name === "slowAuthMs" || (/^max[A-Z]/.test(name) && !nowWords.includes(name));

/** Reads a policy, strictly. */
export const readPolicyWords: Reader<PolicyWords> = (value, where) => {
  const entries = Object.entries(object(value, where));
  const now = Object.fromEntries(entries.filter(([name]) => !isLaterWord(name)));
  const later = entries.map(([name]) => name).filter(isLaterWord);
  return { ...policyWords(now, where), later };
};
