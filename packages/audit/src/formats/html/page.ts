import { createHash } from "node:crypto";
import { html, type SafeHtml } from "@remix-run/html-template";
import type { Assessment, JudgedTarget, Outcome } from "../assessment.ts";
import { findingsOf } from "../assessment.ts";
import { circumstancesOf, originInWords, runInWords, talliesOf, verdictOf } from "../in-words.ts";
import { findingCard, findingRow } from "./finding.ts";
import { style } from "./style.ts";

/**
 * The run as one file without scripts and without anything to fetch. Whatever it shows may have been written by the server that was
 * tested: the template escapes it, and the file's own policy lets nothing but its own style have an effect.
 */
export function htmlOf(assessment: Assessment): string {
  const { targets, notices, version, outcome } = assessment;
  const hash = createHash("sha256").update(style).digest("base64");
  const policy = `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'`;
  const [only] = targets;
  const isOne = targets.length === 1 && only !== undefined;
  return `${html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="color-scheme" content="light dark">
<title>${outcomeWords[outcome]}: ${isOne ? only.target : runInWords(assessment)} — Firmshake audit</title>
<style>${html.raw`${style}`}</style>
</head>
<body>
<main>
<header class="page">
<p class="brand">Firmshake audit</p>
<h1>${isOne ? verdictOf(only) : runInWords(assessment)}</h1>
</header>
${targets.length > 1 ? contents(targets) : ""}
${targets.map((target, index) => section(target, index, isOne))}
${
  notices.length === 0
    ? ""
    : html`<section class="notices" aria-label="Notices"><h2>To tidy up</h2><ul>${notices.map((notice) => html`<li>${notice}</li>`)}</ul></section>`
}
<footer>Written by Firmshake ${version}. A check that passed means that the weakness was looked for and not found.</footer>
</main>
</body>
</html>
`}`;
}

const outcomeWords: Readonly<Record<Outcome, string>> = {
  weak: "Weak",
  clean: "Clean",
  inconclusive: "Not concluded",
};

function contents(targets: readonly JudgedTarget[]): SafeHtml {
  const items = targets.map(
    (target, index) =>
      html`<li><a href="#target-${index}">${target.target}</a> <span class="chip ${target.outcome}">${outcomeWords[target.outcome]}</span></li>`,
  );
  return html`<nav aria-label="Targets"><ul>${items}</ul></nav>`;
}

function section(target: JudgedTarget, index: number, isOnly: boolean): SafeHtml {
  const { report, problems, origins, findings, outcome } = target;
  const loud = [...findingsOf(target, "weak"), ...findingsOf(target, "unproven")];
  const silent = findingsOf(target, "minor", "accepted");
  return html`<section class="target" id="target-${index}" aria-labelledby="name-${index}">
<div class="verdict ${outcome}">
<p class="outcome">${outcomeWords[outcome]}</p>
<h2 id="name-${index}">${target.target}</h2>
${isOnly ? "" : html`<p class="sentence">${verdictOf(target)}</p>`}
${problems.map((problem) => html`<p class="problem">${problem}</p>`)}
<p class="tallies">${talliesOf(target)}</p>
${
  report === undefined
    ? ""
    : html`<p class="circumstances">${circumstancesOf(report)}; <time datetime="${report.startedAt}">${dateOf(report.startedAt)}</time></p>`
}
</div>
${
  origins.length === 0
    ? ""
    : html`<h3>Expected origins</h3><ul class="origins">${origins.map(
        (judged) =>
          html`<li class="${judged.isMet === undefined ? "open" : judged.isMet ? "met" : "unmet"}">${originInWords(judged)}</li>`,
      )}</ul>`
}
${loud.length === 0 ? "" : html`<h3>What to mend</h3>${loud.map((judged) => findingCard(judged, index))}`}
${silent.length === 0 ? "" : html`<h3>Accepted, or less bad than asked for</h3>${silent.map((judged) => findingCard(judged, index))}`}
${
  findings.length === 0
    ? ""
    : html`<h3>All checks</h3><p class="hint">Each line names the weakness that was looked for.</p><div class="rows">${findings.map((judged) => findingRow(judged, index))}</div>`
}
</section>`;
}

/** As it was written, without the fraction of a second. */
const dateOf = (iso: string): string => iso.replace("T", " ").replace(/\.\d+Z$/, " UTC");
