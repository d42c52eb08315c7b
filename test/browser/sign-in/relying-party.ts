import { createHash, randomBytes } from "node:crypto";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { serverClient } from "./provider.ts";

/** What the application's session has of who has signed in. */
export interface Account {
  readonly subject: string;
  /** The end of the ID token, in milliseconds since 1970. */
  readonly expiresAt: number;
  readonly idToken: string;
}

/** What was asked of the provider, and waits in the session for the answer. */
export interface Pending {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
}

/** The server's part in signing in (OpenID Connect Core 1.0 §3.1, with PKCE). */
export interface RelyingParty {
  /** @param prompt - `none` to be answered at once, without a form. */
  readonly begin: (prompt: unknown) => { readonly url: string; readonly pending: Pending };
  /** Undefined where nobody has signed in. */
  readonly finish: (target: string, pending: Pending | undefined) => Promise<Account | undefined>;
  /** Where the provider's own session ends (OpenID Connect RP-Initiated Logout 1.0 §2). */
  readonly logoutUrl: (account: Account | undefined) => string;
}

export function relyingParty(issuer: string, origin: string): RelyingParty {
  const redirectUri = `${origin}/callback`;
  const keys = createRemoteJWKSet(new URL("/jwks", issuer));
  const { id, secret } = serverClient;

  function begin(prompt: unknown): ReturnType<RelyingParty["begin"]> {
    const pending = { state: randomText(), nonce: randomText(), verifier: randomText() };
    const query = new URLSearchParams({
      client_id: id,
      response_type: "code",
      redirect_uri: redirectUri,
      scope: "openid",
      state: pending.state,
      nonce: pending.nonce,
      code_challenge: createHash("sha256").update(pending.verifier).digest("base64url"),
      code_challenge_method: "S256",
      ...(prompt === "none" ? { prompt } : {}),
    });
    return { url: `${issuer}/auth?${query}`, pending };
  }

  async function finish(
    target: string,
    pending: Pending | undefined,
  ): Promise<Account | undefined> {
    const { searchParams: answer } = new URL(target, origin);
    const code = answer.get("code");
    if (code === null || answer.get("state") !== pending?.state) return undefined;
    if (answer.get("iss") !== issuer) return undefined;
    const response = await fetch(`${issuer}/token`, {
      method: "POST",
      headers: {
        authorization: `Basic ${Buffer.from(`${id}:${encodeURIComponent(secret)}`).toString("base64")}`,
      },
      body: new URLSearchParams({
        grant_type: "authorization_code",
        code,
        redirect_uri: redirectUri,
        code_verifier: pending.verifier,
      }),
    });
    if (!response.ok) return undefined;
    const { id_token: idToken } = (await response.json()) as { id_token: string };
    const { payload } = await jwtVerify(idToken, keys, { issuer, audience: id });
    const { sub, exp, nonce } = payload;
    if (nonce !== pending.nonce || sub === undefined || exp === undefined) return undefined;
    return { subject: sub, expiresAt: exp * 1_000, idToken };
  }

  const logoutUrl: RelyingParty["logoutUrl"] = (account) =>
    `${issuer}/session/end?${new URLSearchParams({
      client_id: id,
      post_logout_redirect_uri: `${origin}/`,
      ...(account === undefined ? {} : { id_token_hint: account.idToken }),
    })}`;

  return { begin, finish, logoutUrl };
}

const randomText = (): string => randomBytes(32).toString("base64url");
