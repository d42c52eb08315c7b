declare module "koa-passport" {
  import type { Middleware } from "koa";
  import type { Strategy } from "passport";

  export class KoaPassport {
    use(strategy: Strategy): this;
    initialize(): Middleware;
    session(): Middleware;
    authenticate(
      name: string,
      options: { readonly successRedirect: string; readonly failureRedirect: string },
    ): Middleware;
    serializeUser<User>(
      serialize: (user: User, done: (error: unknown, id?: string) => void) => void,
    ): void;
    deserializeUser(
      find: (id: string, done: (error: unknown, user?: object | false) => void) => void,
    ): void;
  }
}
