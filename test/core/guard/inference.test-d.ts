import {
  type Allow,
  address,
  all,
  allow,
  allowWith,
  any,
  type Check,
  type Decision,
  type FactsOf,
  type Guard,
  guard,
  type Handshake,
  host,
  type Identity,
  introspection,
  jwt,
  type MaybePromise,
  named,
  origin,
  type Permit,
  type Refusal,
  type RefusalCode,
  rateLimit,
  refuse,
  requireClaim,
  requireScope,
  secure,
  subprotocol,
  type TokenSource,
  type Verdict,
  when,
} from "@firmshake/core";
import { type Rewrite, rewriteOf, spendPermit } from "@firmshake/core/gate";
import { describe, expectTypeOf, it } from "vitest";

type FactsIn<G> = G extends Guard<infer Facts> ? Facts : never;
type IsAny<Type> = 0 extends 1 & Type ? true : false;
/** Whether `any` stands anywhere that matters: as the type, a parameter, an answer or a member. */
type HoldsAny<Type> =
  IsAny<Type> extends true
    ? true
    : Type extends (...parameters: infer Parameters) => infer Answer
      ? true extends IsAny<Answer> | IsAny<Parameters[number]>
        ? true
        : false
      : true extends { [Name in keyof Type]: IsAny<Type[Name]> }[keyof Type]
        ? true
        : false;

const token = jwt({ issuer: "https://id.example.com", audience: "chat", keys: new Uint8Array(32) });
const listed = origin(["https://app.example.com"]);
const room = (): Allow<{ readonly room: string }> | Refusal => allowWith({ room: "a" });

describe("what a guard adds", () => {
  it("is the identity after introspection", () => {
    const asked = guard(
      introspection({
        issuer: "https://id.example.com",
        audience: "chat",
        authorization: "Bearer a",
      }),
    );
    expectTypeOf<FactsIn<typeof asked>["identity"]>().toEqualTypeOf<Identity>();
    // @ts-expect-error for whom tokens must be is to be said
    introspection({ issuer: "https://id.example.com", authorization: "Bearer a" });
  });

  it("stays what it is behind what only asks for rights", () => {
    const asked = guard(token, requireScope("a", "b"), requireClaim("roles", ["x", 1, true]));
    expectTypeOf<FactsIn<typeof asked>["identity"]>().toEqualTypeOf<Identity>();
    // @ts-expect-error no scope at all
    requireScope();
    // @ts-expect-error a function must answer true or false
    requireClaim("roles", async () => true);
    // @ts-expect-error claims are not compared with objects
    requireClaim("roles", { admin: true });
  });

  it("is nothing where its checks add nothing", () => {
    const facts = guard(
      listed,
      secure(),
      host(["a"]),
      address({ deny: ["::1"] }),
      rateLimit({ limit: 1, windowMs: 1 }),
    );
    expectTypeOf<keyof FactsIn<typeof facts>>().toBeNever();
    const none = guard();
    expectTypeOf<keyof FactsIn<typeof none>>().toBeNever();
  });

  it("is the identity after jwt, and none without", () => {
    const withToken = guard(listed, token);
    expectTypeOf<FactsIn<typeof withToken>["identity"]>().toEqualTypeOf<Identity>();
    const without = guard(listed);
    // @ts-expect-error no check finds an identity
    type Missing = FactsIn<typeof without>["identity"];
    expectTypeOf<Missing>().not.toBeNever();
  });

  it("is what each of the checks adds, by inference alone", () => {
    const asked = guard(token, subprotocol(["chat"]), room, async () =>
      allowWith({ plan: "free" }),
    );
    expectTypeOf<FactsIn<typeof asked>["room"]>().toEqualTypeOf<string>();
    expectTypeOf<FactsIn<typeof asked>["plan"]>().toEqualTypeOf<"free">();
    expectTypeOf<FactsIn<typeof asked>["subprotocol"]>().toEqualTypeOf<string>();
    expectTypeOf<FactsIn<typeof asked>["identity"]["expiresAt"]>().toEqualTypeOf<
      number | undefined
    >();
  });

  it("may lack the subprotocol where that is not required", () => {
    expectTypeOf<FactsOf<typeof optional>>().toEqualTypeOf<{
      readonly subprotocol: string | undefined;
    }>();
    const optional = subprotocol(["chat"], { required: false });
  });

  it("is inferred from options as from a list", () => {
    const asked = guard({ checks: [token, room], label: "chat" });
    expectTypeOf<FactsIn<typeof asked>["room"]>().toEqualTypeOf<string>();
    const enforced = guard({ checks: [token], mode: "enforce" });
    expectTypeOf<FactsIn<typeof enforced>["identity"]>().toEqualTypeOf<Identity>();
  });

  it("is certain of nothing in report mode", () => {
    const asked = guard({ checks: [token, room], mode: "report" });
    expectTypeOf<FactsIn<typeof asked>["identity"]>().toEqualTypeOf<Identity | undefined>();
    expectTypeOf<FactsIn<typeof asked>["room"]>().toEqualTypeOf<string | undefined>();
  });
});

describe("what combinators add", () => {
  it("all: what each adds", () => {
    const check = all(token, room);
    expectTypeOf<FactsOf<typeof check>["room"]>().toEqualTypeOf<string>();
    expectTypeOf<FactsOf<typeof check>["identity"]>().toEqualTypeOf<Identity>();
  });

  it("any: what one of them adds, to be told apart", () => {
    const check = any(
      () => allowWith({ kind: "user", name: "a" }),
      () => allowWith({ kind: "bot" }),
    );
    type Facts = FactsOf<typeof check>;
    expectTypeOf<Facts["kind"]>().toEqualTypeOf<"user" | "bot">();
    expectTypeOf<Extract<Facts, { kind: "user" }>["name"]>().toEqualTypeOf<"a">();
    // @ts-expect-error only one of the branches adds it
    type Name = Facts["name"];
    expectTypeOf<Name>().not.toBeNever();
  });

  it("when: perhaps what it adds", () => {
    const check = when("/a", token, room);
    expectTypeOf<FactsOf<typeof check>["identity"]>().toEqualTypeOf<Identity | undefined>();
    expectTypeOf<FactsOf<typeof check>["room"]>().toEqualTypeOf<string | undefined>();
  });

  it("named: what the check adds", () => {
    expectTypeOf(named("a", room)).toEqualTypeOf<Check<{ readonly room: string }>>();
  });

  it("nested: all of it", () => {
    const asked = guard(any(all(listed, token), all(token, room)), when("/a", room));
    expectTypeOf<FactsIn<typeof asked>["identity"]>().toEqualTypeOf<Identity>();
    expectTypeOf<FactsIn<typeof asked>["room"]>().toEqualTypeOf<string | undefined>();
  });
});

describe("a verdict", () => {
  it("has facts and a permit, or a refusal", () => {
    const asked = guard(token);
    expectTypeOf(asked.decide).returns.toEqualTypeOf<
      MaybePromise<Verdict<FactsIn<typeof asked>>>
    >();
    const verdict = {} as Verdict<{ readonly identity: Identity }>;
    if (verdict.ok) {
      expectTypeOf(verdict.facts.identity).toEqualTypeOf<Identity>();
      expectTypeOf(verdict.permit.facts.identity).toEqualTypeOf<Identity>();
      expectTypeOf(verdict.reported).toEqualTypeOf<Refusal | undefined>();
      // @ts-expect-error there is no refusal where it was allowed
      verdict.refusal;
    } else {
      expectTypeOf(verdict.refusal.code).toEqualTypeOf<RefusalCode>();
      // @ts-expect-error there is no permit where it was refused
      verdict.permit;
    }
  });
});

describe("what does not compile", () => {
  it("checks that do not answer", () => {
    // @ts-expect-error a check must return an answer
    guard(() => undefined);
    // @ts-expect-error true is no answer
    guard(() => true);
    // @ts-expect-error nor is a promise of true
    guard(async () => true);
    // @ts-expect-error an answer is made by allow, allowWith or refuse
    guard(() => ({ ok: true }));
    // @ts-expect-error a list is spread, or given as { checks }
    guard([listed]);
    // @ts-expect-error allow is an answer and no check
    guard(allow);
    // @ts-expect-error any() of nothing
    any();
  });

  it("codes that there are not, details that are no text, values that are no header", () => {
    // @ts-expect-error an unknown code
    refuse("teapot");
    // @ts-expect-error a detail is a text
    refuse("forbidden", new Error("secret"));
    // @ts-expect-error a header's value is a text
    refuse("forbidden", undefined, { headers: [["Retry-After", 5]] });
  });

  it("paths that do not begin with a slash", () => {
    // @ts-expect-error a path begins with a slash
    when("chat", listed);
    // @ts-expect-error a predicate is synchronous
    when(async () => true, listed);
  });

  it("tokens without issuer or audience", () => {
    // @ts-expect-error no issuer
    jwt({ audience: "chat", keys: new Uint8Array(32) });
    // @ts-expect-error no audience
    jwt({ issuer: "https://id.example.com", keys: new Uint8Array(32) });
    // @ts-expect-error a secret is no text
    jwt({ issuer: "https://id.example.com", audience: "chat", keys: "secret" });
    // @ts-expect-error a source says whether browsers send it whichever page asks
    const source: TokenSource = { name: "own", read: () => [] };
    expectTypeOf(source).toExtend<TokenSource>();
  });

  it("a change of the handshake", () => {
    const handshake = {} as Handshake;
    // @ts-expect-error the handshake is a view
    handshake.identity = undefined;
    // @ts-expect-error and so are its facts
    handshake.facts.admin = true;
    // @ts-expect-error and its subprotocols
    handshake.protocols.push("a");
  });

  it("a hand-over without a permit", () => {
    const handshake = {} as Handshake;
    // @ts-expect-error a refusal is no permit
    spendPermit(refuse("forbidden"), handshake);
    // @ts-expect-error nor is what a check answers
    spendPermit(allow, handshake);
  });
});

describe("no public type decays to any", () => {
  it("neither values nor what they answer", () => {
    type Core = typeof import("@firmshake/core");
    type Gate = typeof import("@firmshake/core/gate");
    type Decayed<Module> = {
      [Name in keyof Module]: HoldsAny<Module[Name]> extends true ? Name : never;
    }[keyof Module];
    expectTypeOf<Decayed<Core>>().toBeNever();
    expectTypeOf<Decayed<Gate>>().toBeNever();
  });

  it("nor members of what is handed out", () => {
    expectTypeOf<HoldsAny<Handshake>>().toEqualTypeOf<false>();
    expectTypeOf<HoldsAny<Identity>>().toEqualTypeOf<false>();
    expectTypeOf<HoldsAny<Refusal>>().toEqualTypeOf<false>();
    expectTypeOf<HoldsAny<Permit>>().toEqualTypeOf<false>();
    expectTypeOf<HoldsAny<Decision>>().toEqualTypeOf<false>();
    expectTypeOf<HoldsAny<Guard>>().toEqualTypeOf<false>();
    expectTypeOf<HoldsAny<Verdict>>().toEqualTypeOf<false>();
    expectTypeOf<HoldsAny<Rewrite>>().toEqualTypeOf<false>();
    expectTypeOf<Refusal["cause"]>().toBeUnknown();
    expectTypeOf<Identity["claims"][string]>().toBeUnknown();
    expectTypeOf<Handshake["facts"][string]>().toBeUnknown();
  });

  it("and the guard of this guard sees one", () => {
    expectTypeOf<HoldsAny<ReturnType<typeof JSON.parse>>>().toEqualTypeOf<true>();
    expectTypeOf<HoldsAny<typeof JSON.parse>>().toEqualTypeOf<true>();
    expectTypeOf(rewriteOf).returns.toEqualTypeOf<Rewrite | undefined>();
  });
});
