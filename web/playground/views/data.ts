import { html, nothing, type TemplateResult } from "lit-html";
import { byteSize, duration } from "../../../src/core/units.ts";
import type { App } from "../app.ts";
import type { Input } from "../protocol.ts";
import { AS_TEXT, type Remedy, remediesOf } from "../remedies.ts";
import { hasGrouped, waiting } from "../settings.ts";
import { titleOf } from "../store.ts";
import { directionOf } from "./direction.ts";
import { messageView } from "./message.ts";
import { watched } from "./watched.ts";

const ACCEPT = ".txt,.text,.md,.jsonl,.ndjson,.csv,.tsv,.tab,.parquet,text/plain";

/** What comes by itself is below the buttons: one that moves between press and release was not pressed. */
export function dataView(app: App): TemplateResult {
  const { texts: t, choice, base, inputs, refusal, looking, prospect, greeting, measured, setUpAs } = app.state;
  const busy = app.state.active !== undefined;
  const idle = waiting(choice, base !== undefined);
  return html`
    <section aria-labelledby="data-title">
      <h2 id="data-title">${t.data}</h2>
      <p class="row">
        <button type="button" ?disabled=${busy} @click=${app.useExample}>${t.example}</button>
        <span class="hint">${t.exampleHint}</span>
      </p>
      <p class="row">
        ${fileView(t.choose, html`<input type="file" multiple accept=${ACCEPT} ?disabled=${busy} @change=${chosen(app)} />`)}
        <span class="hint">${t.chooseHint}</span>
      </p>
      <form @submit=${pasted(app)}>
        <label for="pasted">${t.paste}</label>
        <textarea
          id="pasted"
          name="text"
          rows="3"
          spellcheck="false"
          ?disabled=${busy}
          @input=${typing(app)}
        ></textarea>
        <button type="submit" ?disabled=${busy}>${t.usePaste}</button>
      </form>
      ${modelView(app)}
      ${inputs.length > 0 ? html`<p class="chosen"><strong>${t.chosen(titleOf(app.state))}</strong></p>` : nothing}
      <p id="set-up" class="hint foreign" tabindex="-1">${setUpAs === undefined ? nothing : t.setUpAs(setUpAs.title, setUpAs.trained)}</p>
      <p class="row">
        <button
          type="button"
          class="primary"
          id="train"
          ?disabled=${busy || measured === "measuring" || inputs.length === 0 || refusal !== undefined || !greeting}
          @click=${watched(app.train)}
        >
          ${t.train}
        </button>
        <button
          type="button"
          id="measure"
          ?disabled=${busy || !prospect || measured === "measuring"}
          @click=${app.measure}
        >
          ${measured === "measuring" ? t.measuring : t.measure}
        </button>
      </p>
      <div class="prospect" aria-live="polite" aria-busy=${looking}>
        ${
          refusal === undefined
            ? nothing
            : html`<p class="problem">${messageView(refusal, t)}${hasGrouped(choice) ? html`. ${t.plainNumbers}` : nothing}</p>
                ${remediesView(app, remediesOf(refusal, sizeOf(inputs)))}`
        }
        ${looking && !prospect ? html`<p class="hint">${t.looking}</p>` : nothing}
        ${prospect ? prospectView(app) : nothing}
        ${shapeView(app)}
        ${idle.length > 0 ? html`<p class="warning" id="waiting">${base ? t.brought(idle) : t.wantModel(idle)}</p>` : nothing}
      </div>
    </section>
  `;
}

/** From scratch, or a model that was opened. */
function modelView(app: App): TemplateResult {
  const { texts: t, base, active, sampling } = app.state;
  const busy = active !== undefined;
  const opened = ({ target }: Event): void => {
    const input = target as HTMLInputElement;
    app.useModel([...(input.files ?? [])]);
    input.value = "";
  };
  return html`
    <details ?open=${base !== undefined}>
      <summary>${base ? html`<span class="foreign">${t.tunes(base.title)}</span>` : t.scratch}</summary>
      <p class="hint">${t.modelHint}</p>
      <p class="row">
        ${fileView(
          t.modelFiles,
          html`<input type="file" id="model-files" multiple accept=".zip,.safetensors,.json,.txt" ?disabled=${busy} @change=${opened} />`,
        )}
        ${fileView(t.modelFolder, html`<input type="file" webkitdirectory ?disabled=${busy} @change=${opened} />`)}
      </p>
      ${
        base
          ? html`<p class="row">
              <button type="button" ?disabled=${busy} @click=${app.fromScratch}>${t.toScratch}</button>
              <button type="button" id="keep-model" ?disabled=${busy || sampling} @click=${app.keepModel}>${t.keepModel}</button>
            </p>`
          : nothing
      }
    </details>
  `;
}

/** A button that chooses files. A browser's own speaks its own language, and says that none is chosen as soon as they are taken. */
function fileView(label: string, input: TemplateResult): TemplateResult {
  return html`<label class="file">${label}${input}</label>`;
}

function sizeOf(inputs: readonly Input[]): number {
  return inputs.reduce((sum, { blob }) => sum + blob.size, 0);
}

function remediesView(app: App, remedies: readonly Remedy[]): TemplateResult | typeof nothing {
  const { texts: t, active } = app.state;
  if (remedies.length === 0) return nothing;
  return html`<p class="row remedies">
    ${remedies.map(
      ({ kind, what, settings }) =>
        html`<button type="button" class="foreign" ?disabled=${active !== undefined} @click=${() => app.setSettings(settings)}>
          ${t.remedies[kind](what)}
        </button>`,
    )}
  </p>`;
}

/** A table that was pasted is learnt line by line, with its commas and braces, unless somebody says what it is. */
function shapeView({ state: { texts: t, shape, active }, readAs }: App): TemplateResult | typeof nothing {
  if (shape === undefined) return nothing;
  return html`<p class="warning" id="shape">${t.looksLike[shape]}</p>
    <p class="row remedies">
      <button type="button" id="read-as" ?disabled=${active !== undefined} @click=${() => readAs(shape)}>${t.readAs[shape]}</button>
    </p>`;
}

/** A share of records from which on it is told that they are cut. */
const MANY_CUT = 0.1;

/** Who has a text that is no list loses nearly all of it to cutting. */
function cutView(app: App): TemplateResult | typeof nothing {
  const { texts: t, prospect, base } = app.state;
  const { kind, cut, records } = prospect!.data;
  if (kind !== "records" || cut < MANY_CUT * records) return nothing;
  return html`<p class="warning" id="cut">${t.manyCut(cut, records, prospect!.places, base !== undefined)}</p>
    ${remediesView(app, [AS_TEXT])}`;
}

function prospectView(app: App): TemplateResult {
  const { texts: t, prospect, measured } = app.state;
  const p = prospect!;
  const parts = t.describeParts(p);
  return html`
    <dl class="facts">
      <dt>${t.prospect.data}</dt>
      <dd>${t.describeData(p)}</dd>
      ${p.data.evaluation > 0 ? html`<dt>${t.prospect.evaluation}</dt><dd>${t.describeEvaluation(p)}</dd>` : nothing}
      <dt>${t.prospect.model}</dt>
      <dd>${t.describeModel(p)}</dd>
      ${parts === undefined ? nothing : html`<dt>${t.prospect.trains}</dt><dd>${parts}</dd>`}
      <dt>${t.prospect.plan}</dt>
      <dd>${t.describePlan(p)}</dd>
      <dt>${t.prospect.memory}</dt>
      <dd>${t.describeMemory(t.figure(byteSize(p.deviceBytes)))}</dd>
      ${
        typeof measured === "object"
          ? html`<dt>${t.prospect.time}</dt>
              <dd id="time">
                ${t.describeTime(duration(measured.secondsPerStep * p.maxSteps), 1 / measured.secondsPerStep, measured.steps)}
              </dd>`
          : nothing
      }
    </dl>
    ${app.state.shape === undefined ? cutView(app) : nothing}
    ${p.notices.map((notice) => html`<p class="warning">${messageView(notice, t)}</p>`)}
  `;
}

function chosen(app: App) {
  return ({ target }: Event): void => {
    const input = target as HTMLInputElement;
    app.useFiles([...(input.files ?? [])]);
    // The same file again is a choice, too.
    input.value = "";
  };
}

/** What is pasted or typed is taken as it comes: who then presses Train means that. */
function typing(app: App) {
  return (event: Event): void => {
    const { inputType } = event as InputEvent;
    const typing = inputType !== undefined && !/^insertFrom(?:Paste|Drop)/.test(inputType);
    const field = event.target as HTMLTextAreaElement;
    field.dir = directionOf(field.value);
    app.useText(field.value, typing);
  };
}

function pasted(app: App) {
  return (event: Event): void => {
    event.preventDefault();
    app.useText(new FormData(event.target as HTMLFormElement).get("text") as string);
  };
}
