import { html, type SafeHtml } from "@remix-run/html-template";
import type { Evidence, Remedy, RemedyExample } from "../../report.ts";
import type { JudgedFinding, Standing } from "../assessment.ts";
import { count, exampleTitle, exchangeOf, referencesOf } from "../in-words.ts";

/** A finding in full: what is weak, how it is known, how to mend it. */
export function findingCard({ finding, standing, note }: JudgedFinding, target: number): SafeHtml {
  const { id, title, severity, reason, evidence, remedy } = finding;
  return html`<article class="card ${standing} ${severity}" aria-labelledby="finding-${target}-${id}">
<p class="labels"><span class="chip ${severity}">${severity}</span> <code>${id}</code>${standing === "weak" ? "" : html` <span class="chip quiet">${standingWords[standing]}</span>`}</p>
<h4 id="finding-${target}-${id}">${title}</h4>
<p>${reason}</p>
${note === undefined ? "" : html`<p class="note">${note}</p>`}
${evidenceFold(evidence, standing === "weak")}
${remedyPart(remedy)}
<p class="references">${referencesOf(finding).map(reference)}</p>
</article>`;
}

/** A finding in a line that unfolds. */
export function findingRow({ finding, standing, note }: JudgedFinding, target: number): SafeHtml {
  const { id, title, reason, evidence, severity } = finding;
  return html`<details class="row ${standing}">
<summary><code>${id}</code> <span class="title">${title}</span> <span class="chip ${standing === "weak" ? severity : "quiet"}">${standingWords[standing]}</span></summary>
<div class="inside">
<p>${reason}</p>
${note === undefined ? "" : html`<p class="note">${note}</p>`}
${
  standing === "weak" || standing === "minor" || standing === "accepted" || standing === "unproven"
    ? html`<p><a href="#finding-${target}-${id}">All of it, and how to mend it</a></p>`
    : evidence.map(exchange)
}
</div>
</details>`;
}

const standingWords: Readonly<Record<Standing, string>> = {
  weak: "weak",
  minor: "weak, does not count",
  accepted: "accepted",
  unproven: "unproven",
  passed: "passed",
  inconclusive: "inconclusive",
  skipped: "skipped",
};

/** The first of what counts is seen at once; the rest unfolds. */
function evidenceFold(evidence: readonly Evidence[], isOpen: boolean): SafeHtml {
  if (evidence.length === 0) return html``;
  const attribute = isOpen && evidence.length === 1 ? html`open` : html``;
  return html`<details class="evidence" ${attribute}>
<summary>How it is known: ${count(evidence.length, "probe", "probes")}</summary>
${evidence.map(exchange)}
</details>`;
}

function exchange(evidence: Evidence): SafeHtml {
  const lines = exchangeOf(evidence);
  return html`<div class="probe">
<p><strong>${evidence.probe}</strong> <span aria-hidden="true">→</span> ${evidence.observation}</p>
${lines.length === 0 ? "" : html`<pre>${lines.map((line) => html`<span class="${line.startsWith(">") ? "sent" : "got"}">${line}</span>\n`)}</pre>`}
</div>`;
}

function remedyPart({ text, examples }: Remedy): SafeHtml {
  return html`<div class="remedy">
<h5>How to mend it</h5>
<p>${text}</p>
${examples.map(example)}
</div>`;
}

function example(one: RemedyExample): SafeHtml {
  return html`<details class="example">
<summary>${exampleTitle(one)}</summary>
<pre>${one.code}</pre>
</details>`;
}

/** Linked where the identifier is what it looks like, and as it stands where it is not. */
function reference(text: string): SafeHtml {
  const url = urlOf(text);
  return url === undefined
    ? html`<span>${text}</span> `
    : html`<a href="${url}" target="_blank" rel="noreferrer">${text}</a> `;
}

function urlOf(text: string): string | undefined {
  const cwe = /^CWE-(\d+)$/.exec(text)?.[1];
  if (cwe !== undefined) return `https://cwe.mitre.org/data/definitions/${cwe}.html`;
  if (/^CVE-\d{4}-\d+$/.test(text)) return `https://www.cve.org/CVERecord?id=${text}`;
  if (/^GHSA(?:-[0-9a-z]{4}){3}$/.test(text)) return `https://github.com/advisories/${text}`;
  return undefined;
}
