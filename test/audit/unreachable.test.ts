import { createServer as createTlsServer, type ServerOptions } from "node:https";
import { type AuditOptions, type AuditReport, checkIds } from "@firmshake/audit";
import { describe, expect, it } from "vitest";
import { makeCertificate } from "../support/certificate.ts";
import { auditBriskly } from "./findings.ts";
import { serveWs } from "./weak-servers.ts";

const portOf = (url: string): number => Number(new URL(url).port);
/** Privileged, and nobody's on a machine that runs tests. */
const nobodysPort = 1;

const failedIn = ({ findings }: AuditReport): readonly (readonly [string, string])[] =>
  findings.filter(({ verdict }) => verdict === "fail").map(({ id, reason }) => [id, reason]);
const passedIn = ({ findings }: AuditReport): readonly string[] =>
  findings.filter(({ verdict }) => verdict === "pass").map(({ id }) => id);

const serveTls = async (options: ServerOptions): Promise<string> => {
  const certificate = await makeCertificate();
  const server = createTlsServer({ ...certificate, ...options });
  return (await serveWs({ server: server as never })).replace("ws:", "wss:");
};

describe("an endpoint that cannot be reached", () => {
  it.each<readonly [string, string, AuditOptions]>([
    ["over ws", `ws://127.0.0.1:${nobodysPort}/?token=c2VjcmV0`, {}],
    ["over wss", `wss://127.0.0.1:${nobodysPort}/`, { plainPort: nobodysPort }],
  ])("%s leaves everything open, with the reason", async (_, url, options) => {
    const report = await auditBriskly(url, { intrusive: true, ...options });
    expect(report.findings.map(({ id }) => id)).toEqual(checkIds);
    const concluded = report.findings.filter(({ verdict }) => /pass|fail/.test(verdict));
    expect(concluded).toEqual([]);
    expect(report.findings[0]).toMatchObject({
      verdict: "inconclusive",
      reason: expect.stringContaining("nobody listens at that address and port (ECONNREFUSED)"),
    });
    expect(report.summary.endedBy).toEqual([]);
    expect(report.summary.cutShort).toBeUndefined();
  });

  it("over wss is told from one that takes plain ws beside it", async () => {
    const plainPort = portOf(await serveWs());
    const report = await auditBriskly(`wss://127.0.0.1:${nobodysPort}/chat`, { plainPort });
    expect(failedIn(report)).toEqual([
      ["WS-TLS-1", "The host takes WebSockets without TLS, and none with it."],
    ]);
    expect(passedIn(report)).toEqual([]);
  });

  it("over wss is told from one that takes plain ws for a header beside it", async () => {
    const rule = ({ headers }: { headers: NodeJS.Dict<string | string[]> }): boolean =>
      headers["x-forwarded-proto"] === "https";
    const plainPort = portOf(await serveWs({ rule }));
    const report = await auditBriskly(`wss://127.0.0.1:${nobodysPort}/chat`, { plainPort });
    expect(failedIn(report).map(([id]) => id)).toEqual(["WS-TLS-3"]);
    expect(passedIn(report)).toEqual([]);
  });

  it("over wss may speak no TLS at all", async () => {
    const url = (await serveWs()).replace("ws:", "wss:");
    const report = await auditBriskly(url, { plainPort: nobodysPort });
    expect([...failedIn(report), ...passedIn(report)]).toEqual([]);
    expect(report.baseline.reason).toContain("does not speak TLS");
  });

  it("over wss may speak nothing but what is too old", async () => {
    const url = await serveTls({
      minVersion: "TLSv1",
      maxVersion: "TLSv1.1",
      ciphers: "DEFAULT:@SECLEVEL=0",
    });
    const report = await auditBriskly(url, { plainPort: nobodysPort });
    expect(failedIn(report)).toEqual([
      ["WS-TLS-2", "TLS versions: nothing newer than TLSv1.1 is spoken."],
    ]);
    expect(passedIn(report)).toEqual([]);
    expect(report.baseline.reason).toContain("no version of TLS is spoken by both");
  });

  it("is not what a certificate makes of it that nobody trusts", async () => {
    const report = await auditBriskly(await serveTls({}), {
      only: ["WS-ORIGIN-1", "WS-TLS-2"],
    });
    expect(report.baseline.isAccepted).toBe(true);
    expect(report.findings).toMatchObject([
      { id: "WS-ORIGIN-1", verdict: "fail" },
      { id: "WS-TLS-2", verdict: "fail" },
    ]);
  });
});
