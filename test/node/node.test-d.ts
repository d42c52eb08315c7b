import { createServer, type IncomingMessage } from "node:http";
import { createSecureServer } from "node:http2";
import { createServer as createHttpsServer } from "node:https";
import {
  allowWith,
  attach,
  connectionOf,
  type Gate,
  guard,
  type Identity,
  insecureAnyOrigin,
  jwt,
  type Permit,
  type RefusalCode,
  renewal,
  type UpgradeHandler,
} from "@firmshake/node";
import { describe, expectTypeOf, it } from "vitest";

const chat = guard(insecureAnyOrigin());

describe("attach", () => {
  it("takes Node's servers, and guards, routes or a handler", () => {
    expectTypeOf(attach(createServer(), chat)).toEqualTypeOf<Gate>();
    attach(createHttpsServer(), { "/chat": chat, "/socket.io/*": chat });
    attach(createSecureServer({ allowHTTP1: true }), chat);
    attach(createServer(), async ({ handshake, request, socket, response }) => {
      expectTypeOf(request).toEqualTypeOf<IncomingMessage>();
      expectTypeOf(socket.destroyed).toBeBoolean();
      expectTypeOf(response?.headersSent).toEqualTypeOf<boolean | undefined>();
      const verdict = await chat.decide(handshake);
      return verdict.ok
        ? {
            outcome: "permitted",
            permits: [verdict.permit],
            reported: verdict.reported,
            trail: verdict.trail,
          }
        : { outcome: "refused", refusal: verdict.refusal, trail: verdict.trail };
    });
  });

  it("takes nothing else", () => {
    // @ts-expect-error A check is no guard.
    attach(createServer(), { "/chat": insecureAnyOrigin() });
    // @ts-expect-error A path begins with a slash.
    attach(createServer(), { chat });
    // @ts-expect-error There is no such option.
    attach(createServer(), chat, { timeout: 1 });
    // @ts-expect-error A handler does not say yes; it brings permits.
    attach(createServer(), () => true);
    expectTypeOf<() => boolean>().not.toExtend<UpgradeHandler>();
  });
});

describe("connectionOf", () => {
  it("infers from the guard", () => {
    const request = {} as IncomingMessage;
    const room = guard(
      () => allowWith({ room: 7 as number }),
      jwt({ issuer: "https://id.example.com", audience: "chat", keys: new Uint8Array(32) }),
    );
    expectTypeOf(connectionOf(request, room).facts.room).toEqualTypeOf<number>();
    expectTypeOf(connectionOf(request, room).identity).toEqualTypeOf<Identity>();
    expectTypeOf(connectionOf(request).facts).toEqualTypeOf<Readonly<object>>();
  });

  it("makes nothing of a permit", () => {
    expectTypeOf<Permit>().toHaveProperty("handshake");
    expectTypeOf<Permit>().not.toBeAny();
  });
});

describe("gate.connections", () => {
  it("gives out what connectionOf does", () => {
    const gate = attach(createServer(), chat);
    for (const connection of gate.connections.find({ subject: "ada", path: "/rooms/*" })) {
      expectTypeOf(connection).toEqualTypeOf(connectionOf({}));
      expectTypeOf(connection.tags.add("a")).toEqualTypeOf<Set<string>>();
      expectTypeOf(connection.closed?.closeCode).toEqualTypeOf<number | undefined>();
    }
    expectTypeOf(gate.connections.revoke({ sessionId: "s" })).toEqualTypeOf<number>();
    // @ts-expect-error A path begins with a slash.
    gate.connections.find({ path: "rooms" });
    // @ts-expect-error What is not known is left out.
    gate.connections.find({ subject: undefined });
  });
});

describe("renewal", () => {
  it("tells what became of a token", async () => {
    const renewed = await renewal({ verify: () => ({ subject: "ada" }) })({}, "token");
    if (renewed.ok) expectTypeOf(renewed.expiresAt).toEqualTypeOf<number | undefined>();
    else expectTypeOf(renewed.refusal.code).toEqualTypeOf<RefusalCode>();
  });
});
