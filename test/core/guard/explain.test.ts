import {
  address,
  all,
  allow,
  any,
  cookieToken,
  expressRateLimitStore,
  guard,
  host,
  insecureAnyOrigin,
  jwt,
  named,
  origin,
  queryToken,
  rateLimit,
  refuse,
  secure,
  subprotocol,
  subprotocolToken,
  when,
} from "@firmshake/core";
import { expect, it } from "vitest";

const keys = new TextEncoder().encode("not to be shown: 32 bytes of key");
const id = { issuer: "https://id.example.com", audience: "chat" } as const;

it("draws what a guard without a word does", () => {
  expect(guard().explain()).toMatchInlineSnapshot(`
    "guard
    ├─ handshake: RFC 6455 §4.2.1, by the letter
    ├─ loopback host: over loopback only localhost and loopback addresses
    └─ origin: same-origin"
  `);
});

it("draws a whole policy in the order in which it runs", () => {
  const chat = guard({
    label: "chat",
    checks: [
      jwt({
        ...id,
        audience: ["chat", "admin"],
        typ: "at+jwt",
        jwksUri: "https://id.example.com/jwks?key=secret",
      }),
      named("invited", () => allow),
      rateLimit({ limit: 30, windowMs: 60_000 }),
      rateLimit({
        limit: 5,
        windowMs: 1_500,
        key: "identity",
        store: {
          take: () => ({ isAllowed: true, remaining: 1, retryAfterMs: 0, resetAfterMs: 0 }),
        },
      }),
      subprotocol(["chat.v2", "chat.v1"]),
      subprotocol(["a"], { required: false }),
      origin(["https://app.example.com", "https://*.example.org"], { allowMissing: true }),
      host(["app.example.com"]),
      secure(),
      address({ allow: ["private"], deny: ["10.6.6.6"] }),
    ],
  });
  expect(chat.explain()).toMatchInlineSnapshot(`
    "guard "chat"
    ├─ handshake: RFC 6455 §4.2.1, by the letter
    ├─ address: allow private; deny 10.6.6.6
    ├─ secure: wss only
    ├─ subprotocol: chat.v2, chat.v1
    ├─ subprotocol: a, or none
    ├─ origin: https://app.example.com, https://*.example.org, or none
    ├─ host: app.example.com
    ├─ rateLimit: 30 in 60 s by address, in memory, at most 100000 keys
    ├─ jwt: issuer https://id.example.com; audience chat or admin; algorithms RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, Ed25519; keys from https://id.example.com; typ at+jwt; from bearer, subprotocol
    ├─ invited
    └─ rateLimit: 5 in 1.5 s by identity, in a store"
  `);
});

it("draws combinators as branches, and what is weaker than the default", () => {
  const mixed = guard({
    mode: "report",
    checks: [
      any(
        all(
          origin((one) => one.endsWith(".example.com")),
          jwt({ ...id, keys, from: [cookieToken("session")] }),
        ),
        jwt({
          ...id,
          keys,
          insecureAllowMissingExpiry: true,
          from: [queryToken("t"), subprotocolToken("bearer", "phoenix")],
        }),
      ),
      when("/admin/*", address({ deny: ["10.0.0.0/8"] }), () => allow),
      when(
        function weekend() {
          return false;
        },
        () => refuse("forbidden"),
      ),
      when(
        () => false,
        () => refuse("forbidden"),
      ),
      rateLimit({
        limit: 1,
        windowMs: 1_000,
        key: () => "a",
        store: expressRateLimitStore({ increment: () => ({ totalHits: 1, resetTime: undefined }) }),
      }),
    ],
  });
  expect(mixed.explain()).toMatchInlineSnapshot(`
    "guard (report only: refuses nothing)
    ├─ handshake: RFC 6455 §4.2.1, by the letter
    ├─ loopback host: over loopback only localhost and loopback addresses
    ├─ any
    │  ├─ all
    │  │  ├─ origin: by function
    │  │  └─ jwt: issuer https://id.example.com; audience chat; algorithms HS256; keys given; from cookie "session"
    │  └─ jwt: issuer https://id.example.com; audience chat; algorithms HS256; keys given; from query "t", subprotocol (bearer, phoenix)
    │     └─ ! insecureAllowMissingExpiry: tokens that never end are accepted
    ├─ when: /admin/*
    │  ├─ address: deny 10.0.0.0/8
    │  └─ anonymous check
    ├─ when: weekend
    │  └─ anonymous check
    ├─ when: predicate
    │  └─ anonymous check
    └─ rateLimit: 1 in 1 s by function, by a store of express-rate-limit"
  `);
});

it("draws insecure origins as weaknesses", () => {
  expect(guard(insecureAnyOrigin()).explain()).toMatchInlineSnapshot(`
    "guard
    ├─ handshake: RFC 6455 §4.2.1, by the letter
    ├─ loopback host: over loopback only localhost and loopback addresses
    └─ insecureAnyOrigin
       └─ ! pages of every site may connect"
  `);
  expect(
    guard(origin("same-origin", { insecureAllowNull: true })).explain(),
  ).toMatchInlineSnapshot(`
    "guard
    ├─ handshake: RFC 6455 §4.2.1, by the letter
    ├─ loopback host: over loopback only localhost and loopback addresses
    └─ origin: same-origin
       └─ ! insecureAllowNull: sandboxed frames of any page may connect"
  `);
});
