import { type PolicyWords, readPolicyWords } from "./policy-words.ts";
import {
  flag,
  list,
  number,
  object,
  oneOf,
  optional,
  pair,
  type Reader,
  record,
  text,
} from "./words.ts";

/** One case, understood. */
export interface Case {
  readonly id: string;
  readonly given: Given;
  readonly expect: "allow" | "deny" | "as-steps";
  /** The address that the checks must have seen; null where it must not be known. */
  readonly clientIp: string | null | undefined;
  /** The refusal's or the configuration error's code, where the case says why it is denied. */
  readonly code: string | undefined;
  readonly reason: string;
  readonly source: string;
}

export interface Given {
  readonly policy: PolicyWords;
  readonly request: RequestWords | undefined;
  /** Left to the token builder, which knows its own words. */
  readonly token: Readonly<Record<string, unknown>> | undefined;
  /** What proves that the client has the token's key; left to the builder as well. */
  readonly proof: Readonly<Record<string, unknown>> | undefined;
  /** What the client sends once its handshake was answered. */
  readonly messages: readonly MessageWords[] | undefined;
  readonly steps: readonly Step[] | undefined;
}

export interface RequestWords {
  readonly url: string | undefined;
  readonly remoteAddress: string | undefined;
  readonly tls: boolean | undefined;
  readonly headers: readonly (readonly [string, string])[] | undefined;
  /** The name of the certificate that the client presents on the socket. */
  readonly certificate: string | undefined;
  /** Whether an authority of the server vouches for it. */
  readonly isVouchedFor: boolean | undefined;
  readonly raw: RawWords | undefined;
}

/** A text message, or what else a client may send. */
export type MessageWords =
  | string
  | {
      readonly binary: string | undefined;
      readonly ping: string | undefined;
      /** Of one text message. */
      readonly fragments: readonly string[] | undefined;
    };

export interface RawWords {
  readonly lines: readonly string[];
  readonly after: string | undefined;
}

export interface Step extends Omit<RequestWords, "raw"> {
  readonly at: number;
  readonly do: string;
  readonly as: string | undefined;
  readonly expect: "allow" | "deny" | undefined;
  readonly user: string | undefined;
  readonly ticket: string | undefined;
  readonly token: Given["token"];
  readonly proof: Given["proof"];
  /** The step whose handshake is sent once more, letter by letter. */
  readonly again: string | undefined;
  /** Of handshakes at once: how many are sent, and how many of them may pass. */
  readonly times: number | undefined;
  readonly allowed: number | undefined;
  /** Why it is denied. */
  readonly code: string | undefined;
  readonly jwtExp: number | undefined;
  /** Of what is sent, a text message of so many bytes; or these messages, or these frames. */
  readonly bytes: number | undefined;
  readonly messages: readonly MessageWords[] | undefined;
  readonly frames: readonly FrameWords[] | undefined;
  /** In chunks of so many bytes. */
  readonly chunkBytes: number | undefined;
  /** Without reading anything until it is looked at. */
  readonly isDeaf: boolean | undefined;
  readonly codes: readonly number[] | undefined;
  /** What must have come back by then, and what must not even have reached the application. */
  readonly heard: string | undefined;
  readonly unheard: string | undefined;
  /** Whose access is revoked, besides the user; who a page belongs to. */
  readonly session: string | undefined;
  readonly tokenId: string | undefined;
  /** The key that a ticket is issued for. */
  readonly key: string | undefined;
  /** The page's token that is shown. */
  readonly csrf: string | undefined;
}

/** A frame, whether or not a client may send it (RFC 6455 §5.2). */
export interface FrameWords {
  readonly opcode: number;
  /** The payload: a text, bytes as hexadecimal digits, or so many letters. Default: none. */
  readonly text: string | undefined;
  readonly hex: string | undefined;
  readonly bytes: number | undefined;
  /** Default true. */
  readonly fin: boolean | undefined;
  /** RSV1 to RSV3 as a number. Default 0. */
  readonly reserved: number | undefined;
  /** Default true. */
  readonly masked: boolean | undefined;
  /** Announced instead of the payload's own: a number, or `2^62`. */
  readonly length: string | undefined;
  /** In how many bytes more it is announced: 0, 2 or 8. Default: the fewest. */
  readonly lengthBytes: number | undefined;
  /** Default 1. */
  readonly times: number | undefined;
}

const requestBase = {
  url: optional(text),
  remoteAddress: optional(text),
  tls: optional(flag),
  headers: optional(list(pair)),
  certificate: optional(text),
  isVouchedFor: optional(flag),
};

const messageWords: Reader<MessageWords> = (value, where) =>
  typeof value === "string"
    ? value
    : record<Exclude<MessageWords, string>>({
        binary: optional(text),
        ping: optional(text),
        fragments: optional(list(text)),
      })(value, where);

const frameWords: Reader<FrameWords> = record<FrameWords>({
  opcode: number,
  text: optional(text),
  hex: optional(text),
  bytes: optional(number),
  fin: optional(flag),
  reserved: optional(number),
  masked: optional(flag),
  length: optional(text),
  lengthBytes: optional(number),
  times: optional(number),
});

const given = record<Given>({
  policy: readPolicyWords,
  request: optional(
    record<RequestWords>({
      ...requestBase,
      raw: optional(record<RawWords>({ lines: list(text), after: optional(text) })),
    }),
  ),
  token: optional(object),
  proof: optional(object),
  messages: optional(list(messageWords)),
  steps: optional(
    list(
      record<Step>({
        ...requestBase,
        at: number,
        do: text,
        as: optional(text),
        expect: optional(oneOf("allow", "deny")),
        user: optional(text),
        ticket: optional(text),
        token: optional(object),
        proof: optional(object),
        again: optional(text),
        times: optional(number),
        allowed: optional(number),
        code: optional(text),
        jwtExp: optional(number),
        bytes: optional(number),
        messages: optional(list(messageWords)),
        frames: optional(list(frameWords)),
        chunkBytes: optional(number),
        isDeaf: optional(flag),
        codes: optional(list(number)),
        heard: optional(text),
        unheard: optional(text),
        session: optional(text),
        tokenId: optional(text),
        key: optional(text),
        csrf: optional(text),
      }),
    ),
  ),
});

/** Reads one case, strictly. */
export const readCase: Reader<Case> = record<Case>({
  id: text,
  given,
  expect: oneOf("allow", "deny", "as-steps"),
  clientIp: optional((value, where) => (value === null ? null : text(value, where))),
  code: optional(text),
  reason: text,
  source: text,
});
