import type { IncomingMessage } from "node:http";
import { createRequire } from "node:module";
import type Koa from "koa";
import type { WebSocket } from "ws";

/** Libraries of Koa's world that have no types of their own, as far as they are used here. */
const require = createRequire(import.meta.url);

export const Koa2 = require("koa2") as typeof Koa;

export const { KoaPassport } = require("koa-passport") as {
  readonly KoaPassport: new () => {
    use(strategy: object): void;
    initialize(): Koa.Middleware;
    session(): Koa.Middleware;
    authenticate(strategy: string): Koa.Middleware;
    serializeUser(
      serialize: (
        user: { readonly id: string },
        done: (error: unknown, id?: string) => void,
      ) => void,
    ): void;
    deserializeUser(
      find: (id: string, done: (error: unknown, user?: object | false) => void) => void,
    ): void;
  };
};

export const easyWs = require("koa-easy-ws") as () => Koa.Middleware<
  Koa.DefaultState,
  { ws?: () => Promise<WebSocket> }
>;

interface SocketContext {
  readonly websocket: WebSocket;
  readonly req: IncomingMessage;
}

export const koaWebsocket = require("koa-websocket") as (app: Koa) => Koa & {
  readonly ws: {
    use(
      middleware: (ctx: Koa.Context & SocketContext, next: () => Promise<unknown>) => unknown,
    ): void;
  };
};
