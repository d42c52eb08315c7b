import type { IncomingMessage, Server } from "node:http";
import {
  allow,
  allowWith,
  attach,
  type Connection,
  connectionOf,
  contextOf,
  type Gate,
  type GuardMiddleware,
  guard,
  handOver,
  type Identity,
  identity,
  insecureAnyOrigin,
  jwt,
  type KoaContext,
  origin,
} from "@firmshake/koa";
import Router, { type RouterMiddleware } from "@koa/router";
import Koa, { type Context, type Middleware } from "koa";
import { describe, expectTypeOf, it } from "vitest";

const options = { issuer: "https://id.example.com", audience: "chat", keys: new Uint8Array(32) };
const request = {} as IncomingMessage;
const server = {} as Server;
const app = new Koa();

interface State {
  readonly user: { readonly id: string };
}

describe("a guard is middleware of Koa", () => {
  it("wherever middleware may stand", () => {
    app.use(guard()).use(handOver);
    new Koa<State>().use(guard(origin("same-origin"))).use((ctx) => {
      expectTypeOf(ctx.state.user.id).toEqualTypeOf<string>();
    });
    const router = new Router();
    router.use(guard());
    router.use("/chat", guard(origin("same-origin")), handOver);
    router.get("/chat", guard());
    router.get("/chat", guard(), handOver, (ctx) => ctx.throw(404));
    router.all("/chat/:room", guard());
    new Router<State, { readonly own: string }>().get("/chat", guard(), (ctx) => {
      expectTypeOf(ctx.state.user.id).toEqualTypeOf<string>();
    });
    expectTypeOf(guard()).toExtend<Middleware>();
    expectTypeOf(guard()).toExtend<RouterMiddleware>();
    expectTypeOf(handOver).toExtend<Middleware<State>>();
  });

  it("and stays a guard", () => {
    const chat = guard(jwt(options));
    expectTypeOf(chat).toExtend<GuardMiddleware<{ readonly identity: Identity }>>();
    expectTypeOf(chat.explain()).toBeString();
  });
});

describe("attach", () => {
  it("takes the server and the app, whatever its state", () => {
    expectTypeOf(attach(server, app)).toEqualTypeOf<Gate>();
    attach(server, new Koa<State>(), { trustProxy: ["loopback"] });
    // @ts-expect-error An app is no server.
    attach(app, app);
    // @ts-expect-error That is no app.
    attach(server, app.callback());
    // @ts-expect-error Routes are for @firmshake/node.
    attach(server, { "/chat": guard() });
    // @ts-expect-error There is no such option.
    attach(server, app, { trustProxies: ["loopback"] });
  });
});

describe("connectionOf", () => {
  it("knows what the guard's checks add", () => {
    const room = guard(() => allowWith({ room: "blue" as string }), jwt(options));
    const connection = connectionOf(request, room);
    expectTypeOf(connection.facts.room).toEqualTypeOf<string>();
    expectTypeOf(connection.identity).toEqualTypeOf<Identity>();
    expectTypeOf(connection.facts).not.toBeAny();
    // @ts-expect-error No check adds that.
    connection.facts.seat;
  });

  it("promises no identity where none was asked for", () => {
    expectTypeOf(connectionOf(request)).toEqualTypeOf<Connection>();
    expectTypeOf(
      connectionOf(request, guard({ mode: "report", checks: [jwt(options)] })).identity,
    ).toEqualTypeOf<Identity | undefined>();
  });
});

describe("identity", () => {
  it("reads what middleware put into the context, of Koa's type or of one's own", () => {
    const chat = guard(
      identity((ctx: Context) => ctx.state.user && { subject: ctx.state.user.id }),
    );
    expectTypeOf(connectionOf(request, chat).identity).toEqualTypeOf<Identity>();
    identity(({ state }: { state: Partial<State> }) => state.user && { subject: state.user.id });
    // @ts-expect-error A subject is a text.
    identity((ctx: Context) => ({ subject: ctx.req }));
    identity((ctx) => {
      expectTypeOf(ctx).toEqualTypeOf<KoaContext>();
      return false;
    });
  });

  it("has no need of it for checks of one's own", () => {
    guard(insecureAnyOrigin(), (handshake) => {
      expectTypeOf(contextOf<Context>(handshake)).toEqualTypeOf<Context>();
      expectTypeOf(contextOf(handshake)).toEqualTypeOf<KoaContext>();
      return allow;
    });
  });
});
