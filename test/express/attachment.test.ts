import { createServer } from "node:http";
import { beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { WebSocketServer } from "ws";
import { thrownBy } from "../support/handshakes.ts";
import { statusOf } from "../support/raw-client.ts";
import { listen } from "../support/server.ts";
import { captureWarnings } from "../support/warnings.ts";
import { majors } from "./apps.ts";

type Firmshake = typeof import("@firmshake/express");

/** What was said once in a process is not said again: each test has modules of its own. */
let firmshake: Firmshake;
beforeEach(async () => {
  vi.resetModules();
  firmshake = await import("@firmshake/express");
});

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe.each(majors)("$major", ({ express }) => {
  it("a guard without a gate is said so at the first ordinary request, once", async () => {
    const warnings = captureWarnings();
    const app = express();
    app.use(firmshake.guard());
    app.get("/", (_request, response) => void response.send("page"));
    const port = await listen(createServer(app));
    for (const _ of [1, 2]) expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(200);
    expect(warnings).toEqual(["FIRMSHAKE_NOT_ATTACHED"]);
  });

  it("nothing is said where there is one, also on another server of the same app before it is detached", async () => {
    const warnings = captureWarnings();
    const app = express();
    app.use(firmshake.guard());
    const server = createServer(app);
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

  it("an upgrade that comes by a guard without a gate is an error", async () => {
    const app = express();
    app.get("/chat", firmshake.guard());
    const errors: { code?: string }[] = [];
    app.use(
      (
        error: { code?: string },
        _request: unknown,
        response: { sendStatus: (code: number) => void },
        _next: unknown,
      ) => {
        errors.push(error);
        response.sendStatus(500);
      },
    );
    const port = await listen(createServer(app));
    expect(await statusOf(port)).toBe(500);
    expect(errors).toMatchObject([{ code: "ERR_FIRMSHAKE_NOT_ATTACHED" }]);
  });

  it("and so is a polling request; but not where a gate was told to hold none, nor a preflight", async () => {
    const app = express();
    app.use(firmshake.guard());
    app.use((_request, response) => void response.send("polled"));
    const server = createServer(app);
    const port = await listen(server);
    const statusOfPoll = async (method = "GET"): Promise<number> =>
      (await fetch(`http://127.0.0.1:${port}/?transport=polling`, { method })).status;
    vi.stubEnv("NODE_ENV", "test");
    expect(await statusOfPoll()).toBe(500);
    expect(await statusOfPoll("OPTIONS")).toBe(200);
    firmshake.attach(server, app, { polling: false });
    expect(await statusOfPoll()).toBe(200);
  });

  it("and so is one that express-ws sends by it", async () => {
    const { default: expressWs } = await import("express-ws");
    const app = express();
    const server = createServer(app);
    expressWs(app, server);
    const errors: { code?: string }[] = [];
    app.use("/chat", firmshake.guard());
    app.use(
      (
        error: { code?: string },
        _request: unknown,
        response: { sendStatus: (code: number) => void },
        _next: unknown,
      ) => {
        errors.push(error);
        response.sendStatus(500);
      },
    );
    await statusOf(await listen(server));
    await expect.poll(() => errors).toMatchObject([{ code: "ERR_FIRMSHAKE_NOT_ATTACHED" }]);
  });

  it("an answer behind a guard is warned of once, and refusals are not", async () => {
    const warnings = captureWarnings();
    const app = express();
    const { guard, insecureAnyOrigin } = firmshake;
    app.use(guard(insecureAnyOrigin()));
    app.get("/private", (_request, response) => void response.sendStatus(401));
    app.get("/login", (_request, response) => void response.redirect("/"));
    app.use((_request, response) => void response.status(404).send("Not found"));
    const server = createServer(app);
    firmshake.attach(server, app);
    new WebSocketServer({ server });
    const port = await listen(server);
    expect(await statusOf(port, { target: "/private" })).toBe(401);
    expect(await statusOf(port, { target: "/login" })).toBe(302);
    await settled();
    expect(warnings).toEqual([]);
    for (const _ of [1, 2]) expect(await statusOf(port)).toBe(404);
    await settled();
    expect(warnings).toEqual(["FIRMSHAKE_ANSWERED_BEHIND_GUARD"]);
  });
});

describe("ten seconds after the first guard", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    onTestFinished(() => void vi.useRealTimers());
  });

  it("it is said that no gate was attached, once for all guards", async () => {
    const warnings = captureWarnings();
    firmshake.guard();
    firmshake.guard();
    vi.advanceTimersByTime(9_999);
    await settled();
    expect(warnings).toEqual([]);
    vi.advanceTimersByTime(60_000);
    await settled();
    expect(warnings).toEqual(["FIRMSHAKE_NOT_ATTACHED"]);
  });

  it("nothing is said once a gate was attached, whichever came first", async () => {
    const warnings = captureWarnings();
    const { express } = majors[0];
    firmshake.guard();
    firmshake.attach(createServer(), express());
    firmshake.guard();
    vi.advanceTimersByTime(60_000);
    await settled();
    expect(warnings).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });
});

it("attach wants a server and an app", () => {
  const { attach, guard } = firmshake;
  const app = majors[0].express();
  expect(thrownBy(() => attach(createServer(), { "/chat": guard() } as never))).toContain(
    "must be the Express app",
  );
  expect(thrownBy(() => attach(createServer(), undefined as never))).toContain(
    "must be the Express app",
  );
  expect(thrownBy(() => attach(app as never, app))).toContain("That is an app");
  expect(thrownBy(() => attach(createServer(), app, { decisionTimeout: 1 } as never))).toContain(
    "decisionTimeout",
  );
});
