import { createServer } from "node:http";
import Router from "@koa/router";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { WebSocketServer } from "ws";
import { thrownBy } from "../support/handshakes.ts";
import { statusOf } from "../support/raw-client.ts";
import { listen } from "../support/server.ts";
import { captureWarnings } from "../support/warnings.ts";
import { errorsOf, majors, routesOf } from "./apps.ts";

type Firmshake = typeof import("@firmshake/koa");

/** What was said once in a process is not said again: each test has modules of its own. */
let firmshake: Firmshake;
beforeEach(async () => {
  vi.resetModules();
  firmshake = await import("@firmshake/koa");
});

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe.each(majors)("$major", ({ Koa }) => {
  it("a guard without a gate is said so at the first ordinary request, once", async () => {
    const warnings = captureWarnings();
    const app = new Koa();
    app.use(firmshake.guard()).use((ctx) => {
      ctx.body = "page";
    });
    const port = await listen(createServer(app.callback()));
    for (const _ of [1, 2]) expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(200);
    expect(warnings).toEqual(["FIRMSHAKE_NOT_ATTACHED"]);
  });

  it("nothing is said where there is one, before it is detached", async () => {
    const warnings = captureWarnings();
    const app = new Koa().use(firmshake.guard());
    const server = createServer(app.callback());
    const gate = firmshake.attach(server, app);
    const port = await listen(server);
    await fetch(`http://127.0.0.1:${port}/`);
    await settled();
    expect(warnings).toEqual([]);
    gate.detach();
    await fetch(`http://127.0.0.1:${port}/`);
    await settled();
    expect(warnings).toEqual(["FIRMSHAKE_NOT_ATTACHED"]);
  });

  it("an upgrade that comes by a guard without a gate is an error of the app", async () => {
    const app = new Koa();
    const router = new Router();
    router.get("/chat", firmshake.guard());
    app.use(routesOf(router));
    const errors = errorsOf(app);
    expect(await statusOf(await listen(createServer(app.callback())))).toBe(500);
    expect(errors).toMatchObject([{ code: "ERR_FIRMSHAKE_NOT_ATTACHED" }]);
  });

  it("a page behind a guard is warned of once, and refusals of the application are not", async () => {
    const warnings = captureWarnings();
    const { attach, guard, insecureAnyOrigin } = firmshake;
    const app = new Koa();
    app.use(guard(insecureAnyOrigin())).use((ctx) => {
      if (ctx.path === "/private") ctx.throw(401);
      else if (ctx.path === "/login") ctx.redirect("/");
      else ctx.body = "page";
    });
    const server = createServer(app.callback());
    attach(server, app);
    new WebSocketServer({ server });
    const port = await listen(server);
    expect(await statusOf(port, { target: "/private" })).toBe(401);
    expect(await statusOf(port, { target: "/login" })).toBe(302);
    await settled();
    expect(warnings).toEqual([]);
    for (const _ of [1, 2]) expect(await statusOf(port)).toBe(200);
    await settled();
    expect(warnings).toEqual(["FIRMSHAKE_ANSWERED_BEHIND_GUARD"]);
  });

  it("attach adds no listener to the app, which may add its own behind", async () => {
    const app = new Koa();
    firmshake.attach(createServer(), app);
    expect(app.listenerCount("error")).toBe(0);
  });

  it("attach wants a server and an app", () => {
    const { attach, guard } = firmshake;
    const app = new Koa();
    for (const none of [undefined, { "/chat": guard() }, app.callback(), guard()]) {
      expect(thrownBy(() => attach(createServer(), none as never))).toContain(
        "must be the Koa app",
      );
    }
    expect(thrownBy(() => attach(app as never, app))).toContain("That is an app");
    expect(thrownBy(() => attach(createServer(), app, { decisionTimeout: 1 } as never))).toContain(
      "decisionTimeout",
    );
  });
});
