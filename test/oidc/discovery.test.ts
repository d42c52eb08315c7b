import { guard, type JwtOptions, jwt, origin, requireScope } from "@firmshake/node";
import { afterEach, describe, expect, it, vi } from "vitest";
import { WebSocket } from "ws";
import { askedOf, handshakeOf } from "../support/handshakes.ts";
import { type OpenIdProvider, startOpenIdProvider } from "../support/openid-provider.ts";
import { gatedServer } from "../support/server.ts";

const audience = "https://chat.example.com";
const policyFor = (
  { issuer }: OpenIdProvider,
  options: Partial<JwtOptions> = {},
): ReturnType<typeof guard> =>
  guard(origin(["https://app.example.com"]), jwt({ issuer, audience, ...options }));
const asked = (policy: ReturnType<typeof guard>, token: string): Promise<string> =>
  askedOf(policy, handshakeOf({ headers: { authorization: `Bearer ${token}` } }));

/** Time for caches and cooldowns; timers and the network run on. */
const fakeTime = (): void => {
  vi.useFakeTimers({ toFake: ["Date", "performance"], now: Date.now() });
};

afterEach(() => {
  vi.useRealTimers();
});

describe("an OpenID provider", () => {
  it("is asked where its keys are when the first token comes, and then no more", async () => {
    const provider = await startOpenIdProvider("first");
    const policy = policyFor(provider);
    const token = await provider.token(audience);
    provider.asked.length = 0;
    for (let count = 0; count < 3; count++) expect(await asked(policy, token)).toBe("allow");
    expect(provider.asked).toEqual(["GET /.well-known/openid-configuration", "GET /jwks"]);
  });

  it("is asked in the form of RFC 8414 where it has no other", async () => {
    const provider = await startOpenIdProvider("first");
    provider.intercept = ({ url }, response) => {
      if (url !== "/.well-known/openid-configuration") return false;
      response.writeHead(404).end();
      return true;
    };
    expect(await asked(policyFor(provider), await provider.token(audience))).toBe("allow");
    expect(provider.asked).toContain("GET /.well-known/oauth-authorization-server");
  });

  it("is asked once, however many tokens wait", async () => {
    const provider = await startOpenIdProvider("first");
    const policy = policyFor(provider);
    const token = await provider.token(audience);
    provider.asked.length = 0;
    const answers = await Promise.all(Array.from({ length: 20 }, () => asked(policy, token)));
    expect(new Set(answers)).toEqual(new Set(["allow"]));
    expect(provider.asked).toHaveLength(2);
  });

  it("vouches for its own tokens alone, for this audience alone", async () => {
    const [provider, other] = [
      await startOpenIdProvider("first"),
      await startOpenIdProvider("first"),
    ];
    const policy = policyFor(provider);
    expect(await asked(policy, await provider.token("https://other.example.com"))).toBe(
      "token_invalid",
    );
    expect(await asked(policy, await other.token(audience))).toBe("token_invalid");
  });

  it("issues access tokens of RFC 9068", async () => {
    const provider = await startOpenIdProvider("first");
    const policy = policyFor(provider, { profile: "rfc9068" });
    expect(await asked(policy, await provider.token(audience))).toBe("allow");
  });

  it("decides at a gate: 101, 401 for another audience, 403 without the scope", async () => {
    const provider = await startOpenIdProvider("first");
    const { issuer } = provider;
    const policy = guard(
      origin(["https://app.example.com"]),
      jwt({ issuer, audience }),
      requireScope("chat:write"),
    );
    const { port } = await gatedServer(policy);
    const knock = (token: string): Promise<readonly [number | undefined, string | undefined]> =>
      new Promise((resolve, reject) => {
        const socket = new WebSocket(`ws://127.0.0.1:${port}/chat`, ["chat", "bearer", token], {
          origin: "https://app.example.com",
        });
        socket.on("unexpected-response", (_, { statusCode, headers }) => {
          resolve([statusCode, headers["www-authenticate"]]);
          socket.terminate();
        });
        // The listener behind the gate writes 101 and no more than that, which ws complains of.
        socket.on("upgrade", () => resolve([101, undefined]));
        socket.on("error", (error) => reject(error));
      });
    expect((await knock(await provider.token(audience)))[0]).toBe(101);
    expect(await knock(await provider.token("https://other.example.com"))).toEqual([
      401,
      'Bearer realm="websocket", error="invalid_token"',
    ]);
    expect(await knock(await provider.token(audience, "chat:read"))).toEqual([
      403,
      'Bearer realm="websocket", error="insufficient_scope", scope="chat:write"',
    ]);
  });
});

describe("a provider that changes its keys while it runs", () => {
  it("is believed in its new key after the cooldown, and in the old one no more", async () => {
    const before = await startOpenIdProvider("first");
    fakeTime();
    const policy = policyFor(before, { cache: { maxTokens: 10 } });
    const old = await before.token(audience);
    expect(await asked(policy, old)).toBe("allow");
    await before.stop();
    const after = await startOpenIdProvider("second", before.port);
    const fresh = await after.token(audience);
    expect(await asked(policy, fresh)).toBe("token_invalid");
    vi.advanceTimersByTime(30_000);
    expect(await asked(policy, fresh)).toBe("allow");
    expect(await asked(policy, old)).toBe("token_invalid");
  });
});

describe("an outage", () => {
  it("refuses by 503 where there are no keys yet, and ends by itself", async () => {
    const before = await startOpenIdProvider("first");
    fakeTime();
    const policy = policyFor(before);
    const token = await before.token(audience);
    await before.stop();
    const verdict = await policy.decide(
      handshakeOf({ headers: { authorization: `Bearer ${token}` } }),
    );
    expect(verdict).toMatchObject({
      ok: false,
      refusal: { code: "keys_unavailable", status: 503, retryable: true, reason: "TypeError" },
    });
    const after = await startOpenIdProvider("second", before.port);
    const fresh = await after.token(audience);
    expect(await asked(policy, fresh)).toBe("keys_unavailable");
    vi.advanceTimersByTime(5_000);
    expect(await asked(policy, fresh)).toBe("allow");
  });

  it("is bridged by the keys that are known, for an hour", async () => {
    const provider = await startOpenIdProvider("first");
    fakeTime();
    const policy = policyFor(provider, { clockToleranceSeconds: 7_200 });
    const token = await provider.token(audience);
    expect(await asked(policy, token)).toBe("allow");
    await provider.stop();
    vi.advanceTimersByTime(3_600_000);
    expect(await asked(policy, token)).toBe("allow");
    vi.advanceTimersByTime(1);
    expect(await asked(policy, token)).toBe("keys_unavailable");
  });

  it.each(["/.well-known/openid-configuration", "/jwks"])(
    "may be an answer of %s that does not come in time",
    async (path) => {
      const provider = await startOpenIdProvider("first");
      fakeTime();
      const policy = policyFor(provider, { jwks: { timeoutMs: 1_000 } });
      const token = await provider.token(audience);
      provider.intercept = ({ url }) => url === path;
      expect(await asked(policy, token)).toBe("keys_unavailable");
      provider.intercept = () => false;
      vi.advanceTimersByTime(5_000);
      expect(await asked(policy, token)).toBe("allow");
    },
  );
});
