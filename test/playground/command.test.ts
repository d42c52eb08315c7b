import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import { readCommand } from "../../packages/playground/src/options.ts";
import { run, start } from "./command.ts";

describe("the options", () => {
  const usual = { framework: "express", library: "ws" };
  const other = { framework: "fastify", library: "socket.io" };

  it.each([
    [[], { kind: "serve", port: 8080, isPortChosen: false, ...usual }],
    [["--port", "3000"], { kind: "serve", port: 3000, isPortChosen: true, ...usual }],
    [["--port=3000"], { kind: "serve", port: 3000, isPortChosen: true, ...usual }],
    [["--once"], { kind: "once", isGated: true, ...usual }],
    [["--once", "--no-gate"], { kind: "once", isGated: false, ...usual }],
    [
      ["--framework", "koa"],
      { kind: "serve", port: 8080, isPortChosen: false, ...usual, framework: "koa" },
    ],
    [
      ["--once", "--library=socket.io", "--framework=fastify"],
      { kind: "once", isGated: true, ...other },
    ],
    [["--help"], { kind: "help" }],
    [["-h", "--once"], { kind: "help" }],
  ])("%j are understood", (args, command) => {
    expect(readCommand(args)).toEqual(command);
  });

  it.each([
    [["--onec"], "There is no option --onec."],
    [["now"], `"now" is not understood.`],
    [["--once=yes"], "--once takes no value."],
    [["--port"], "--port takes a number from 1 to 65533."],
    [["--port", "0"], "--port takes a number from 1 to 65533."],
    [["--port", "65534"], "--port takes a number from 1 to 65533."],
    [["--port", "http"], "--port takes a number from 1 to 65533."],
    [["--once", "--port", "3000"], "--once uses free ports"],
    [["--no-gate"], "--no-gate goes with --once."],
    [["--framework"], "--framework takes express, koa or fastify."],
    [["--framework", "expres"], `There is no framework "expres". Did you mean express?`],
    [["--framework", "hapi"], `There is no framework "hapi". --framework takes express, koa or`],
    [["--framework", "toString"], `There is no framework "toString".`],
    [["--library", "socketio"], `There is no library "socketio". Did you mean socket.io?`],
    [["--library="], "--library takes ws or socket.io."],
  ])("%j are a mistake, and it is said which", (args, message) => {
    expect(readCommand(args)).toEqual({
      kind: "mistake",
      message: expect.stringContaining(message),
    });
  });
});

describe("npm start", () => {
  it("exits 2 for an unknown option", async () => {
    const { code, text } = await run("--onec");
    expect(text).toContain("There is no option --onec. Options are");
    expect(code).toBe(2);
  });

  it("prints how it is used", async () => {
    const { code, text } = await run("--help");
    for (const option of ["--framework NAME", "--library NAME", "--port N", "--once", "--no-gate"])
      expect(text).toContain(option);
    expect(code).toBe(0);
  });

  it("prints its URLs, serves, and ends cleanly on Ctrl-C", async () => {
    const { child, said } = start("--port", String(await freePort()));
    await expect.poll(said, { timeout: 10_000 }).toContain("Ctrl-C");
    const [, page = ""] = /Open +(\S+)/.exec(said()) ?? [];
    expect((await fetch(page)).status).toBe(200);
    child.kill("SIGINT");
    expect(await once(child, "close")).toEqual([0, null]);
  });

  it("says so where the port that was asked for is taken", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as AddressInfo;
    const { code, text } = await run("--port", String(port));
    other.close();
    expect(text).toContain(`Port ${port} is taken.`);
    expect(code).toBe(1);
  });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  // The two after it are used as well.
  return Math.min(port, 65_533);
}
