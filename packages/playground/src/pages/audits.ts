import { randomUUID } from "node:crypto";
import { type AuditEvent, checkList, htmlReport } from "@firmshake/audit";
import type { AuditLine } from "../audit-lines.ts";
import type { Lab } from "../lab.ts";
import { auditOwn } from "../own-audit.ts";
import { answer, type Filter, filtered, type Routes } from "./handler.ts";

/** Reports that are kept; older ones go. */
const maxReports = 8;

/** The audit of the playground's own servers, and of nothing else: the page names one of the two. */
export function auditRoutes(lab: Lab, onlyOwnPages: Filter): Routes {
  const targets = new Map([
    ["gated", lab.gated],
    ["bare", lab.bare],
  ]);
  const reports = new Map<string, string>();
  let running: AbortController | undefined;

  function keep(html: string): string {
    const id = randomUUID();
    reports.set(id, html);
    const [oldest] = reports.keys();
    if (reports.size > maxReports && oldest !== undefined) reports.delete(oldest);
    return `/audits/${id}`;
  }

  return {
    "POST /audits/:server": filtered([onlyOwnPages], async (_request, response, { server }) => {
      const target = targets.get(server ?? "");
      // One that was left ends as soon as it notices, and need not be waited for.
      if (target === undefined || running?.signal.aborted === false) {
        answer(response, target === undefined ? 404 : 409);
        return;
      }
      const left = new AbortController();
      running = left;
      // Whoever has asked for it has gone, or has enough.
      response.on("close", () => left.abort());
      response.writeHead(200, { "Content-Type": "application/x-ndjson" });
      response.flushHeaders();
      const tell = (line: AuditLine): void => {
        if (!response.destroyed) response.write(`${JSON.stringify(line)}\n`);
      };
      try {
        const report = await auditOwn(lab, target, {
          onProgress: progressTo(tell),
          signal: left.signal,
        });
        const { html, outcome, verdict } = htmlReport(report, { failOn: "info" });
        if (!left.signal.aborted) tell({ kind: "written", report: keep(html), outcome, verdict });
      } catch {
        tell({ kind: "failed" });
      } finally {
        left.abort();
        response.end();
      }
    }),
    "GET /audits/:report": filtered([onlyOwnPages], (_request, response, { report }) => {
      const html = reports.get(report ?? "");
      if (html === undefined) {
        answer(response, 404);
        return;
      }
      // It holds what servers have said: it runs nothing, wherever it is opened. Its own policy lets in its one style.
      response.setHeader(
        "Content-Security-Policy",
        "sandbox allow-popups allow-popups-to-escape-sandbox; frame-ancestors 'self'",
      );
      response.setHeader("Content-Type", "text/html; charset=utf-8");
      response.end(html);
    }),
  };
}

/** Tells of each check as it begins, with what was found up to there. */
function progressTo(tell: (line: AuditLine) => void): (event: AuditEvent) => void {
  let found = 0;
  return (event) => {
    if (event.type === "check-finished" && event.finding.verdict === "fail") found++;
    if (event.type !== "check-started") return;
    const { id, index: done, total } = event;
    const title = checkList.find((check) => check.id === id)?.title ?? id;
    tell({ kind: "checking", title, done, total, found });
  };
}
