import {
  type AnyCheck,
  address,
  all,
  allowWith,
  any,
  bearerToken,
  type Check,
  cookieToken,
  guard,
  jwt,
  type Refusal,
  refuse,
  responseOf,
  subprotocolToken,
} from "@firmshake/core";
import { describe, expect, it } from "vitest";
import { type HandshakeSketch, handshakeOf } from "../../support/handshakes.ts";
import { audience, claims, issuer, secret, tokenOf } from "../tokens/signing.ts";

const settings = { issuer, audience, keys: secret };
const bearer = jwt({ ...settings, from: [bearerToken()] });
const cookie = jwt({ ...settings, from: [cookieToken("session")] });
const partner = jwt({ ...settings, issuer: "https://partner.example", from: [bearerToken()] });
const offered = jwt({ ...settings, from: [subprotocolToken()] });
/** As the check `identity` answers without a session. */
const session: Check = async () => refuse("unauthorized");
const admins: Check = ({ identity }) =>
  identity?.claims.admin === true ? allowWith({ admin: true }) : refuse("forbidden");
const inside = address({ allow: ["10.0.0.0/8"] });
const basic = 'Basic realm="websocket", charset="UTF-8"';
const password: Check = ({ headers }) =>
  refuse(headers.has("authorization") ? "token_invalid" : "token_missing", undefined, {
    headers: [["www-authenticate", basic]],
    reason: "password",
  });
const busy: Check = () => refuse("store_failed", undefined, { headers: [["Retry-After", "5"]] });

const good = await tokenOf();
const expired = await tokenOf(claims({ exp: 1 }));

const asks = 'Bearer realm="websocket"';
const invalid = 'Bearer realm="websocket", error="invalid_token"';
const unreadable = 'Bearer realm="websocket", error="invalid_request"';

const sent: Readonly<Record<string, HandshakeSketch>> = {
  nothing: {},
  "a good bearer token": { headers: { authorization: `Bearer ${good}` } },
  "an expired bearer token": { headers: { authorization: `Bearer ${expired}` } },
  "an unreadable bearer token": { headers: { authorization: "Bearer a b" } },
  "an expired cookie": { headers: { cookie: `session=${expired}` } },
  "a token alone": {
    headers: { "sec-websocket-protocol": `v1.token.websocket.jupyter.org.${good}` },
  },
  "a password": { headers: { authorization: "Basic YTpi" } },
};

const refusalOf = async (check: AnyCheck, sketch: HandshakeSketch): Promise<Refusal> => {
  const handshake = handshakeOf(sketch);
  const verdict = await guard(check).decide(handshake);
  expect(handshake.facts).toEqual({});
  if (verdict.ok) throw new Error("was allowed");
  return verdict.refusal;
};
const challengesOf = ({ headers }: Refusal): readonly string[] =>
  headers.flatMap(([name, value]) => (name.toLowerCase() === "www-authenticate" ? [value] : []));

interface Case {
  readonly name: string;
  readonly check: AnyCheck;
  readonly from: keyof typeof sent;
  readonly code: Refusal["code"];
  readonly challenges: readonly string[];
}

const cases: readonly Case[] = [
  {
    name: "two ways by token",
    check: any(bearer, cookie),
    from: "nothing",
    code: "token_missing",
    challenges: [asks],
  },
  {
    name: "the bad token of the first way",
    check: any(bearer, cookie),
    from: "an expired bearer token",
    code: "token_invalid",
    challenges: [invalid],
  },
  {
    name: "the bad token of the second way",
    check: any(bearer, cookie),
    from: "an expired cookie",
    code: "token_invalid",
    challenges: [invalid],
  },
  {
    name: "a token that is bad by both",
    check: any(bearer, partner),
    from: "an expired bearer token",
    code: "token_invalid",
    challenges: [invalid],
  },
  {
    name: "an unreadable token beside a password, which is a way too",
    check: any(bearer, session, password),
    from: "an unreadable bearer token",
    code: "token_invalid",
    challenges: [basic, unreadable],
  },
  {
    name: "an unreadable token behind other ways",
    check: any(password, session, bearer),
    from: "an unreadable bearer token",
    code: "token_malformed",
    challenges: [unreadable, basic],
  },
  {
    name: "a token or a session: only the token can be asked for",
    check: any(bearer, session),
    from: "nothing",
    code: "unauthorized",
    challenges: [asks],
  },
  {
    name: "a session or a token",
    check: any(session, bearer),
    from: "nothing",
    code: "token_missing",
    challenges: [asks],
  },
  {
    name: "a bad token or a missing session",
    check: any(bearer, session),
    from: "an expired bearer token",
    code: "token_invalid",
    challenges: [invalid],
  },
  {
    name: "sessions alone",
    check: any(session, session),
    from: "nothing",
    code: "unauthorized",
    challenges: [],
  },
  {
    name: "a token or a password",
    check: any(bearer, password),
    from: "nothing",
    code: "token_missing",
    challenges: [basic, asks],
  },
  {
    name: "a wrong password",
    check: any(password, bearer),
    from: "a password",
    code: "token_invalid",
    challenges: [basic, asks],
  },
  {
    name: "an address or a token",
    check: any(bearer, inside),
    from: "nothing",
    code: "token_missing",
    challenges: [asks],
  },
  {
    name: "an address or a bad token",
    check: any(bearer, inside),
    from: "an expired bearer token",
    code: "token_invalid",
    challenges: [invalid],
  },
  {
    name: "addresses alone: no credential would help",
    check: any(inside, address({ allow: ["192.168.0.0/16"] })),
    from: "nothing",
    code: "address_denied",
    challenges: [],
  },
  {
    name: "a good token of somebody who may not",
    check: any(all(bearer, admins), partner, session),
    from: "a good bearer token",
    code: "forbidden",
    challenges: [],
  },
  {
    name: "the same, where the ways are nested",
    check: any(any(all(bearer, admins), partner), all(any(partner, session))),
    from: "a good bearer token",
    code: "forbidden",
    challenges: [],
  },
  {
    name: "an offered token that no subprotocol stands beside, which is the client's mistake",
    check: any(offered, bearer),
    from: "a token alone",
    code: "subprotocol_required",
    challenges: [],
  },
  {
    name: "a way that may be open later",
    check: any(busy, all(bearer, admins), bearer),
    from: "an expired bearer token",
    code: "store_failed",
    challenges: [],
  },
];

describe("any, where no way is open", () => {
  it.each(cases)("$name, sent $from: $code", async ({ check, from, code, challenges }) => {
    const refusal = await refusalOf(check, sent[from] ?? {});
    expect({ code: refusal.code, challenges: challengesOf(refusal) }).toEqual({ code, challenges });
  });

  it("knows somebody only on the way on which he was authenticated", async () => {
    const known = any(all(bearer, session), inside);
    const refusal = await refusalOf(known, sent["a good bearer token"] ?? {});
    expect(refusal.code).toBe("unauthorized");
  });

  it("knows who was authenticated before", async () => {
    const verdict = await guard(bearer, any(admins, session)).decide(
      handshakeOf(sent["a good bearer token"]),
    );
    expect(verdict).toMatchObject({ ok: false, refusal: { code: "forbidden" } });
  });

  it("keeps what the telling refusal says besides", async () => {
    const cause = new Error("why");
    const telling: Check = () =>
      refuse("token_invalid", "Ask the office.", {
        headers: [
          ["X-Office", "7"],
          ["WWW-Authenticate", basic],
        ],
        reason: "card",
        cause,
      });
    const bare: Check = () => refuse("token_invalid", "Ask.", { headers: [["X-Office", "8"]] });
    expect(await refusalOf(any(telling, bearer), {})).toMatchObject({
      detail: "Ask the office.",
      reason: "card",
      cause,
      headers: [
        ["X-Office", "7"],
        ["WWW-Authenticate", basic],
        ["WWW-Authenticate", asks],
      ],
    });
    expect(await refusalOf(any(bearer, bare), {})).toMatchObject({
      detail: "Ask.",
      reason: undefined,
      headers: [
        ["X-Office", "8"],
        ["WWW-Authenticate", asks],
      ],
    });
  });

  it("leaves the trail as it is: each way with its own refusal", async () => {
    const verdict = await guard(any(bearer, password, inside)).decide(handshakeOf());
    const told = verdict.trail.map(({ check, code }) => `${check} ${code ?? "allows"}`);
    expect(told).toEqual([
      "loopback host allows",
      "origin allows",
      "jwt token_missing",
      "password token_missing",
      "address address_denied",
      "any token_missing",
    ]);
  });

  it("shows all challenges to scripts as one list", async () => {
    const response = responseOf(await refusalOf(any(bearer, password), {}));
    expect(response.headers.get("WWW-Authenticate")).toBe(`${basic}, ${asks}`);
  });
});
