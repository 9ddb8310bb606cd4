import { html, nothing, type TemplateResult } from "lit-html";
import { live } from "lit-html/directives/live.js";
import type { App, SampleForm } from "../app.ts";
import { samplesView } from "./samples.ts";
import { tokensView } from "./tokens.ts";
import { typed } from "./typed.ts";

type NumberField = Exclude<keyof SampleForm, "prompt">;

const FIELDS: readonly (readonly [name: NumberField, min: number, max: number, step: number])[] = [
  ["temperature", 0, 10, 0.1],
  ["topK", 0, 100_000, 1],
  ["topP", 0.01, 1, 0.01],
  ["minP", 0, 1, 0.01],
  ["repetitionPenalty", 0.1, 10, 0.05],
  ["count", 1, 100, 1],
  ["seed", 0, 4_294_967_295, 1],
  ["maxNewTokens", 1, 4096, 1],
];

export function sampleView(app: App): TemplateResult | typeof nothing {
  const { texts: t, shown, runs, sampling, form, coming, results } = app.state;
  if (!shown) return nothing;
  const ready = runs.find(({ id }) => id === shown.id)?.model === true;
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
          <input
            type="text"
            id="prompt"
            placeholder=${t.promptHint}
            autocomplete="off"
            spellcheck="false"
            .value=${live(form.prompt)}
            @input=${({ target }: Event) => app.setForm({ prompt: (target as HTMLInputElement).value })}
          />
        </label>
        <div class="fields">
          ${FIELDS.map(
            ([name, min, max, step]) => html`<label class="field">
              <span>${labels[name]}</span>
              <input
                type="number"
                id=${`sample-${name}`}
                min=${min}
                max=${max}
                step=${step}
                .value=${typed(String(form[name]))}
                @change=${changed(app, name, min, max, step)}
              />
            </label>`,
          )}
        </div>
        <p class="row">
          <button type="submit" id="generate" ?disabled=${!ready || sampling}>${t.generate}</button>
          <button type="button" id="twenty" ?disabled=${!ready || sampling} @click=${() => app.sample(20)}>
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

function submitted(app: App) {
  return (event: Event): void => {
    event.preventDefault();
    void app.sample();
  };
}

/** What can be is taken: the nearest number of such a kind, and for what is no number the one that was there. */
function changed(app: App, name: NumberField, min: number, max: number, step: number) {
  return ({ target }: Event): void => {
    const field = target as HTMLInputElement;
    const typed = field.value === "" ? app.state.form[name] : Number(field.value);
    const wanted = step === 1 ? Math.round(typed) : typed;
    const value = Math.min(max, Math.max(min, wanted));
    field.value = String(value);
    app.setForm({ [name]: value });
  };
}
