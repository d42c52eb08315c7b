import { randomBytes, timingSafeEqual } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { audience, lifetimeSeconds } from "../issuer.ts";
import { answer, answerJson } from "../pages/handler.ts";

/** Tokens that say nothing by themselves: the issuer is asked about each (RFC 7662). */
export interface OpaqueTokens {
  readonly issue: (name: string) => string;
  readonly revoke: (token: string) => void;
  /** The endpoint that is asked, by clients that the issuer knows. */
  readonly introspect: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
}

/** Whom the issuer answers. */
export interface IntrospectionClient {
  readonly clientId: string;
  readonly clientSecret: string;
}

const maxTokens = 1_000;
const maxBodyBytes = 4_096;

export function createOpaqueTokens(client: IntrospectionClient): OpaqueTokens {
  const active = new Map<string, { readonly sub: string; readonly exp: number }>();
  const known = Buffer.from(
    `Basic ${Buffer.from(`${client.clientId}:${client.clientSecret}`).toString("base64")}`,
  );
  return {
    issue: (sub) => {
      const token = randomBytes(32).toString("base64url");
      active.set(token, { sub, exp: Math.floor(Date.now() / 1_000) + lifetimeSeconds });
      const [oldest] = active.keys();
      if (active.size > maxTokens && oldest !== undefined) active.delete(oldest);
      return token;
    },
    revoke: (token) => void active.delete(token),
    introspect: async (request, response) => {
      const asking = Buffer.from(request.headers.authorization ?? "");
      if (asking.length !== known.length || !timingSafeEqual(asking, known)) {
        answer(response, 401);
        return;
      }
      const token = new URLSearchParams(await textOf(request)).get("token") ?? "";
      const found = active.get(token);
      answerJson(
        response,
        found === undefined
          ? { active: false }
          : { active: true, aud: audience, token_type: "Bearer", ...found },
      );
    },
  };
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request.setEncoding("utf8") as AsyncIterable<string>) {
    if (text.length < maxBodyBytes) text += chunk;
  }
  return text;
}
