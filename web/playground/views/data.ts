import { html, nothing, type TemplateResult } from "lit-html";
import type { App } from "../app.ts";

const ACCEPT = ".txt,.text,.md,.jsonl,.ndjson,.csv,.tsv,.tab,.parquet,text/plain";

export function dataView(app: App): TemplateResult {
  const { texts: t, title, inputs } = app.state;
  const busy = app.state.active !== undefined;
  return html`
    <section aria-labelledby="data-title">
      <h2 id="data-title">${t.data}</h2>
      <p class="row">
        <button type="button" ?disabled=${busy} @click=${app.useExample}>${t.example}</button>
        <span class="hint">${t.exampleHint}</span>
      </p>
      <p>
        <label class="file">
          ${t.choose}
          <input type="file" multiple accept=${ACCEPT} ?disabled=${busy} @change=${chosen(app)} />
        </label>
        <span class="hint">${t.chooseHint}</span>
      </p>
      <form @submit=${pasted(app)}>
        <label for="pasted">${t.paste}</label>
        <textarea id="pasted" name="text" rows="3" spellcheck="false" ?disabled=${busy}></textarea>
        <button type="submit" ?disabled=${busy}>${t.usePaste}</button>
      </form>
      ${inputs.length > 0 ? html`<p class="chosen"><strong>${t.chosen(title)}</strong></p>` : nothing}
    </section>
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

function pasted(app: App) {
  return (event: Event): void => {
    event.preventDefault();
    app.useText(new FormData(event.target as HTMLFormElement).get("text") as string);
  };
}
