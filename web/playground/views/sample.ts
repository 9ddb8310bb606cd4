import { html, nothing, type TemplateResult } from "lit-html";
import { live } from "lit-html/directives/live.js";
import type { App } from "../app.ts";
import { readNumber, writeNumber } from "../numbers.ts";
import type { NumberField } from "../store.ts";
import { directionOf } from "./direction.ts";
import { helpMark, helpOf } from "./help.ts";
import { samplesView } from "./samples.ts";
import { tokensView } from "./tokens.ts";
import { typed } from "./typed.ts";

/** `step`: of the arrow keys. */
const FIELDS: Readonly<Record<NumberField, { readonly min: number; readonly max: number; readonly step: number }>> = {
  temperature: { min: 0, max: 10, step: 0.1 },
  topK: { min: 0, max: 100_000, step: 1 },
  topP: { min: 0.01, max: 1, step: 0.01 },
  minP: { min: 0, max: 1, step: 0.01 },
  repetitionPenalty: { min: 0.1, max: 10, step: 0.05 },
  count: { min: 1, max: 100, step: 1 },
  seed: { min: 0, max: 4_294_967_295, step: 1 },
  maxNewTokens: { min: 1, max: 4096, step: 1 },
};
const NAMES = Object.keys(FIELDS) as NumberField[];

export function sampleView(app: App): TemplateResult | typeof nothing {
  const { texts: t, shown, runs, sampling, form, unread, coming, results } = app.state;
  if (!shown) return nothing;
  const ready = runs.find(({ id }) => id === shown.id)?.model === true;
  const wrong = NAMES.filter((name) => unread[name] !== undefined);
  const able = ready && !sampling && wrong.length === 0;
  const labels: Readonly<Record<NumberField, string>> = {
    temperature: t.temperature,
    topK: t.topK,
    topP: t.topP,
    minP: t.minP,
    repetitionPenalty: t.repetitionPenalty,
    count: t.count,
    seed: t.seed,
    maxNewTokens: t.length,
  };
  return html`
    <section aria-labelledby="sample-title">
      <h2 id="sample-title">${t.sampleTitle}</h2>
      ${ready ? nothing : html`<p class="hint">${t.sampleNothing}</p>`}
      <form novalidate @submit=${submitted(app)}>
        <label class="field wide">
          <span>${t.prompt}</span>
          <textarea
            id="prompt"
            aria-describedby="prompt-read"
            rows=${Math.min(MOST_ROWS, form.prompt.split("\n").length)}
            dir=${directionOf(form.prompt)}
            placeholder=${t.promptHint}
            autocomplete="off"
            spellcheck="false"
            enterkeyhint="go"
            .value=${live(form.prompt)}
            @input=${({ target }: Event) => app.setForm({ prompt: (target as HTMLTextAreaElement).value })}
            @keydown=${submittedByEnter}
          ></textarea>
        </label>
        ${promptView(app)}
        <div class="fields">
          ${NAMES.map((name) => {
            const id = `sample-${name}`;
            const { min, max } = FIELDS[name];
            return html`<div class="field">
              <span class="name"
                ><label for=${id}>${labels[name]}</label> ${helpMark(id, t.sampleHelp[name](t.figure(String(min)), t.figure(String(max))))}</span
              >
              <input
                type="text"
                id=${id}
                inputmode=${isWhole(name) ? "numeric" : "decimal"}
                autocomplete="off"
                aria-describedby=${helpOf(id)}
                aria-invalid=${unread[name] === undefined ? nothing : "true"}
                .value=${typed(unread[name] ?? writeNumber(form[name], t.decimalMark))}
                @change=${changed(app, name)}
                @keydown=${stepped(app, name)}
              />
            </div>`;
          })}
        </div>
        <div aria-live="polite">
          ${wrong.map((name) => html`<p class="problem">${t.noNumber(labels[name], unread[name]!)}</p>`)}
        </div>
        <p class="row">
          <button type="submit" id="generate" ?disabled=${!able}>${t.generate}</button>
          <button type="button" id="twenty" ?disabled=${!able} @click=${() => app.sample(20)}>
            ${t.twenty}
          </button>
          ${sampling ? html`<button type="button" @click=${app.hush}>${t.hush}</button>` : nothing}
        </p>
      </form>
      <p class="unseen" role="status">${sampling ? t.sampling : results ? t.sampled(results.length) : ""}</p>
      ${
        sampling
          ? html`<h3>${t.sampling}</h3>
              <ul class="samples" id="coming" aria-busy="true">
                ${(coming ?? []).map((tokens) => html`<li>${tokensView(form.prompt, tokens, t)}</li>`)}
              </ul>`
          : results
            ? html`<h3>${t.results}</h3>
                <p class="hint">${t.rivalsHint}</p>
                <div id="results">${samplesView(results, t)}</div>`
            : nothing
      }
    </section>
  `;
}

/** What is read out is the same for every prompt that is too long, so that who goes on typing hears it once. */
function promptView({ state: { texts: t, promptRead, shown } }: App): TemplateResult {
  const read = promptRead?.id === shown?.id ? promptRead : undefined;
  const cut = read !== undefined && read.seen < read.tokens;
  return html`<p class="hint" id="prompt-read">
    ${read ? t.promptTokens(read.tokens) : nothing} ${read && !cut ? t.promptRoom(read.context) : nothing}
    <span id="prompt-cut" aria-live="polite">${cut ? t.promptCut(read.seen, read.context) : nothing}</span>
  </p>`;
}

/** Of the prompt, before it scrolls. */
const MOST_ROWS = 6;

/** A prompt may have several lines, which are pasted, or made by Shift and Enter. */
function submittedByEnter(event: KeyboardEvent): void {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  (event.target as HTMLTextAreaElement).form!.requestSubmit();
}

function submitted(app: App) {
  return (event: Event): void => {
    event.preventDefault();
    void app.sample();
  };
}

const isWhole = (name: NumberField): boolean => FIELDS[name].step === 1;

/** What can be is taken: the nearest number of such a kind, and for nothing the one that was there. What is no number stays, to be mended. */
function changed(app: App, name: NumberField) {
  return ({ target }: Event): void => {
    const field = target as HTMLInputElement;
    const mark = app.state.texts.decimalMark;
    const number =
      field.value.trim() === "" ? app.state.form[name] : readNumber(field.value, { mark, whole: isWhole(name) });
    if (number === undefined) app.setUnread(name, field.value.trim());
    else take(app, name, field, number);
  };
}

function take(app: App, name: NumberField, field: HTMLInputElement, number: number): void {
  const { min, max } = FIELDS[name];
  const value = Math.min(max, Math.max(min, isWhole(name) ? Math.round(number) : number));
  field.value = writeNumber(value, app.state.texts.decimalMark);
  app.setForm({ [name]: value });
}

/** The arrow keys make a number larger or smaller. */
function stepped(app: App, name: NumberField) {
  return (event: KeyboardEvent): void => {
    const by = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    const field = event.target as HTMLInputElement;
    const number = readNumber(field.value, { mark: app.state.texts.decimalMark, whole: isWhole(name) });
    if (by === undefined || number === undefined) return;
    event.preventDefault();
    const { step } = FIELDS[name];
    // Without what binary fractions leave over.
    take(app, name, field, Number((number + by * step).toFixed(6)));
  };
}
