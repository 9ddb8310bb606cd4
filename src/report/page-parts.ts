/** The parts of a report that are text: tiles, samples, notices, tables. */
import { byteSize, duration, decimals as fixed, grouped, rate } from "../core/units.ts";
import { type Difference, flatten, type RunFacts } from "./facts.ts";
import type { RunHistory } from "./history.ts";
import { type Html, html } from "./html.ts";

const NONE = "\u2013";

/** A number with so many decimals, or a dash. */
export function decimals(value: number | undefined, digits: number): string {
  if (value === undefined) return NONE;
  return Number.isFinite(value) ? fixed(value, digits) : "not finite";
}

function whole(value: number | undefined): string {
  return value === undefined ? NONE : grouped(value);
}

function pace(value: number | undefined): string {
  return value === undefined ? NONE : rate(value);
}

/** A share of a kind: "53 %". */
function percent(part: number, all: number): string {
  return `${Math.floor((100 * part) / Math.max(1, all))} %`;
}

export function tiles(facts: RunFacts): Html {
  const { step, max_steps, epoch, remaining } = facts;
  const tile = (label: string, value: string, note: string): Html =>
    html`<div class="tile"><dt>${label}</dt><dd>${value}</dd><dd class="note">${note}</dd></div>`;
  return html`<dl class="tiles">
${tile(
  "Steps",
  whole(step),
  max_steps === undefined ? "" : `of ${grouped(max_steps)}, ${percent(step, max_steps)}; epoch ${decimals(epoch, 2)}`,
)}
${tile("Training loss", decimals(facts.loss, 4), `nats a token; lowest ${decimals(facts.lowest_loss, 4)}`)}
${tile(
  "Evaluation loss",
  decimals(facts.best_eval_loss, 4),
  facts.best_step === undefined
    ? "no evaluation yet"
    : `best, at step ${grouped(facts.best_step)}; last ${decimals(facts.eval_loss, 4)}`,
)}
${tile("Perplexity", decimals(facts.best_eval_perplexity, 2), "of the best evaluation")}
${tile("Time", duration(facts.runtime), remaining === undefined ? "" : `about ${duration(remaining)} left`)}
${tile("Tokens", whole(facts.num_input_tokens_seen), `${pace(facts.tokens_per_second)} a second, median`)}
${tile("Steps left out", whole(facts.skipped_steps), "something was not finite")}
${tile(
  "Device memory",
  facts.device_bytes === undefined ? NONE : byteSize(facts.device_bytes),
  facts.parameters === undefined ? "" : `${grouped(facts.parameters)} parameters`,
)}
</dl>`;
}

/** Samples of so many steps are shown, spread evenly. */
const MOST_SAMPLED_STEPS = 60;

export function samplesPart({ samples }: RunHistory): Html {
  if (samples.length === 0) return html``;
  const shown = spread(samples, MOST_SAMPLED_STEPS).reverse();
  const left = samples.length - shown.length;
  const steps = shown.map(
    ({ step, samples: texts }, index) => html`<details ${index === 0 ? html`open` : ""}>
<summary>Step ${grouped(step)}</summary>
<ol class="samples">${texts.map(
      ({ prompt, text, ended }) =>
        html`<li><span class="sample"><b>${prompt}</b>${text}</span> <small>${ended ? "ended by itself" : "cut off"}</small></li>`,
    )}</ol></details>
`,
  );
  return html`<section><h2>Samples</h2>
<p class="hint">What the model writes after the same prompts (bold), newest first${left > 0 && `; ${grouped(left)} steps are left out, the shown ones are spread evenly`}.</p>
<div class="scroll">${steps}</div></section>`;
}

/** Newest first. */
export function noticesPart({ notices }: RunHistory): Html {
  if (notices.length === 0) return html``;
  const rows = notices.toReversed().map(
    ({ step, seconds, notice, message }) =>
      html`<tr><td class="number">${grouped(step)}<td class="number">${duration(seconds)}<td class="name"><span class="mark ${notice}"></span>${notice}<td>${message}</tr>
`,
  );
  return html`<section><h2>Notices</h2>
<p class="hint">Newest first; all but those about checkpoints are marked on the curves.</p>
<div class="scroll"><table><thead><tr><th>Step<th>Time<th>What<th>Message</tr></thead><tbody>
${rows}</tbody></table></div></section>`;
}

/** All that was known before the first step. */
export function descriptionPart({ description, starts }: RunHistory): Html {
  if (!description) return html`<section><p class="hint">run.json is missing or damaged.</p></section>`;
  const { settings, config, data, adapter, version, startedAt, deviceBytes, parameters, trainableParameters } =
    description;
  const machine = {
    adapter,
    deviceMemory: byteSize(deviceBytes),
    parameters: grouped(parameters),
    trainableParameters: grouped(trainableParameters),
    started: starts[0]?.time ?? startedAt,
    version,
  };
  return html`<section class="facts">
${pairs("Data", data, plain)}${pairs("Run", machine, plain)}${pairs("Model", config, asGiven)}${pairs("Settings", settings, asGiven)}
</section>`;
}

type Pair = readonly [name: string, value: string];

function pairs(title: string, values: Readonly<Record<string, unknown>>, show: (pair: Pair) => Pair): Html {
  const rows = [...flatten(values)].map(show);
  return html`<div><h2>${title}</h2><dl class="pairs">${rows.map(
    ([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`,
  )}</dl></div>
`;
}

/** Settings keep their names and values, since they may be typed again. */
function asGiven(pair: Pair): Pair {
  return pair;
}

/** "deviceMemory" as "device memory", 1234 as "1,234". */
function plain([name, value]: Pair): Pair {
  const words = name.replace(/([a-z])([A-Z])/g, (_, low, high) => `${low} ${high.toLowerCase()}`).replaceAll("_", " ");
  return [words, /^\d{4,15}$/.test(value) ? grouped(Number(value)) : value];
}

/** One row a run. */
export function comparisonPart(facts: readonly RunFacts[], differences: readonly Difference[]): Html {
  const columns = ["Run", "Status", "Steps", "Loss", "Evaluation", "Best", "Perplexity", "Tokens", "Tokens/s", "Time"];
  return html`<section><h2>Runs</h2><div class="scroll"><table><thead><tr>${columns.map((name) => html`<th>${name}`)}<th>Left out</tr></thead><tbody>
${facts.map(
  (
    run,
    index,
  ) => html`<tr><td class="name"><span class="line run-${index % 8}"></span>${run.name}<td>${run.status}<td class="number">${whole(run.step)}<td class="number">${decimals(run.loss, 4)}<td class="number">${decimals(run.eval_loss, 4)}<td class="number">${decimals(run.best_eval_loss, 4)}<td class="number">${decimals(run.best_eval_perplexity, 2)}<td class="number">${whole(run.num_input_tokens_seen)}<td class="number">${pace(run.tokens_per_second)}<td class="number">${duration(run.runtime)}<td class="number">${whole(run.skipped_steps)}</tr>
`,
)}</tbody></table></div></section>
<section><h2>Settings that differ</h2>${
    differences.length === 0
      ? html`<p class="hint">None: they were started alike.</p>`
      : html`<div class="scroll"><table><thead><tr><th>Setting${facts.map(({ name }) => html`<th>${name}`)}</tr></thead><tbody>
${differences.map(
  ({ setting, values }) =>
    html`<tr><th scope="row">${setting}${values.map((value) => html`<td>${value ?? NONE}`)}</tr>
`,
)}</tbody></table></div>`
  }</section>`;
}

/** At most `most` of a list, evenly, with the first and the last. */
function spread<T>(all: readonly T[], most: number): T[] {
  if (all.length <= most) return [...all];
  return Array.from({ length: most }, (_, index) => all[Math.round((index * (all.length - 1)) / (most - 1))]!);
}
