import { type AuditEvent, type AuditReport, audit } from "@firmshake/audit";
import type { Lab, Target } from "./lab.ts";
import { chatProtocol, sessionCookie } from "./policy.ts";

/** The endpoints that have a client of their own: one with a token among its subprotocols, one with a session cookie. */
export type AuditedPath = "/chat" | "/session";

/** What {@link auditOwn} may be told. */
export interface OwnAuditOptions {
  /** Default `/chat`. */
  readonly path?: AuditedPath;
  readonly onProgress?: (event: AuditEvent) => void;
  readonly signal?: AbortSignal;
}

/**
 * Servers of this machine say at once what they have to say. Each handshake waits for its account to be looked up, while the bucket of the
 * limit wins back: it takes more of them in a row to meet it, on a busy machine above all.
 */
const limits = { quietMs: 120, rateHandshakes: 120 };

/** Audits one of the playground's own servers, with everything that its own client has, and without sparing it. */
export async function auditOwn(
  { issuer, page }: Pick<Lab, "issuer" | "page">,
  { host, library }: Target,
  { path = "/chat", onProgress, signal }: OwnAuditOptions = {},
): Promise<AuditReport> {
  const { query, greeting, write } = library.dialect;
  const asked = (path: string): string => (query === "" ? path : `${path}?${query}`);
  const others = [path === "/chat" ? "/session" : "/chat", "/operations", library.forgottenPath];
  const token = await issuer.sign(auditor);
  return audit(`ws://${host}${asked(path)}`, {
    ...(path === "/chat"
      ? { protocols: ["bearer", token, chatProtocol] }
      : { protocols: [chatProtocol], headers: { Cookie: `${sessionCookie}=${token}` } }),
    origin: page,
    intrusive: true,
    opening: greeting,
    message: write({ type: "ping" }),
    paths: others.map(asked),
    publicKey: JSON.stringify(issuer.keySet.keys[0]),
    expiredToken: await issuer.signExpired(auditor),
    wrongTokens: { aud: await issuer.sign(auditor, { aud: "elsewhere" }) },
    limits,
    ...(onProgress === undefined ? {} : { onProgress }),
    ...(signal === undefined ? {} : { signal }),
  });
}

/** As whom it comes. */
const auditor = "Auditor";
