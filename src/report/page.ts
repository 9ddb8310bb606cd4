/** The report of a run, or of several, as one page that needs no other file and no network. */
import { largest } from "../core/extremes.ts";
import { curvesOf } from "./curves.ts";
import { differencesOf, factsOf } from "./facts.ts";
import type { RunHistory } from "./history.ts";
import { type Html, html, jsonBlock, trusted } from "./html.ts";
import { PAGE } from "./page.gen.ts";
import { comparisonPart, descriptionPart, noticesPart, samplesPart, tiles } from "./page-parts.ts";

const CHARTS: readonly (readonly [key: string, title: string])[] = [
  ["loss", "Loss, nats a token"],
  ["learning_rate", "Learning rate"],
  ["grad_norm", "Gradient norm, L2, before clipping"],
  ["tokens_per_second", "Tokens a second"],
];

/** The page of one run, or of several over each other. `runs`: at least one. */
export function reportPage(runs: readonly RunHistory[]): string {
  const [first] = runs;
  if (!first) throw new RangeError("reportPage: wanted at least one run");
  const title = runs.map(({ name }) => name).join(", ");
  const facts = runs.map(factsOf);
  const curves = runs.map(curvesOf);
  const body = html`<header><h1>${title}</h1><p class="hint">${
    runs.length === 1 ? stateOf(first) : `${runs.length} runs`
  }</p></header>
<main>
${runs.length === 1 ? tiles(facts[0]!) : comparisonPart(facts, differencesOf(runs))}
${chartsPart(curves.map(({ entriesPerPoint }) => entriesPerPoint))}
${runs.length === 1 && [samplesPart(first), noticesPart(first), descriptionPart(first)]}
</main>
${jsonBlock("runs", curves)}`;
  return documentOf(title, body).html;
}

/** What the run was doing when the page was written; the page itself adds how long ago that was. */
function stateOf(run: RunHistory): Html {
  const { status } = factsOf(run);
  const when =
    run.time && html` <time datetime="${run.time}">${run.time.replace("T", " ").replace(/\..*/, " UTC")}</time>`;
  return html`<span class="badge ${status}" data-status="${status}">${status}</span>${when}
<label class="reload" hidden><input type="checkbox" id="reload"> load again every 30 s</label>`;
}

function chartsPart(entriesPerPoint: readonly number[]): Html {
  const most = largest(entriesPerPoint);
  return html`<section><h2>Curves</h2>
<form class="controls"><fieldset><legend>against</legend>
<label><input type="radio" name="x" value="step" checked> steps</label>
<label><input type="radio" name="x" value="tokens"> tokens</label>
<label><input type="radio" name="x" value="seconds"> time</label></fieldset>
<label><input type="checkbox" id="log"> logarithmic loss</label></form>
<noscript><p>The curves need JavaScript; the numbers do not.</p></noscript>
<div class="charts">${CHARTS.map(
    ([
      key,
      title,
    ]) => html`<figure data-chart="${key}"><figcaption>${title}${key === "loss" && html`<span class="message"></span>`}</figcaption></figure>
`,
  )}</div>
<p class="hint">Drag to zoom, double-click to see all.${
    most > 1 && ` A point stands for up to ${most} log entries: their mean, but the highest gradient norm.`
  }</p></section>`;
}

/** Nothing but the build's own script and style may run or load, even if something had slipped through the escaping. */
function documentOf(title: string, body: Html): Html {
  const policy = `default-src 'none'; script-src '${PAGE.scriptHash}'; style-src '${PAGE.styleHash}'; base-uri 'none'; form-action 'none'`;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>${trusted(PAGE.style)}</style>
</head>
<body>
${body}
<footer class="hint">Written by webgpu-gpt2. ${trusted(PAGE.notice)}</footer>
<script>${trusted(PAGE.script)}</script>
</body>
</html>
`;
}
