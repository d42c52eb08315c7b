import { attach, guard, identity, origin } from "@firmshake/express";
import express, { type Request } from "express";
import session, { type SessionOptions } from "express-session";
import passports from "passport";
import { Strategy as LocalStrategy } from "passport-local";
import { WebSocketServer } from "ws";
import { greet, isPassword, pageFor, type Serve, secret } from "./application.ts";

interface User {
  readonly id: string;
}
const userOf = ({ user }: Request): User | undefined => user as User | undefined;

/** express-session and Passport, with `ws` behind the gate. */
export const onExpress =
  (options: Partial<SessionOptions>): Serve =>
  async ({ server, origin: own, options: gateOptions }) => {
    const app = express();
    app.use(
      session({
        secret,
        resave: false,
        saveUninitialized: false,
        cookie: { sameSite: "lax" },
        ...options,
      }),
    );
    const passport = passportOfUsers();
    app.use(passport.initialize());
    app.use(passport.session());
    app.get(
      "/chat",
      guard(
        origin([own]),
        identity((request: Request) => {
          const user = userOf(request);
          return user && { subject: user.id };
        }),
      ),
    );
    app.get("/", (request, response) => {
      // So that there is a session before the login.
      Object.assign(request.session, { seen: true });
      response.send(pageFor(userOf(request)?.id));
    });
    app.post(
      "/login",
      express.urlencoded(),
      passport.authenticate("local", { successRedirect: "/", failureRedirect: "/" }),
    );
    app.post("/logout", (request, response, next) => {
      request.logout((error: unknown) => (error ? next(error) : response.redirect("/")));
    });
    server.on("request", app);
    const gate = attach(server, app, gateOptions);
    new WebSocketServer({ server }).on("connection", greet);
    return gate;
  };

function passportOfUsers(): passports.Authenticator {
  const passport = new passports.Passport();
  passport.use(
    new LocalStrategy((id, password, done) => done(null, isPassword(id, password) && { id })),
  );
  passport.serializeUser((user, done) => done(null, (user as User).id));
  passport.deserializeUser((id: string, done) => done(null, { id }));
  return passport;
}
