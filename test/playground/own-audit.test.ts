import { type AuditReport, checkIds } from "@firmshake/audit";
import { describe, it } from "vitest";
import { type FrameworkName, frameworks } from "../../packages/playground/src/frameworks/all.ts";
import { libraries } from "../../packages/playground/src/libraries/all.ts";
import { type AuditedPath, auditOwn } from "../../packages/playground/src/own-audit.ts";
import {
  type PlaygroundOptions,
  startPlayground,
} from "../../packages/playground/src/playground.ts";
import type { LibraryName } from "../../packages/playground/src/protocol.ts";

const stacks = (Object.keys(frameworks) as FrameworkName[]).flatMap((framework) =>
  (Object.keys(libraries) as LibraryName[]).map((library) => ({ framework, library })),
);

async function auditOf(
  stack: Partial<PlaygroundOptions>,
  path: AuditedPath = "/chat",
): Promise<AuditReport> {
  const playground = await startPlayground({ port: { port: 0, mayMove: true }, ...stack });
  const { lab } = playground;
  return auditOwn(lab, lab.gated, { path }).finally(playground.close);
}

const wordsOf = ({ findings }: AuditReport, ...verdicts: readonly string[]): readonly string[] =>
  findings
    .filter(({ verdict }) => verdicts.includes(verdict))
    .map(({ id, severity, reason }) => `${id} (${severity}): ${reason}`);

/** What cannot be looked for at an address without TLS and without time, and what the playground's endpoints do not have. */
const skipped = [
  "WS-ORIGIN-6",
  "WS-HS-9",
  "WS-HS-12",
  "WS-TLS-2",
  "WS-TLS-3",
  "WS-AUTH-5",
  "WS-AUTH-6",
  "WS-JWT-5",
  "WS-LIFE-1",
  "WS-LIFE-2",
  "WS-LIFE-3",
  "WS-LIFE-4",
  "WS-PROXY-2",
];

/** What the same code lets through where nothing stands in front of it, and how bad that is. */
const withoutGate = {
  "WS-ORIGIN-1": "critical",
  "WS-ORIGIN-2": "high",
  "WS-ORIGIN-3": "info",
  "WS-ORIGIN-4": "high",
  "WS-ORIGIN-5": "medium",
  "WS-ORIGIN-7": "high",
  "WS-ORIGIN-8": "low",
  "WS-ORIGIN-9": "critical",
  "WS-HOST-1": "high",
  "WS-HOST-2": "medium",
  "WS-HOST-3": "low",
  "WS-HS-1": "low",
  "WS-HS-5": "medium",
  "WS-HS-7": "low",
  "WS-AUTH-1": "high",
  "WS-JWT-1": "critical",
  "WS-JWT-2": "critical",
  "WS-JWT-3": "high",
  "WS-JWT-4": "critical",
  "WS-RATE-1": "medium",
  "WS-RATE-2": "medium",
  "WS-RATE-3": "low",
};
/** The room greets whoever comes by ws; Socket.IO waits for the client, and its own ws answers pings that nobody reads. */
const ofLibrary = { ws: { "WS-INFO-3": "high" }, "socket.io": { "WS-FRAME-5": "low" } } as const;

describe.concurrent("the playground's own audit", { timeout: 120_000 }, () => {
  it.for<{ framework: FrameworkName; library: LibraryName; path: AuditedPath }>([
    ...stacks.map((stack) => ({ ...stack, path: "/chat" as const })),
    { framework: "express", library: "ws", path: "/session" },
    { framework: "fastify", library: "socket.io", path: "/session" },
  ])(
    "finds nothing at all at $path with the gate, on $framework and $library",
    async ({ path, ...stack }, { expect }) => {
      const report = await auditOf(stack, path);
      expect(report.baseline.isAccepted, report.baseline.reason).toBe(true);
      expect(wordsOf(report, "fail", "inconclusive")).toEqual([]);
      expect(report.summary.endedBy).toEqual([]);
      const passed = report.findings.filter(({ verdict }) => verdict === "pass");
      const left = path === "/chat" ? skipped : [...skipped, "WS-AUTH-4"];
      expect(passed.map(({ id }) => id)).toEqual(checkIds.filter((id) => !left.includes(id)));
    },
  );

  it.for<{ framework: FrameworkName; library: LibraryName }>([
    { framework: "express", library: "ws" },
    { framework: "koa", library: "socket.io" },
    { framework: "fastify", library: "ws" },
  ])(
    "finds what is expected without the gate, on $framework and $library",
    async (stack, { expect }) => {
      const report = await auditOf({ ...stack, isGated: false });
      expect(report.baseline.isAccepted, report.baseline.reason).toBe(true);
      const failed = report.findings.filter(({ verdict }) => verdict === "fail");
      expect(Object.fromEntries(failed.map(({ id, severity }) => [id, severity]))).toEqual({
        ...withoutGate,
        ...ofLibrary[stack.library],
      });
      expect(report.summary.endedBy).toEqual([]);
    },
  );
});
