declare module "express4" {
  import express from "express";

  export = express;
}

declare module "express-session" {
  import type { RequestHandler } from "express";

  function session(options: {
    readonly secret: string;
    readonly resave: boolean;
    readonly saveUninitialized: boolean;
  }): RequestHandler;

  export = session;
}

declare module "passport" {
  import type { Request, RequestHandler } from "express";
  export class Strategy {
    name: string;
    success(user: object): void;
    fail(status: number): void;
    authenticate(request: Request): void;
  }
  export class Passport {
    use(strategy: Strategy): this;
    authenticate(name: string): RequestHandler;
    initialize(): RequestHandler;
    session(): RequestHandler;
    serializeUser(
      serialize: (user: object, done: (error: unknown, id?: string) => void) => void,
    ): void;
    deserializeUser(
      find: (id: string, done: (error: unknown, user?: object | false) => void) => void,
    ): void;
  }
}

declare module "express-ws" {
  import type { Server } from "node:http";
  import type { Application } from "express";

  function expressWs(app: Application, server: Server): unknown;

  export = expressWs;
}
