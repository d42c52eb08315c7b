import {
  any,
  guard,
  type IntrospectionOptions,
  introspection,
  jwt,
  origin,
  requireScope,
} from "@firmshake/node";
import { afterEach, describe, expect, it, vi } from "vitest";
import { WebSocket } from "ws";
import { askedOf, handshakeOf } from "../support/handshakes.ts";
import {
  chatServer,
  type OpenIdProvider,
  startOpenIdProvider,
} from "../support/openid-provider.ts";
import { deferred, gatedServer } from "../support/server.ts";

const audience = "https://chat.example.com/opaque";
/** The provider names no subject where a client asked for itself. */
const checkFor = (
  { issuer }: OpenIdProvider,
  options: Partial<IntrospectionOptions> = {},
): ReturnType<typeof introspection> =>
  introspection({
    issuer,
    audience,
    clientId: chatServer.id,
    clientSecret: chatServer.secret,
    subjectClaim: "client_id",
    ...options,
  });
const asked = (check: ReturnType<typeof introspection>, token: string): Promise<string> =>
  askedOf(check, handshakeOf({ headers: { authorization: `Bearer ${token}` } }));

afterEach(() => {
  vi.useRealTimers();
});

describe("an OpenID provider", () => {
  it("is asked about opaque tokens, at the endpoint that it names", async () => {
    const provider = await startOpenIdProvider("first");
    const check = checkFor(provider);
    const token = await provider.token(audience);
    expect(token).not.toContain(".");
    provider.asked.length = 0;
    for (let count = 0; count < 2; count++) expect(await asked(check, token)).toBe("allow");
    expect(provider.asked).toEqual([
      "GET /.well-known/openid-configuration",
      "POST /token/introspection",
      "POST /token/introspection",
    ]);
  });

  it("tells who it is", async () => {
    const provider = await startOpenIdProvider("first");
    const token = await provider.token(audience);
    const decision = await checkFor(provider)(
      handshakeOf({ headers: { authorization: `Bearer ${token}` } }),
    );
    if (!decision.ok) throw new Error(decision.reason);
    const { subject, scheme, claims, expiresAt = 0 } = decision.facts.identity;
    expect([subject, scheme, claims.scope]).toEqual(["app", "bearer", "chat:write"]);
    expect(expiresAt).toBeGreaterThan(Date.now());
  });

  it("lets in no unknown token, no revoked one, and none for another audience", async () => {
    const provider = await startOpenIdProvider("first");
    const check = checkFor(provider);
    expect(await asked(check, "made-up")).toBe("token_invalid");
    expect(await asked(check, await provider.token("https://other.example.com/opaque"))).toBe(
      "token_invalid",
    );
    const token = await provider.token(audience);
    expect(await asked(check, token)).toBe("allow");
    await provider.revoke(token);
    expect(await asked(check, token)).toBe("token_invalid");
  });

  it("ends a token of which it says so, also where it is remembered", async () => {
    const provider = await startOpenIdProvider("first");
    vi.useFakeTimers({ toFake: ["Date", "performance"], now: Date.now() });
    const check = checkFor(provider, { cache: { maxTokens: 10, maxAgeMs: 1e9 } });
    const token = await provider.token(audience);
    expect(await asked(check, token)).toBe("allow");
    vi.advanceTimersByTime(301_000);
    expect(await asked(check, token)).toBe("token_invalid");
  });

  it("may issue both kinds of token for one door", async () => {
    const provider = await startOpenIdProvider("first");
    const { issuer } = provider;
    const signed = "https://chat.example.com";
    const policy = guard(
      origin(["https://app.example.com"]),
      any(jwt({ issuer, audience: signed, profile: "rfc9068" }), checkFor(provider)),
    );
    const ask = (token: string): Promise<string> =>
      askedOf(policy, handshakeOf({ headers: { authorization: `Bearer ${token}` } }));
    expect(await ask(await provider.token(signed))).toBe("allow");
    expect(await ask(await provider.token(audience))).toBe("allow");
    expect(await ask("made-up")).toBe("token_invalid");
  });

  it("does not answer to whom it does not know", async () => {
    const provider = await startOpenIdProvider("first");
    const verdict = await guard(checkFor(provider, { clientSecret: "another" })).decide(
      handshakeOf({ headers: { authorization: `Bearer ${await provider.token(audience)}` } }),
    );
    expect(verdict).toMatchObject({
      refusal: { code: "keys_unavailable", reason: "The answer has the status 401." },
    });
  });

  it("is away, and is asked again as soon as it is back", async () => {
    const before = await startOpenIdProvider("first");
    const check = checkFor(before);
    const token = await before.token(audience);
    expect(await asked(check, token)).toBe("allow");
    await before.stop();
    expect(await asked(check, token)).toBe("keys_unavailable");
    const after = await startOpenIdProvider("second", before.port);
    expect(await asked(check, await after.token(audience))).toBe("allow");
    expect(await asked(check, token)).toBe("token_invalid");
  });

  it("does not answer in time", async () => {
    const provider = await startOpenIdProvider("first");
    const check = checkFor(provider, { timeoutMs: 50 });
    const token = await provider.token(audience);
    provider.intercept = ({ method }) => method === "POST";
    expect(await asked(check, token)).toBe("keys_unavailable");
  });

  it("decides at a gate, and is left alone when the client has left", async () => {
    const provider = await startOpenIdProvider("first");
    const policy = guard(
      origin(["https://app.example.com"]),
      checkFor(provider),
      requireScope("chat:write"),
    );
    const { port } = await gatedServer(policy);
    const knock = (token: string): WebSocket => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/chat`, ["chat", "bearer", token], {
        origin: "https://app.example.com",
      });
      socket.on("error", () => undefined);
      return socket;
    };
    const statusOf = (token: string): Promise<number | undefined> =>
      new Promise((resolve) => {
        knock(token)
          .on("upgrade", ({ statusCode }) => resolve(statusCode))
          .on("unexpected-response", (_, { statusCode }) => resolve(statusCode));
      });
    expect(await statusOf(await provider.token(audience))).toBe(101);
    expect(await statusOf("made-up")).toBe(401);
    expect(await statusOf(await provider.token(audience, "chat:read"))).toBe(403);

    const token = await provider.token(audience);
    const given = deferred<void>();
    const left = deferred<void>();
    provider.intercept = ({ method }, response) => {
      if (method !== "POST") return false;
      given.resolve();
      response.on("close", () => left.resolve());
      return true;
    };
    const socket = knock(token);
    await given.promise;
    socket.terminate();
    await left.promise;
  });
});
