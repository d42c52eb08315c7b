import { ConfigError } from "../config/config-error.ts";
import {
  aBoolean,
  aFunction,
  aText,
  aWholeNumber,
  type OptionRule,
  readOptions,
} from "../config/options.ts";
import {
  allow,
  type MaybePromise,
  type NoFacts,
  type Refusal,
  refuse,
} from "../decision/decision.ts";
import { type Check, defineCheck, isPromiseLike, ranks } from "../guard/check.ts";
import type { Handshake } from "../handshake/handshake.ts";
import { encodeBase64url, isCanonicalBase64url } from "../parse/base64url.ts";
import { isHttpToken } from "../parse/http-token.ts";
import { cookieValues } from "../tokens/cookie-token.ts";
import { csrfSignatures } from "../tokens/csrf-signature.ts";
import { extractToken } from "../tokens/extract-token.ts";
import { queryToken } from "../tokens/query-token.ts";
import { subprotocolToken } from "../tokens/subprotocol-token.ts";
import type { TokenRefusals } from "../tokens/token-refusals.ts";
import { aTokenSourceList, type TokenSource } from "../tokens/token-source.ts";

/** What {@link csrf} takes. */
export interface CsrfOptions {
  /** At least 32 random bytes, the same in all processes. Of a list the first signs and all are believed, so that they can be changed. */
  readonly secret: Uint8Array | readonly Uint8Array[];
  /**
   * The id of the session that the handshake comes with, as the session middleware before the guard knows it. Undefined, null and false
   * refuse.
   */
  readonly session: (handshake: Handshake) => MaybePromise<string | undefined | null | false>;
  /** The cookie's name, which begins with `__Host-` so that no other host can plant it. Default `__Host-csrf`. */
  readonly cookie?: string;
  /** Where to look for the token. Default: the parameter `csrf` of the query, then the subprotocols, as `["bearer", token]`. */
  readonly from?: readonly TokenSource[];
  /** How long a token is good, in milliseconds: whole seconds, a day at most. Default an hour. */
  readonly lifetimeMs?: number;
  /** For servers without TLS: the cookie may have any name (default `csrf`) and goes over plain connections. Default false. */
  readonly insecurePlainCookie?: boolean;
  /** A clock in milliseconds since 1970. Default `Date.now`. */
  readonly now?: () => number;
}

/** The two halves of one proof, for the page of one session. */
export interface IssuedCsrf {
  /** For the page's script, in a body that other origins cannot read. */
  readonly token: string;
  /** For the header `Set-Cookie` of the same answer. */
  readonly cookie: string;
  /** In milliseconds since 1970. */
  readonly expiresAt: number;
}

/** Issues tokens, and is the check that takes them. */
export interface Csrf extends Check {
  /**
   * Issues a token to a session. The nonce of a cookie that is there already is kept, so that the tokens of other tabs stay good. Rejects with
   * a {@link ConfigError} for what is no session id.
   *
   * @param held - The `Cookie` header of the request.
   */
  readonly issue: (sessionId: string, held?: string) => Promise<IssuedCsrf>;
}

/**
 * Lets in pages that show a token of their own session: a signed double submit, by the CSRF Prevention Cheat Sheet of OWASP. The page sends
 * the token, the browser a cookie with a random nonce, and the token is an HMAC-SHA-256 over that nonce, the session's id and an expiry.
 * Neither half holds the other: a token in a log is worth nothing without the cookie, a planted cookie nothing without the secret.
 *
 * It stands beside an origin check and in place of none: it counts as a cookie, so `insecureAnyOrigin()` beside it throws. One answer (403
 * `csrf_invalid`) covers missing, forged, expired and those of another session. Tokens can be used until they expire.
 *
 * @throws {@link ConfigError} for options that are not as described, `ERR_FIRMSHAKE_KEY_UNFIT` for a short secret, and
 * `ERR_FIRMSHAKE_OPTIONS_CONTRADICT` for a token that browsers would send by themselves.
 *
 * @example
 * ```ts
 * import { csrf, guard, origin } from "@firmshake/core";
 *
 * const sessions = new WeakMap<object, string>();
 * const sameSession = csrf({
 *   secret: crypto.getRandomValues(new Uint8Array(32)),
 *   session: (handshake) => sessions.get(handshake),
 * });
 * const chat = guard(origin(["https://app.example.com"]), sameSession);
 *
 * // In a route of your application, where the session is known:
 * const { token, cookie } = await sameSession.issue("the session's id");
 * // In the browser: new WebSocket(`wss://app.example.com/chat?csrf=${token}`)
 * ```
 */
export function csrf(options: CsrfOptions): Csrf {
  const read = readCsrfOptions(options);
  const { session, insecurePlainCookie = false, lifetimeMs = 3_600_000, now = Date.now } = read;
  const { cookie: name = insecurePlainCookie ? "csrf" : "__Host-csrf" } = read;
  const { from = [queryToken("csrf"), subprotocolToken("bearer")] } = read;
  refuseUnfit(name, insecurePlainCookie, from);
  const secrets = [read.secret].flat() as readonly Uint8Array[];
  const signatures = csrfSignatures(secrets);
  // Strict: a page that another site leads to gets its socket all the same, since then the page itself is who asks. HttpOnly: no script needs it.
  const attributes = `Path=/; ${insecurePlainCookie ? "" : "Secure; "}HttpOnly; SameSite=Strict`;

  async function issue(sessionId: string, held?: string): Promise<IssuedCsrf> {
    readOptions("issue", { sessionId }, { sessionId: aText }, ["sessionId"]);
    const nonce = nonceIn(held === undefined ? [] : cookieValues([held], name)) ?? freshNonce();
    const expires = Math.floor((now() + lifetimeMs) / 1000);
    const signature = await signatures.sign({ expires, nonce, sessionId });
    return Object.freeze({
      token: `${expires}.${signature}`,
      cookie: `${name}=${nonce}; ${attributes}`,
      expiresAt: expires * 1000,
    });
  }

  const check = defineCheck<NoFacts>(
    {
      name: "csrf",
      summary: `bound to the session, for ${lifetimeMs / 1000} s; from ${from.map((source) => source.name).join(", ")}, beside cookie "${name}"; ${secrets.length} secret${secrets.length === 1 ? "" : "s"}`,
      rank: ranks.token,
      credential: "ambient",
      withhold: (handshake) => void extractToken(handshake, from, maxTokenLength, refusals),
      weaknesses: insecurePlainCookie
        ? [
            "insecurePlainCookie: other hosts of the site, and who is on the line, can set the cookie",
          ]
        : [],
    },
    (handshake) => {
      const token = extractToken(handshake, from, maxTokenLength, refusals);
      if (typeof token !== "string") return token;
      const parts = partsOf(token);
      if (parts === undefined) return refused.noToken;
      const cookies = cookieValues(handshake.headers.all("cookie"), name);
      if (cookies.length === 0) return refused.cookieMissing;
      const nonce = nonceIn(cookies);
      if (nonce === undefined) return refused.cookieUnfit;
      const verify = async (sessionId: unknown): Promise<typeof allow | Refusal> => {
        if (typeof sessionId !== "string" || sessionId === "") return refused.session;
        const { expires, signature } = parts;
        if (!(await signatures.isOf({ expires, nonce, sessionId }, signature))) {
          return refused.signature;
        }
        return now() < expires * 1000 ? allow : refused.expired;
      };
      const found = session(handshake);
      return isPromiseLike(found) ? found.then(verify) : verify(found);
    },
  );
  return Object.freeze(Object.assign(check, { issue }));
}

/** Twelve digits, a dot and a signature. */
const maxTokenLength = 56;

const refusal = (reason: string): Refusal => refuse("csrf_invalid", undefined, { reason });
const refused = {
  noToken: refusal("not a token"),
  cookieMissing: refusal("no cookie"),
  cookieUnfit: refusal("not one cookie with a nonce"),
  session: refusal("no session"),
  signature: refusal("forged, or of another session or cookie"),
  expired: refusal("expired"),
};
const refusals: TokenRefusals = {
  missing: refusal("no token"),
  ambiguous: refusal("more than one token"),
  malformed: refused.noToken,
  tooLong: refused.noToken,
  invalid: refusal,
};

/** 32 bytes in base64url. */
const isSha256Size = (text: string): boolean => text.length === 43 && isCanonicalBase64url(text);

function partsOf(
  token: string,
): { readonly expires: number; readonly signature: string } | undefined {
  const [expires = "", signature = "", ...others] = token.split(".");
  const isOne = others.length === 0 && /^[1-9]\d{0,11}$/.test(expires) && isSha256Size(signature);
  return isOne ? { expires: Number(expires), signature } : undefined;
}

/** Of one cookie alone: of two, nobody knows which is ours. */
function nonceIn([nonce, ...others]: readonly string[]): string | undefined {
  return nonce !== undefined && others.length === 0 && isSha256Size(nonce) ? nonce : undefined;
}

const freshNonce = (): string => encodeBase64url(crypto.getRandomValues(new Uint8Array(32)));

const someSecrets: OptionRule = {
  expected: "a Uint8Array of 32 random bytes or more, or a non-empty list of them",
  accepts: (value) =>
    [value].flat().length > 0 && [value].flat().every((one) => one instanceof Uint8Array),
};

function readCsrfOptions(options: CsrfOptions): CsrfOptions {
  const read = readOptions<CsrfOptions>(
    "csrf",
    options,
    {
      secret: someSecrets,
      session: aFunction,
      cookie: { expected: "a cookie's name", accepts: isCookieName },
      from: aTokenSourceList,
      lifetimeMs: aWholeNumber(1_000, 86_400_000),
      insecurePlainCookie: aBoolean,
      now: aFunction,
    },
    ["secret", "session"],
  );
  for (const { byteLength } of [read.secret].flat() as readonly Uint8Array[]) {
    if (byteLength >= 32) continue;
    throw new ConfigError(
      "ERR_FIRMSHAKE_KEY_UNFIT",
      `csrf: the secret has ${byteLength} bytes; give 32 or more, from a random source.`,
    );
  }
  return read;
}

const isCookieName = (value: unknown): boolean => typeof value === "string" && isHttpToken(value);

function refuseUnfit(name: string, isPlain: boolean, from: readonly TokenSource[]): void {
  if (!isPlain && !name.startsWith("__Host-")) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTION_INVALID",
      `csrf: "cookie" must begin with "__Host-", or other hosts of the site could plant it. Without TLS write insecurePlainCookie: true.`,
    );
  }
  if (isPlain && /^__(?:host|secure|http)-/i.test(name)) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTIONS_CONTRADICT",
      `csrf: browsers take a cookie with this prefix with Secure alone. Leave insecurePlainCookie out, or choose another name.`,
    );
  }
  if (!from.some((source) => source.isAmbient)) return;
  throw new ConfigError(
    "ERR_FIRMSHAKE_OPTIONS_CONTRADICT",
    `csrf: "from" names a cookie, which browsers send whichever page asks. Let the page send the token: queryToken("csrf") or subprotocolToken("bearer").`,
  );
}
