import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { closeKinds, refusalKinds } from "@firmshake/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Playground, startPlayground } from "../../packages/playground/src/playground.ts";
import type { Settings, WayOrder } from "../../packages/playground/src/protocol.ts";
import { ways } from "../../packages/playground/src/ways/all.ts";
import { measureAct } from "../../packages/playground/src/ways/measure.ts";

const root = new URL("../../", import.meta.url);
const textOf = (path: string): string => readFileSync(fileURLToPath(new URL(path, root)), "utf8");
const known = ways.map(({ id, guide }) => ({ id, guide }));

let playground: Playground;
let settings: Settings;
beforeAll(async () => {
  playground = await startPlayground({ port: { port: 0, mayMove: true } });
  settings = (await (await fetch(`${playground.lab.page}/settings`)).json()) as Settings;
});
afterAll(() => playground.close());

const viewOf = (id: string): Settings["ways"][number] => {
  const view = settings.ways.find((one) => one.id === id);
  if (view === undefined) throw new Error(`There is no way ${id}.`);
  return view;
};

const order = (way: string, act: string): Promise<Response> =>
  fetch(`${playground.lab.page}/orders/${way}/${act}`, { method: "POST" });

describe("the ways to prove who you are", () => {
  it("stand in the order of the guide that chooses among them", () => {
    const choosing = textOf("docs/guide/choosing.md");
    let reached = 0;
    for (const { id, guide } of known) {
      reached = choosing.indexOf(guide.replace(/^docs\/guide\//, ""), reached);
      expect(reached, id).not.toBe(-1);
    }
  });

  it.each(known)("show of $id the lines that run", ({ id }) => {
    const { code } = viewOf(id);
    const source = textOf(`packages/playground/src/ways/${id}.ts`).replaceAll(/^ +/gm, "");
    expect(code).toContain("guard(");
    const [own = ""] = code.split("\n\n");
    for (const line of own.split("\n")) {
      expect(source).toContain(line.trim());
    }
    expect(code).not.toContain("#region");
  });

  it.each(known)("name a guide of $id that is there", async ({ guide }) => {
    const answer = await fetch(`${playground.lab.page}/${guide}`);
    expect([answer.status, await answer.text()]).toEqual([200, textOf(guide)]);
  });

  it.each(known)("show what $id sends, and no secret in it", ({ id }) => {
    const { wire } = viewOf(id);
    expect(wire.join("\n")).toContain(`GET /ways/${id}`);
    const values = wire.map((line) => line.replace(/^GET .*$|^[\w-]+: /, ""));
    for (const value of values) expect(value).not.toMatch(/[\w-]{20,}/);
  });

  it("tell the page neither keys nor secrets in their settings", () => {
    const text = JSON.stringify(settings);
    expect(text).not.toMatch(/eyJ[\w-]{10,}|acme_\w{10,}|PRIVATE KEY/);
  });

  it("do for the page what a page cannot do, and leave to it what it can", async () => {
    const measured = (await (await order("bearer", "connect")).json()) as WayOrder;
    expect(measured).toMatchObject({
      kind: "measured",
      result: { isExpected: true, text: "101 accepted" },
    });
    const browser = (await (await order("ticket", "twice")).json()) as WayOrder;
    expect(browser).toMatchObject({
      kind: "browser",
      sender: "page",
      errand: { from: "/tickets", parameter: "ticket" },
      attempts: [{ library: "ws" }, { library: "ws" }],
    });
    // The page gets the ticket itself.
    const urls = browser.kind === "browser" ? browser.attempts.map(({ url }) => url) : [];
    for (const url of urls) expect(new URL(url).searchParams.has("ticket")).toBe(false);
  });

  it.each([
    ["token", "toString"],
    ["toString", "connect"],
    ["token", "..%2fconnect"],
  ])("have no button /%s/%s", async (way, act) => {
    expect((await order(way, act)).status).toBe(404);
  });

  it("give tickets to who has a session, and to pages that may ask", async () => {
    const { page } = playground.lab;
    const ask = async (headers: Record<string, string>): Promise<number> =>
      (await fetch(`${page}/tickets`, { method: "POST", headers })).status;
    const [cookie = ""] = (await order("ticket", "connect")).headers.getSetCookie();
    const Cookie = cookie.split(";")[0] ?? "";
    expect(cookie).toContain("HttpOnly; SameSite=Strict");
    expect(await ask({ Origin: page, Cookie })).toBe(200);
    expect(await ask({ Origin: page })).toBe(401);
    expect(await ask({ Origin: "http://elsewhere.example", Cookie })).toBe(403);
  });

  it("put into the stream who was let in and then closed for their first message", async () => {
    const { lab } = playground;
    const way = lab.ways.find(({ id }) => id === "first-message");
    const act = way?.acts.find(({ id }) => id === "large");
    if (way === undefined || act === undefined) throw new Error("There is no such button.");
    await measureAct(lab, way, act, await act.handshakes());
    expect(lab.log.recent().slice(-2)).toMatchObject([
      { outcome: "accepted", status: 101, attack: "first-message-large" },
      {
        outcome: "refused",
        closeCode: 1009,
        attack: "first-message-large",
        steps: [
          { check: "opening", outcome: "allow" },
          { check: "origin", outcome: "allow" },
          { check: "firstMessage", outcome: "refuse" },
        ],
      },
    ]);
  });
});

describe("the page of refusals and closes", () => {
  it("has a heading for each code", async () => {
    const text = await (await fetch(`${playground.lab.page}/errors`)).text();
    const ids = [...text.matchAll(/<section id="(\w+)"/g)].map(([, id]) => id);
    expect(ids).toEqual([...Object.keys(refusalKinds), ...Object.keys(closeKinds)]);
    expect(text).not.toMatch(/\]\(|\*\*|<[^>]*`/);
  });
});
