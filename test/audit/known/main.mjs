/**
 * Audits packages with known weaknesses, at an affected and at a repaired version, and each of them with the gate in front. Writes what
 * came of it to docs/audit-known.md.
 *
 *     npm run audit:known
 */
import { fork, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { audit } from "@firmshake/audit";
import { servers } from "./servers.mjs";

const folder = fileURLToPath(new URL(".", import.meta.url));
if (!existsSync(`${folder}node_modules`)) {
  spawnSync("npm", ["ci", "--prefix", folder, "--no-audit", "--no-fund"], { stdio: "inherit" });
}

const page = fileURLToPath(new URL("../../../docs/audit-known.md", import.meta.url));
const rows = [];
const gated = [];
let faults = 0;

for (const [name, { intrusive = false, expected, severities = {} }] of Object.entries(servers)) {
  const open = await auditOf(name, { intrusive });
  for (const [id, verdict] of Object.entries(expected)) {
    const finding = open.findings.find((one) => one.id === id);
    const isRight =
      finding.verdict === verdict && finding.severity === (severities[id] ?? finding.severity);
    note(isRight, `${name}: ${id} is ${finding.verdict} (${finding.severity})`);
    rows.push([name, id, finding.verdict, finding.severity, finding.reason]);
  }
  // The gate decides who may connect; how many fragments a message may have is the library's.
  const except = ["WS-FRAME-4"];
  const closed = await auditOf(name, { intrusive, except }, "--gate");
  const grave = closed.findings.filter(
    ({ verdict, severity }) => verdict === "fail" && !["info", "low"].includes(severity),
  );
  note(closed.baseline.isAccepted, `${name}, gate: ${closed.baseline.reason}`);
  note(grave.length === 0, `${name}, gate: ${grave.length} of medium or above`);
  for (const { id, severity, reason } of grave) console.log(`         ${id} ${severity} ${reason}`);
  gated.push([
    name,
    closed.baseline.isAccepted ? "yes" : "no",
    String(grave.length),
    Object.entries(closed.summary.byVerdict)
      .map(([verdict, count]) => `${count} ${verdict}`)
      .join(", "),
  ]);
}

writeFileSync(page, written());
process.exitCode = faults === 0 ? 0 : 1;

async function auditOf(name, options, ...flags) {
  const child = fork(`${folder}server-process.mjs`, [name, ...flags], { stdio: "ignore" });
  const [{ url, options: own }] = await once(child, "message");
  try {
    return await audit(url, {
      ...own,
      ...options,
      limits: { answerMs: 1_000, quietMs: 250 },
    });
  } finally {
    child.kill("SIGKILL");
  }
}

function note(isRight, text) {
  if (!isRight) faults++;
  console.log(`  ${isRight ? "ok    " : "FAILED"} ${text}`);
}

function written() {
  const table = (head, lines) =>
    [head, head.map(() => "---"), ...lines].map((line) => `| ${line.join(" | ")} |`).join("\n");
  return `# What the audit says of packages with known weaknesses

Written by \`npm run audit:known\`, which starts each package, audits it, and audits it again with the gate in front.

${table(["server", "check", "verdict", "severity", "why"], rows)}

## With the gate in front

The policy is \`{ [path]: guard(origin([…]), host(["127.0.0.1"]), rateLimit({ limit: 40, windowMs: 2_000 })) }\`. WS-FRAME-4 is left out: the gate decides
who may connect, and how many fragments a message may have is the library's.

${table(["server", "the legitimate client is let in", "findings of medium or above", "verdicts"], gated)}
`;
}
