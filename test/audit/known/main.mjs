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
import { isServed } from "./legitimate.mjs";
import { servers } from "./servers.mjs";

const folder = fileURLToPath(new URL(".", import.meta.url));
if (!existsSync(`${folder}node_modules`)) {
  spawnSync("npm", ["ci", "--prefix", folder, "--no-audit", "--no-fund"], { stdio: "inherit" });
}

const page = fileURLToPath(new URL("../../../docs/audit-known.md", import.meta.url));
const rows = [];
const gated = [];
let faults = 0;

for (const [name, known] of Object.entries(servers)) {
  const { intrusive = false, client, expected, severities = {} } = known;
  const open = await auditOf(name, { intrusive });
  for (const [id, verdict] of Object.entries(expected)) {
    const finding = open.findings.find((one) => one.id === id);
    const isRight =
      finding.verdict === verdict && finding.severity === (severities[id] ?? finding.severity);
    note(isRight, `${name}: ${id} is ${finding.verdict} (${finding.severity})`);
    rows.push([name, id, finding.verdict, finding.severity, finding.reason]);
  }
  const closed = await auditOf(name, { intrusive: true }, "--gate");
  const served = await withServer(name, ["--gate"], ({ url, options }) =>
    isServed(url, options, client),
  );
  const grave = closed.findings.filter(
    ({ verdict, severity }) => verdict === "fail" && !["info", "low"].includes(severity),
  );
  note(closed.baseline.isAccepted, `${name}, gate: ${closed.baseline.reason}`);
  note(closed.summary.endedBy.length === 0, `${name}, gate: the process lives on`);
  note(served, `${name}, gate: its own client is served`);
  note(grave.length === 0, `${name}, gate: ${grave.length} of medium or above`);
  for (const { id, severity, reason } of grave) console.log(`         ${id} ${severity} ${reason}`);
  gated.push([
    name,
    closed.baseline.isAccepted && served ? "yes" : "no",
    String(grave.length),
    Object.entries(closed.summary.byVerdict)
      .map(([verdict, count]) => `${count} ${verdict}`)
      .join(", "),
  ]);
}

writeFileSync(page, written());
process.exitCode = faults === 0 ? 0 : 1;

function auditOf(name, options, ...flags) {
  return withServer(name, flags, ({ url, options: own }) =>
    audit(url, { ...own, ...options, limits: { answerMs: 3_000, quietMs: 250 } }),
  );
}

async function withServer(name, flags, use) {
  const child = fork(`${folder}server-process.mjs`, [name, ...flags], { stdio: "ignore" });
  try {
    const [started] = await once(child, "message");
    return await use(started);
  } finally {
    child.kill();
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

The policy is \`{ [path]: guard(origin([…]), host(["127.0.0.1"]), rateLimit({ limit: 40, windowMs: 2_000 }), maxConnections({ perAddress: 20 })) }\`, and
the audit is not spared what may end a weak server.

${table(["server", "its own client is served", "findings of medium or above", "verdicts"], gated)}
`;
}
