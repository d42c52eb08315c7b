import { createServer } from "node:http";
import {
  allow,
  allowWith,
  attach,
  type Connection,
  connectionOf,
  type Gate,
  type GuardMiddleware,
  guard,
  handOver,
  type Identity,
  identity,
  insecureAnyOrigin,
  jwt,
  origin,
  requestOf,
} from "@firmshake/express";
import express, { type Request } from "express";
import { describe, expectTypeOf, it } from "vitest";

const options = { issuer: "https://id.example.com", audience: "chat", keys: new Uint8Array(32) };
const request = {} as Request;
const app = express();

describe("a guard is middleware of Express", () => {
  it("wherever middleware may stand", () => {
    app.use(guard());
    app.use("/chat", guard(origin("same-origin")), handOver);
    app.get("/chat", guard());
    app.all("/chat/:room", guard());
    app.use([guard(), handOver]);
    express.Router().get("/chat", guard()).use(guard(), handOver);
    app.route("/chat").get(guard());
  });

  it("and stays a guard", () => {
    const chat = guard(jwt(options));
    expectTypeOf(chat).toExtend<GuardMiddleware<{ readonly identity: Identity }>>();
    expectTypeOf(chat.explain()).toBeString();
  });
});

describe("attach", () => {
  it("takes the server and the app", () => {
    expectTypeOf(attach(createServer(app), app)).toEqualTypeOf<Gate>();
    expectTypeOf(attach(app.listen(0), app, { trustProxy: ["loopback"] })).toEqualTypeOf<Gate>();
    // @ts-expect-error An app is no server.
    attach(app, app);
    // @ts-expect-error Routes are for @firmshake/node.
    attach(createServer(app), { "/chat": guard() });
    // @ts-expect-error There is no such option.
    attach(createServer(app), app, { trustProxies: ["loopback"] });
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
    expectTypeOf(connectionOf(request).identity).toEqualTypeOf<Identity | undefined>();
    expectTypeOf(
      connectionOf(
        request,
        guard(() => allow),
      ).identity,
    ).toEqualTypeOf<Identity | undefined>();
    expectTypeOf(
      connectionOf(request, guard({ mode: "report", checks: [jwt(options)] })).identity,
    ).toEqualTypeOf<Identity | undefined>();
  });
});

describe("identity", () => {
  it("reads what middleware put on the request", () => {
    type SignedIn = Request & { user?: { id: string } };
    const chat = guard(
      identity((request: SignedIn) => request.user && { subject: request.user.id }),
    );
    expectTypeOf(connectionOf(request, chat).identity).toEqualTypeOf<Identity>();
    // @ts-expect-error A subject is a text.
    identity((request: SignedIn) => ({ subject: request }));
  });

  it("has no need of it for checks of one's own", () => {
    guard(insecureAnyOrigin(), (handshake) => {
      expectTypeOf(requestOf<Request>(handshake)).toEqualTypeOf<Request>();
      return allow;
    });
  });
});
