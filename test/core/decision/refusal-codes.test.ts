import {
  type AnyCheck,
  address,
  allowWith,
  authorize,
  bearerToken,
  csrf,
  guard,
  host,
  jwt,
  origin,
  queryToken,
  type RefusalCode,
  rateLimit,
  refusalKinds,
  refuse,
  requireScope,
  secure,
  subprotocol,
  tickets,
  trustedProxies,
} from "@firmshake/core";
import { SignJWT } from "jose";
import { describe, expect, it } from "vitest";
import { type HandshakeSketch, handshakeOf, wordOf } from "../../support/handshakes.ts";
import { proverOf } from "../tokens/proving.ts";
import { audience, issuer, secret } from "../tokens/signing.ts";

const listed = origin(["https://app.example.com"]);
const token = jwt({
  issuer: "https://id.example.com",
  audience: "chat",
  keys: new Uint8Array(32),
  from: [bearerToken(), queryToken("t")],
});
const unreachable = jwt({
  issuer: "https://id.example.com",
  audience: "chat",
  jwksUri: "https://id.example.com/",
  jwks: { fetch: () => Promise.reject(new Error("no network")) },
});
const signedIn: AnyCheck = () =>
  allowWith({
    identity: { subject: "ann", scheme: "session", claims: {}, expiresAt: undefined },
  });
const proving = jwt({
  issuer: "https://id.example.com",
  audience: "chat",
  keys: new Uint8Array(32),
  dpop: { origins: ["https://app.example.com"] },
});
const bound = await new SignJWT({ cnf: { jkt: "A".repeat(43) } })
  .setProtectedHeader({ alg: "HS256" })
  .setIssuer("https://id.example.com")
  .setAudience("chat")
  .setSubject("ann")
  .setExpirationTime("1 minute")
  .sign(new Uint8Array(32));
const prover = await proverOf();
const asking = jwt({
  issuer,
  audience,
  keys: secret,
  dpop: { origins: ["https://app.example.com"], nonce: {} },
});
const trust = trustedProxies(["203.0.113.7"]);
const unsigned = "eyJhbGciOiJFUzI1NiJ9.e30.AAAA";
const answering = (answer: unknown): AnyCheck => (() => answer) as AnyCheck;
const header = (name: string, value: string | readonly string[] | undefined): HandshakeSketch => ({
  headers: { [name]: value },
});

type Row = readonly [checks: readonly AnyCheck[], sketch: HandshakeSketch];

/** For each code a guard and a handshake that it refuses so. */
const produced: Readonly<Partial<Record<RefusalCode, Row>>> = {
  method_not_allowed: [[listed], { method: "POST" }],
  handshake_malformed: [[listed], header("upgrade", "h2c")],
  version_unsupported: [[listed], header("sec-websocket-version", "8")],
  target_invalid: [[listed], { target: "//evil.example" }],
  body_not_allowed: [[listed], header("content-length", "5")],
  headers_too_many: [[listed], { maxHeaderLines: 3 }],
  forwarded_invalid: [[listed], { trust, headers: { forwarded: "for" } }],
  forwarded_conflict: [
    [listed],
    { trust, headers: { forwarded: "for=192.0.2.1", "x-forwarded-for": "192.0.2.2" } },
  ],
  address_unknown: [[listed, address({ deny: ["10.0.0.1"] })], { peer: undefined }],
  address_denied: [[listed, address({ deny: ["203.0.113.7"] })], {}],
  tls_required: [[listed, secure()], { isTls: false }],
  host_denied: [[listed, host(["other.example.com"])], {}],
  origin_missing: [[listed], header("origin", undefined)],
  origin_null: [[listed], header("origin", "null")],
  origin_invalid: [[listed], header("origin", "https://app.example.com/")],
  origin_denied: [[listed], header("origin", "https://evil.example")],
  subprotocol_required: [[listed, subprotocol(["chat"])], {}],
  subprotocol_unsupported: [
    [listed, subprotocol(["chat"])],
    header("sec-websocket-protocol", "other"),
  ],
  rate_limited: [
    [
      listed,
      rateLimit({
        limit: 1,
        windowMs: 1,
        store: {
          take: () => ({ isAllowed: false, remaining: 0, retryAfterMs: 1, resetAfterMs: 1 }),
        },
      }),
    ],
    {},
  ],
  rate_key_invalid: [[listed, rateLimit({ limit: 1, windowMs: 1, key: () => undefined })], {}],
  store_failed: [
    [
      listed,
      rateLimit({
        limit: 1,
        windowMs: 1,
        store: { take: () => Promise.reject(new Error("down")) },
      }),
    ],
    {},
  ],
  token_missing: [[listed, token], {}],
  token_ambiguous: [[listed, token], { target: "/?t=a", headers: { authorization: "Bearer a" } }],
  token_malformed: [[listed, token], header("authorization", "Bearer")],
  token_invalid: [[listed, token], header("authorization", `Bearer ${unsigned}`)],
  proof_invalid: [[listed, proving], header("authorization", `DPoP ${bound}`)],
  proof_nonce_required: [
    [listed, asking],
    { headers: { authorization: `DPoP ${prover.token}`, dpop: await prover.proof() } },
  ],
  keys_unavailable: [[listed, unreachable], header("authorization", `Bearer ${unsigned}`)],
  insufficient_scope: [[listed, signedIn, requireScope("chat:write")], {}],
  ticket_invalid: [[listed, tickets()], { target: "/?ticket=a" }],
  tickets_unavailable: [
    [
      listed,
      tickets({ store: { put: () => true, take: () => Promise.reject(new Error("down")) } }),
    ],
    { target: `/?ticket=${"A".repeat(43)}` },
  ],
  csrf_invalid: [[listed, csrf({ secret: new Uint8Array(32), session: () => "id" })], {}],
  decision_timeout: [
    [listed, answering(new Promise(() => undefined))],
    { signal: AbortSignal.abort(new DOMException("", "TimeoutError")) },
  ],
  client_gone: [[listed, answering(new Promise(() => undefined))], { signal: AbortSignal.abort() }],
  authorization_unavailable: [
    [listed, authorize(() => Promise.reject(new Error("out of reach")))],
    {},
  ],
  check_failed: [[listed, answering(undefined)], {}],
};

/** What only a check of the application says; core has no reason of its own for them. */
const ofApplications: readonly RefusalCode[] = ["unauthorized", "forbidden"];

/** What only a gate can know: bytes behind the head, its routes, its bounds, its connections, its listeners, its bans, its shutdown. */
const ofGates: readonly RefusalCode[] = [
  "banned",
  "connections_exceeded",
  "early_data",
  "not_found",
  "overloaded",
  "protocol_unsupported",
  "shutting_down",
];

describe("every refusal code", () => {
  it.each(Object.entries(produced))("%s is produced", async (code, [checks, sketch]) => {
    expect(wordOf(await guard(...checks).decide(handshakeOf(sketch)))).toBe(code);
  });

  it.each([...ofApplications, ...ofGates])(
    "%s can be said by a check of the application",
    async (code) => {
      expect(wordOf(await guard(listed, () => refuse(code)).decide(handshakeOf()))).toBe(code);
    },
  );

  it("is in one of these lists", () => {
    const listedCodes = [...Object.keys(produced), ...ofApplications, ...ofGates];
    expect(listedCodes.sort()).toEqual(Object.keys(refusalKinds).sort());
  });
});

describe("the table", () => {
  const rows = Object.entries(refusalKinds);

  it("cannot be changed", () => {
    expect([refusalKinds, ...Object.values(refusalKinds)].every(Object.isFrozen)).toBe(true);
  });

  it("has an HTTP status and a close code for each, that a server may send", () => {
    for (const [code, { status, closeCode }] of rows) {
      expect(status >= 400 && status < 600, code).toBe(true);
      // RFC 6455 §7.4.1, and the registry's range for libraries.
      expect(
        [1001, 1002, 1008, 1011, 1013].includes(closeCode) ||
          (closeCode >= 3000 && closeCode < 4000),
        code,
      ).toBe(true);
    }
  });

  it("calls those retryable that may pass by themselves", () => {
    const retryable = rows.filter(([, kind]) => kind.retryable).map(([code]) => code);
    expect(retryable.sort()).toEqual([
      "authorization_unavailable",
      "client_gone",
      "connections_exceeded",
      "decision_timeout",
      "keys_unavailable",
      "overloaded",
      "rate_limited",
      "shutting_down",
      "store_failed",
      "tickets_unavailable",
    ]);
  });
});
