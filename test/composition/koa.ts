import { attach, guard, identity, origin } from "@firmshake/koa";
import { bodyParser } from "@koa/bodyparser";
import Router from "@koa/router";
import Koa, { type Context } from "koa";
import { KoaPassport } from "koa-passport";
import session, { type CreateSessionOptions } from "koa-session";
import { Strategy as LocalStrategy } from "passport-local";
import { WebSocketServer } from "ws";
import { greet, isPassword, pageFor, type Serve, secret } from "./application.ts";

/** koa-session and koa-passport, with `ws` behind the gate. */
export const onKoa =
  (options: CreateSessionOptions): Serve =>
  async ({ server, origin: own, options: gateOptions }) => {
    const app = new Koa();
    app.keys = [secret];
    app.silent = true;
    app.use(session({ sameSite: "lax", ...options }, app));
    const passport = passportOfUsers();
    app.use(bodyParser());
    app.use(passport.initialize());
    app.use(passport.session());

    const router = new Router();
    router.get(
      "/chat",
      guard(
        origin([own]),
        identity(({ state }: Context) => state.user && { subject: state.user.id }),
      ),
    );
    router.get("/", (ctx) => {
      // So that there is a session before the login.
      Object.assign(ctx.session, { seen: true });
      ctx.body = pageFor(ctx.state.user?.id);
    });
    router.post(
      "/login",
      passport.authenticate("local", { successRedirect: "/", failureRedirect: "/" }),
    );
    router.post("/logout", async (ctx) => {
      await ctx.logout();
      ctx.redirect("/");
    });
    app.use(router.routes());
    server.on("request", app.callback());
    const gate = attach(server, app, gateOptions);
    new WebSocketServer({ server }).on("connection", greet);
    return gate;
  };

function passportOfUsers(): InstanceType<typeof KoaPassport> {
  const passport = new KoaPassport();
  passport.use(
    new LocalStrategy((id, password, done) => done(null, isPassword(id, password) && { id })),
  );
  passport.serializeUser<string>((user, done) => done(null, (user as { id: string }).id));
  passport.deserializeUser((id: string, done) => done(null, { id }));
  return passport;
}
