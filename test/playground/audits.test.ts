import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AuditLine } from "../../packages/playground/src/audit-lines.ts";
import { type FrameworkName, frameworks } from "../../packages/playground/src/frameworks/all.ts";
import { type Playground, startPlayground } from "../../packages/playground/src/playground.ts";

const frameworkNames = Object.keys(frameworks) as FrameworkName[];

describe.each(frameworkNames)("the audit that the page offers, on %s", (framework) => {
  let playground: Playground;
  let page: string;
  const order = (server: string, init: RequestInit = {}): Promise<Response> =>
    fetch(`${page}/audits/${server}`, { method: "POST", ...init });

  beforeAll(async () => {
    playground = await startPlayground({ port: { port: 0, mayMove: true }, framework });
    page = playground.lab.page;
  });
  afterAll(() => playground.close());

  it.each([
    ["another origin", { Origin: "https://evil.example" }],
    ["the origin null", { Origin: "null" }],
    ["the attack panel", { Origin: "panel" }],
    ["another site", { "Sec-Fetch-Site": "cross-site" }],
  ])("is not run for %s", async (_, headers) => {
    const given = "Origin" in headers && headers.Origin === "panel";
    const sent = given ? { Origin: playground.lab.panel } : headers;
    expect((await order("gated", { headers: sent })).status).toBe(403);
  });

  it("is of nothing but the playground", async () => {
    for (const server of ["evil.example", "127.0.0.1:22", "ws%3A%2F%2F127.0.0.1%3A22"]) {
      expect((await order(server)).status, server).toBe(404);
    }
  });

  it("runs one at a time, and ends with who asked for it", async () => {
    const left = new AbortController();
    const first = await order("bare", { signal: left.signal });
    expect(first.status).toBe(200);
    expect((await order("bare")).status).toBe(409);
    left.abort();
    const again = new AbortController();
    const statusNow = async (): Promise<number> =>
      (await order("bare", { signal: again.signal })).status;
    await expect.poll(statusNow).toBe(200);
    again.abort();
  });
});

describe("the report", () => {
  it("is written line by line, is kept for the page alone, and can do nothing", async () => {
    const playground = await startPlayground({ port: { port: 0, mayMove: true } });
    const { page } = playground.lab;
    const answer = await fetch(`${page}/audits/bare`, { method: "POST" });
    const lines = (await answer.text())
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as AuditLine);
    expect(lines.slice(0, -1).every(({ kind }) => kind === "checking")).toBe(true);
    expect(lines).toHaveLength(58);
    const last = lines.at(-1);
    if (last?.kind !== "written") throw new Error("There is no report.");
    expect(last).toMatchObject({ outcome: "weak", verdict: expect.stringMatching(/^23 weak/) });
    const report = await fetch(`${page}${last.report}`);
    expect(report.headers.get("content-security-policy")).toMatch(
      /^sandbox .+frame-ancestors 'self'$/,
    );
    expect(report.headers.get("x-content-type-options")).toBe("nosniff");
    expect(await report.text()).toMatch(/^<!doctype html>/);
    const foreign = { headers: { "Sec-Fetch-Site": "cross-site" } };
    expect((await fetch(`${page}${last.report}`, foreign)).status).toBe(403);
    expect((await fetch(`${page}/audits/none`)).status).toBe(404);
    await playground.close();
  });
});
