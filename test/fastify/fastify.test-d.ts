import type { Server as HttpsServer } from "node:https";
import websocket from "@fastify/websocket";
import {
  allow,
  allowWith,
  type Connection,
  connectionOf,
  type FirmshakeOptions,
  firmshake,
  type Gate,
  guard,
  type Identity,
  identity,
  insecureAnyOrigin,
  jwt,
  origin,
  type RoutePolicy,
  requestOf,
} from "@firmshake/fastify";
import fastify, {
  type FastifyContextConfig,
  type FastifyRequest,
  type FastifyTypeProvider,
} from "fastify";
import { describe, expectTypeOf, it } from "vitest";

declare module "fastify" {
  interface FastifyRequest {
    readonly tenantOfTest: { readonly id: string } | undefined;
  }
}

const options = { issuer: "https://id.example.com", audience: "chat", keys: new Uint8Array(32) };
const request = {} as FastifyRequest;
const app = fastify();

describe("the plugin", () => {
  it("takes the gate's options and a policy", () => {
    app.register(firmshake);
    app.register(firmshake, { checks: [origin("same-origin")], hook: "preHandler" });
    app.register(firmshake, { guard: guard(jwt(options)), trustProxy: ["loopback"] });
    app.register(firmshake, { mode: "report", label: "trial", order: "written", checks: [] });
    expectTypeOf<FirmshakeOptions>().not.toBeAny();
    // @ts-expect-error There is no such option.
    app.register(firmshake, { trustProxies: ["loopback"] });
    // @ts-expect-error Policies do not decide in that hook.
    app.register(firmshake, { hook: "onSend" });
    // @ts-expect-error An origin is no check.
    app.register(firmshake, { checks: ["https://app.example.com"] });
  });

  it("is for instances of every server", () => {
    fastify({ https: {} }).register(firmshake, { checks: [] });
    fastify({ http2: true, https: { allowHTTP1: true } }).register(firmshake, { checks: [] });
    fastify<HttpsServer>({ https: {} }).register(firmshake);
  });

  it("is for instances with a type provider", () => {
    interface Provider extends FastifyTypeProvider {
      readonly validator: this["schema"];
    }
    const typed = fastify().withTypeProvider<Provider>();
    typed.register(firmshake, { checks: [] });
    typed.get("/chat", { config: { firmshake: guard() } }, () => "page");
    expectTypeOf(typed.firmshake).toEqualTypeOf<Gate>();
  });

  it("decorates instances and requests", () => {
    expectTypeOf(app.firmshake).toEqualTypeOf<Gate>();
    expectTypeOf(request.firmshake).toEqualTypeOf<Connection | undefined>();
    // @ts-expect-error It is the plugin's.
    request.firmshake = undefined;
  });
});

describe("a route's policy", () => {
  it("is a guard, or options", () => {
    app.register(websocket);
    app.get("/a", { websocket: true, config: { firmshake: guard() } }, () => undefined);
    app.get("/b", { websocket: true, config: { firmshake: { checks: [] } } }, () => undefined);
    app.get("/c", { config: { firmshake: { guard: guard(), hook: "preHandler" } } }, () => "page");
    expectTypeOf<RoutePolicy>().not.toBeAny();
    const typed: FastifyContextConfig[] = [{ firmshake: guard() }, { firmshake: { checks: [] } }];
    // Fastify's own types take whatever a `config` holds; what is wrong is thrown when the route is declared.
    // @ts-expect-error There is no such option.
    typed.push({ firmshake: { cheks: [] } });
    // @ts-expect-error The gate's options belong to the registration.
    typed.push({ firmshake: { checks: [], maxPending: 1 } });
    // @ts-expect-error A check is no policy.
    typed.push({ firmshake: () => allow });
  });
});

describe("connectionOf", () => {
  const room = guard(() => allowWith({ room: "blue" as string }), jwt(options));

  it("takes Fastify's request, and knows what the guard's checks add", () => {
    const connection = connectionOf(request, room);
    expectTypeOf(connection.facts.room).toEqualTypeOf<string>();
    expectTypeOf(connection.identity).toEqualTypeOf<Identity>();
    expectTypeOf(connection.facts).not.toBeAny();
    // @ts-expect-error No check adds that.
    connection.facts.seat;
  });

  it("takes a handler's request", () => {
    app.get("/chat", { websocket: true, config: { firmshake: room } }, (_socket, handled) => {
      expectTypeOf(connectionOf(handled, room).facts.room).toEqualTypeOf<string>();
      expectTypeOf(handled.firmshake?.identity).toEqualTypeOf<Identity | undefined>();
    });
  });

  it("promises no identity where none was asked for", () => {
    expectTypeOf(connectionOf(request)).toEqualTypeOf<Connection>();
    expectTypeOf(connectionOf(request).identity).toEqualTypeOf<Identity | undefined>();
  });
});

describe("identity and requestOf", () => {
  it("are given Fastify's request, with the application's own augmentations", () => {
    const chat = guard(
      identity((found) => {
        expectTypeOf(found).toEqualTypeOf<FastifyRequest>();
        return found.tenantOfTest && { subject: found.tenantOfTest.id };
      }),
    );
    expectTypeOf(connectionOf(request, chat).identity).toEqualTypeOf<Identity>();
    guard(insecureAnyOrigin(), (handshake) => {
      expectTypeOf(requestOf(handshake)).toEqualTypeOf<FastifyRequest>();
      return allow;
    });
    // @ts-expect-error A subject is a text.
    identity((found) => ({ subject: found.tenantOfTest }));
    // @ts-expect-error Nobody has put that there.
    identity((found) => found.nobody);
  });
});
