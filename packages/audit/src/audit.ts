import type { AuditOptions } from "./options.ts";
import type { AuditReport } from "./report.ts";

/** Tests an endpoint. */
export function audit(_target: string, _options: AuditOptions = {}): Promise<AuditReport> {
  return Promise.reject(new Error("Not written yet."));
}
