/** Of the whole file: two schemes, two widths, and paper. */
export const style: string = `
:root {
  --paper: #fbfaf8; --sheet: #ffffff; --ink: #1d1f23; --faded: #5b606b; --line: #e3e0da; --well: #f4f2ee; --link: #1f4fa8;
  --critical: #8f1239; --high: #b42318; --medium: #8a5300; --low: #4c5a75; --info: #4d5b66; --good: #12663f; --open: #6b4d9e;
  --critical-wash: #fbe9ee; --high-wash: #fdecea; --medium-wash: #fdf2dd; --low-wash: #ecf0f7; --info-wash: #eef1f3; --good-wash: #e6f4ec; --open-wash: #f1ecf9;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #15171a; --sheet: #1c1f23; --ink: #e7e6e3; --faded: #a3a8b1; --line: #31353b; --well: #16181b; --link: #8fb6ff;
    --critical: #ff9db5; --high: #ffa198; --medium: #f0bd63; --low: #b3c1dc; --info: #b4c0ca; --good: #7fd3a6; --open: #c9b2f3;
    --critical-wash: #3b1823; --high-wash: #3a1b18; --medium-wash: #33270f; --low-wash: #232a37; --info-wash: #252b30; --good-wash: #15301f; --open-wash: #2b2339;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
main { max-width: 54rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { font-size: clamp(1.5rem, 4.5vw, 2.1rem); line-height: 1.2; margin: .15rem 0 1.5rem; letter-spacing: -.015em; text-wrap: balance; }
h2 { font-size: 1.1rem; margin: 0; overflow-wrap: anywhere; font-weight: 600; }
h3 { font-size: .8rem; text-transform: uppercase; letter-spacing: .08em; color: var(--faded); margin: 2.5rem 0 .75rem; font-weight: 600; }
h4 { font-size: 1.15rem; line-height: 1.3; margin: .5rem 0 .35rem; text-wrap: balance; }
h5 { font-size: .8rem; margin: 0; color: var(--faded); font-weight: 600; }
p { margin: .4rem 0; overflow-wrap: anywhere; }
a { color: var(--link); text-underline-offset: .2em; }
code, pre { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; font-size: .85em; }
pre { margin: .5rem 0; padding: .75rem .9rem; background: var(--well); border: 1px solid var(--line); border-radius: .5rem; line-height: 1.5; white-space: pre-wrap; overflow-wrap: anywhere; tab-size: 2; }
pre .sent { color: var(--faded); }
summary { cursor: pointer; }
summary:focus-visible, a:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; border-radius: .2rem; }
.brand { margin: 0; color: var(--faded); font-size: .9rem; letter-spacing: .02em; }
nav ul, .origins, .notices ul { list-style: none; padding: 0; margin: 0 0 1.5rem; display: grid; gap: .4rem; }
.target + .target { margin-top: 4rem; }
.verdict { padding: 1.1rem 1.25rem; border-radius: .75rem; border: 1px solid var(--line); border-left-width: .4rem; background: var(--sheet); }
.verdict.weak { border-left-color: var(--high); }
.verdict.clean { border-left-color: var(--good); }
.verdict.inconclusive { border-left-color: var(--open); }
.outcome { margin: 0 0 .1rem; font-weight: 600; }
.weak > .outcome { color: var(--high); }
.clean > .outcome { color: var(--good); }
.inconclusive > .outcome { color: var(--open); }
.sentence, .problem { font-weight: 600; }
.tallies, .circumstances { color: var(--faded); margin: .2rem 0 0; font-size: .925rem; }
.chip { display: inline-block; padding: .05rem .6rem; border-radius: 1rem; font-size: .8rem; font-weight: 600; line-height: 1.6; white-space: nowrap; }
.chip.critical { color: var(--critical); background: var(--critical-wash); }
.chip.high, .chip.weak { color: var(--high); background: var(--high-wash); }
.chip.medium { color: var(--medium); background: var(--medium-wash); }
.chip.low { color: var(--low); background: var(--low-wash); }
.chip.info, .chip.quiet { color: var(--info); background: var(--info-wash); }
.chip.clean, .passed .chip.quiet { color: var(--good); background: var(--good-wash); }
.chip.inconclusive, .unproven .chip.quiet, .inconclusive .chip.quiet { color: var(--open); background: var(--open-wash); }
.card { background: var(--sheet); border: 1px solid var(--line); border-radius: .75rem; padding: 1.1rem 1.25rem; margin: 0 0 1rem; scroll-margin-top: 1rem; }
.labels { margin: 0; color: var(--faded); display: flex; flex-wrap: wrap; gap: .6rem; align-items: center; }
.note { padding: .4rem .75rem; border-radius: .5rem; background: var(--open-wash); color: var(--open); }
.evidence, .remedy { margin-top: 1rem; }
.evidence > summary { font-size: .925rem; font-weight: 600; }
.probe { margin: .75rem 0; font-size: .95rem; }
.remedy { padding-top: .9rem; border-top: 1px solid var(--line); }
.example { margin: .3rem 0; font-size: .925rem; }
.references { margin-top: .9rem; font-size: .85rem; color: var(--faded); display: flex; flex-wrap: wrap; gap: .1rem .9rem; }
.rows { border: 1px solid var(--line); border-radius: .75rem; background: var(--sheet); overflow: hidden; }
.row + .row { border-top: 1px solid var(--line); }
.row > summary { display: grid; grid-template-columns: 9.5rem 1fr auto; gap: .25rem .75rem; align-items: baseline; padding: .55rem 1rem; list-style: none; }
.row > summary::-webkit-details-marker { display: none; }
.row > summary:hover { background: var(--well); }
.row > summary code { color: var(--faded); }
.row > summary code::before { content: "▸ "; }
.row[open] > summary code::before { content: "▾ "; }
.hint { color: var(--faded); font-size: .925rem; margin: 0 0 .75rem; }
.row > summary:focus-visible { outline-offset: -2px; }
.inside { padding: 0 1rem .75rem; font-size: .95rem; color: var(--ink); }
.origins li { padding: .5rem .9rem; border: 1px solid var(--line); border-left-width: .3rem; border-radius: .5rem; background: var(--sheet); overflow-wrap: anywhere; }
.origins .met { border-left-color: var(--good); }
.origins .open { border-left-color: var(--open); }
.origins .unmet { border-left-color: var(--high); }
.notices { margin-top: 3rem; }
footer { margin-top: 3rem; padding-top: 1rem; border-top: 1px solid var(--line); color: var(--faded); font-size: .85rem; }
@media (max-width: 36rem) {
  main { padding: 1.5rem 1rem 3rem; }
  .card, .verdict { padding: 1rem; }
  .row > summary { grid-template-columns: 1fr auto; }
  .row > summary .title { grid-column: 1 / -1; grid-row: 2; }
}
@media print {
  :root {
    --paper: #fff; --sheet: #fff; --ink: #000; --faded: #444; --line: #bbb; --well: #fff; --link: #000;
    --critical: #8f1239; --high: #b42318; --medium: #7a4a00; --low: #3c4a65; --info: #444; --good: #12663f; --open: #5b3d8e;
  }
  body { font-size: 10pt; }
  main { max-width: none; padding: 0; }
  .chip { border: 1px solid currentColor; background: none !important; }
  summary { list-style: none; }
  .card > .labels, h3, h4, summary { break-after: avoid; }
  .probe, pre, .row { break-inside: avoid; }
  .card details::details-content { content-visibility: visible; block-size: auto; }
}
`;
