import { html, nothing, type TemplateResult } from "lit-html";
import { guard } from "lit-html/directives/guard.js";
import { ref } from "lit-html/directives/ref.js";
import type { App } from "../app.ts";
import { type Chart, CURVES, type Curve, type CurveName, createChart, FORMAT } from "../charts.ts";
import type { StoredRun } from "../protocol.ts";
import { remainingOf } from "../runs.ts";
import type { Shown } from "../store.ts";
import { messageView } from "./message.ts";
import { samplesView } from "./samples.ts";
import { differencesView, nameWithTime } from "./stored.ts";
import { setUpAgain, watched } from "./watched.ts";

const charts = new Map<CurveName, Chart>();
const redraw = (): void => {
  for (const chart of charts.values()) chart.redraw();
};
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);

export function runView(app: App): TemplateResult {
  const { texts: t, active, shown, outcome, runs, elsewhere, notices } = app.state;
  const stored = runs.find(({ id }) => id === shown?.id);
  const mine = active !== undefined && active.id === shown?.id;
  return html`
    <section aria-labelledby="run-title" id="run" tabindex="-1">
      <h2 id="run-title">${shown ? `${t.run}: ${shown.title}` : t.run}</h2>
      ${[...elsewhere.values()].map(
        ({ title, step, maxSteps }) => html`<p class="warning">${t.elsewhere(title, step, maxSteps)}</p>`,
      )}
      ${active ? activeView(app) : nothing}
      <p role="status" class=${active ? "unseen" : "outcome"}>${outcome ? t.outcome[outcome] : active ? spoken(app) : ""}</p>
      ${
        !active && stored?.status === "paused"
          ? html`
              <p>${t.interrupted(stored.title, stored.step, stored.maxSteps)}</p>
              <p class="row">
                <button type="button" class="primary" id="go-on" @click=${watched(() => app.resume(stored.id))}>${t.goOn}</button>
              </p>
            `
          : nothing
      }
      ${!active && stored?.status === "diverged" ? divergedView(app, stored) : nothing}
      ${
        stored?.status === "opened"
          ? html`<p class="hint">${t.openedModel}</p>`
          : shown
            ? html`${tilesView(app, shown, mine)} ${chartsView(app, shown)}`
            : active
              ? nothing
              : html`<p class="hint">${t.noRun}</p>`
      }
      ${differencesView(app)}
      ${noticesView(app, shown, mine ? notices : [])}
      ${
        shown?.samples
          ? html`<h3>${t.samples(shown.samples.step)}</h3>
              ${samplesView(shown.samples.samples, t)}`
          : mine
            ? html`<p class="hint">${t.noSamples}</p>`
            : nothing
      }
    </section>
  `;
}

/** It would diverge again: what helps is another run. */
function divergedView(app: App, run: StoredRun): TemplateResult {
  const { texts: t } = app.state;
  return html`
    <p class="warning" id="diverged">${t.diverged(run.title, run.notFinite!, run.step)}</p>
    <p class="row">
      <button type="button" id="anew" @click=${setUpAgain(app, run.id)}>${t.setUpAgain}</button>
      <button type="button" id="not-finite" @click=${() => app.downloadNotFinite(run)}>
        ${t.notFinite(run.notFinite!)}
      </button>
    </p>
  `;
}

function activeView(app: App): TemplateResult {
  const { texts: t, active } = app.state;
  const { step, maxSteps, phase, stopping, title } = active!;
  return html`
    <div class="progress">
      <progress max=${maxSteps || 1} value=${step} aria-label=${t.named(t.run, title)}></progress>
      <span>${stopping ? t.stopping : phase === "training" && maxSteps > 0 ? t.progress(step, maxSteps) : t.phases[phase]}</span>
    </div>
    <p class="row">
      <button type="button" id="pause" ?disabled=${stopping} @click=${() => app.stop(false)}>${t.pause}</button>
      <button type="button" id="keep" ?disabled=${stopping} @click=${() => app.stop(true)}>${t.keep}</button>
      <span class="hint">${t.pauseHint}</span>
    </p>
  `;
}

/** For those who listen: once each tenth of the run. */
function spoken({ state: { texts: t, active } }: App): string {
  const { phase, step, maxSteps } = active!;
  if (phase !== "training" || maxSteps === 0) return t.phases[phase];
  const tenth = Math.max(1, Math.floor(maxSteps / 10));
  return t.progress(Math.floor(step / tenth) * tenth, maxSteps);
}

function tilesView({ state: { texts: t, active } }: App, shown: Shown, mine: boolean): TemplateResult {
  const { log, evaluation } = shown.log;
  const of = (name: CurveName): string => (log ? t.figure(FORMAT[name](log[name])) : "\u2013");
  const values: Readonly<Record<keyof typeof t.tiles, string>> = {
    loss: mine && active?.loss !== undefined ? t.figure(FORMAT.loss(active.loss)) : of("loss"),
    eval_loss: evaluation ? t.figure(FORMAT.eval_loss(evaluation.eval_loss)) : "\u2013",
    learning_rate: of("learning_rate"),
    grad_norm: of("grad_norm"),
    tokens_per_second: of("tokens_per_second"),
    remaining: mine ? remainingOf(active!) : "\u2013",
  };
  return html`<dl class="tiles">
    ${(Object.keys(values) as (keyof typeof values)[]).map(
      (name) => html`<div class="tile"><dt>${t.tiles[name]}</dt><dd id=${`tile-${name}`}>${values[name]}</dd></div>`,
    )}
  </dl>`;
}

function chartsView(app: App, shown: Shown): TemplateResult {
  const { texts: t, compared } = app.state;
  const runs = [shown, ...compared.values()];
  return html`<div class="charts">
    ${CURVES.map((name) => {
      const last = shown.log.log;
      const said = last
        ? t.curveSays(t.curves[name], t.figure(FORMAT[name](last[name])), last.step)
        : t.curveEmpty(t.curves[name]);
      return html`<figure>
        <figcaption>${t.curves[name]}</figcaption>
        <div class="chart" role="img" aria-label=${said} data-chart=${name} ${ref(mount(name))}></div>
      </figure>`;
    })}
    ${guard([t, ...runs.map(({ log }) => log)], () => update(runs, app))}
  </div>`;
}

const mounts = new Map<CurveName, (element: Element | undefined) => void>();

/** The same function each time, so that a chart is made once. */
function mount(name: CurveName): (element: Element | undefined) => void {
  const known = mounts.get(name);
  if (known) return known;
  const made = (element: Element | undefined): void => {
    charts.get(name)?.remove();
    if (element) charts.set(name, createChart(element as HTMLElement, name));
    else charts.delete(name);
  };
  mounts.set(name, made);
  return made;
}

/** Draws after the page is there, since a chart is as wide as its place. */
function update(runs: readonly Shown[], { state: { texts, runs: stored } }: App): typeof nothing {
  // Several may be called the same.
  const nameOf = ({ id, title }: Shown): string => {
    const known = runs.length > 1 && stored.find((run) => run.id === id);
    return known ? nameWithTime(known, texts) : title;
  };
  const curves = runs.map((run): Curve => ({ name: nameOf(run), log: run.log }));
  queueMicrotask(() => {
    for (const chart of charts.values()) chart.update(curves, texts);
  });
  return nothing;
}

const MOST_NOTICES = 20;

function noticesView(
  { state: { texts: t } }: App,
  shown: Shown | undefined,
  warned: readonly string[],
): TemplateResult | typeof nothing {
  const all = [...new Set([...warned, ...(shown?.log.notices ?? [])])].slice(-MOST_NOTICES);
  if (all.length === 0) return nothing;
  return html`<details class="notices" open>
    <summary>${t.notices} (${all.length})</summary>
    <ul>
      ${all.map((message) => html`<li>${messageView(message, t)}</li>`)}
    </ul>
  </details>`;
}
