/** Who was authenticated. Checks that authenticate add it as the fact `identity`. */
export interface Identity {
  /** Whom the issuer vouches for: the `sub` claim, or the claim that the check was told to use. */
  readonly subject: string;
  /** How the proof was presented, in the words of the IANA registry of HTTP authentication schemes, in lower case; `session`, `apiKey`, `mtls` and `authorize` have none. */
  readonly scheme: string;
  /** What the issuer says of the subject, verified and frozen. */
  readonly claims: Readonly<Record<string, unknown>>;
  /** When the proof ends, in milliseconds since 1970; undefined where it does not end. */
  readonly expiresAt: number | undefined;
}

/** A claim of the identity's own, never what its prototype has. */
export const claimOf = (claims: Identity["claims"], name: string): unknown =>
  Object.hasOwn(claims, name) ? claims[name] : undefined;

/** The names of the scopes that were granted: one text with blanks between (RFC 6749 §3.3), or a list. */
export const grantedTo = ({ claims }: Identity): readonly unknown[] =>
  ["scope", "scp"].flatMap((name): readonly unknown[] => {
    const value = claimOf(claims, name);
    if (typeof value === "string") return value.split(" ");
    return Array.isArray(value) ? value : [];
  });

/** The session that the identity came of (OpenID Connect Front-Channel Logout §3). */
export const sessionIdOf = ({ claims }: Identity): string | undefined => textIn(claims, "sid");

/** RFC 7519 §4.1.7. */
export const tokenIdOf = ({ claims }: Identity): string | undefined => textIn(claims, "jti");

/** RFC 7519 §4.1.1. */
export const issuerOf = ({ claims }: Identity): string | undefined => textIn(claims, "iss");

/** One text for each account: a subject means something only together with who vouches for it (RFC 7519 §4.1.2). */
export const accountKey = (subject: string, issuer = ""): string =>
  // With the length, so that no two of them are written alike.
  `${issuer.length} ${issuer} ${subject}`;

/** RFC 7519 §4.1.6, in milliseconds since 1970. */
export function issuedAtOf({ claims }: Identity): number | undefined {
  const iat = claimOf(claims, "iat");
  return typeof iat === "number" && Number.isFinite(iat) ? iat * 1_000 : undefined;
}

function textIn(claims: Identity["claims"], name: string): string | undefined {
  const value = claimOf(claims, name);
  return typeof value === "string" ? value : undefined;
}
