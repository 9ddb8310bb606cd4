/** The attention of one head over a sentence: a row for each token that looks, a column for each that it may look at. */
import { html, nothing, type TemplateResult } from "lit-html";
import { guard } from "lit-html/directives/guard.js";
import { keyed } from "lit-html/directives/keyed.js";
import type { AttentionReport } from "../protocol.ts";
import type { Texts } from "../texts/en.ts";
import { typed } from "../views/typed.ts";
import type { Panel } from "./inside.ts";

/** In place of a head's number: the mean of all. */
export const ALL_HEADS = -1;

/** [T, T] of a head, or the mean of all. */
export function weightsOf({ layers, heads, tokens }: AttentionReport, layer: number, head: number): number[][] {
  const T = tokens.length;
  const all = head === ALL_HEADS ? Array.from({ length: heads }, (_, h) => h) : [head];
  const at = (i: number, j: number): number =>
    all.reduce((sum, h) => sum + layers[layer]![(h * T + i) * T + j]!, 0) / all.length;
  return Array.from({ length: T }, (_, i) => Array.from({ length: T }, (_, j) => at(i, j)));
}

export function attentionView(panel: Panel): TemplateResult {
  const { app, state, set, run } = panel;
  const { texts: t, shown, runs } = app.state;
  const i = t.inside;
  const ready = runs.find(({ id }) => id === shown?.id)?.model === true;
  const { attention, text, busy, layer, head } = state;
  const submitted = (event: Event): void => {
    event.preventDefault();
    run("attention");
  };
  const number = (event: Event): number => Number((event.target as HTMLSelectElement).value);
  return html`
    <p class="hint">${ready ? i.attentionHint(shown!.title) : t.sampleNothing}</p>
    <form @submit=${submitted}>
      <label class="field">
        <span>${i.sentence}</span>
        <input
          type="text"
          id="sentence"
          autocomplete="off"
          spellcheck="false"
          .value=${typed(text)}
          @input=${({ target }: Event) => set({ text: (target as HTMLInputElement).value })}
        />
      </label>
      <p class="row">
        <button type="submit" id="show-attention" ?disabled=${!ready || busy !== undefined}>
          ${busy === "attention" ? i.working : i.showAttention}
        </button>
      </p>
    </form>
    ${
      attention
        ? html`<div class="fields">
              <label class="field">
                <span>${i.layer}</span>
                <select id="layer" @change=${(event: Event) => set({ layer: number(event) })}>
                  ${attention.layers.map((_, n) => html`<option value=${n} ?selected=${n === layer}>${n + 1}</option>`)}
                </select>
              </label>
              <label class="field">
                <span>${i.head}</span>
                <select id="head" @change=${(event: Event) => set({ head: number(event) })}>
                  <option value=${ALL_HEADS} ?selected=${head === ALL_HEADS}>${i.meanOfHeads}</option>
                  ${Array.from(
                    { length: attention.heads },
                    (_, n) => html`<option value=${n} ?selected=${n === head}>${n + 1}</option>`,
                  )}
                </select>
              </label>
            </div>
            ${guard([attention, layer, head, t], () => mapView(attention, layer, head, t))}`
        : nothing
    }
  `;
}

function mapView(attention: AttentionReport, layer: number, head: number, t: Texts): TemplateResult {
  const i = t.inside;
  const { tokens } = attention;
  const weights = weightsOf(attention, layer, head);
  const names = tokens.map((token) => t.unseenText(token));
  const caption = i.mapOf(layer + 1, head === ALL_HEADS ? undefined : head + 1);
  return html`
    <h3 id="heat-title">${caption}</h3>
    <div class="scroll">
      <table
        class="heat"
        role="grid"
        aria-labelledby="heat-title"
        @pointerover=${tell}
        @focusin=${tell}
        @click=${tell}
        @keydown=${walk}
      >
        <thead>
          <tr role="row">
            <td></td>
            ${names.map((name) => html`<th scope="col" role="columnheader" class="to"><span class="foreign">${name}</span></th>`)}
          </tr>
        </thead>
        <tbody>
          ${weights.map(
            (row, from) => html`<tr role="row">
              <th scope="row" role="rowheader" class="from"><span class="foreign">${names[from]}</span></th>
              ${row.map((p, to) =>
                to > from
                  ? html`<td role="gridcell" aria-disabled="true"></td>`
                  : html`<td
                      role="gridcell"
                      tabindex=${from === 0 ? 0 : -1}
                      aria-label=${i.looks(names[from]!, names[to]!, t.percent(p))}
                      data-from=${from}
                      data-to=${to}
                      .style=${`--p: ${p.toFixed(4)}`}
                    ></td>`,
              )}
            </tr>`,
          )}
        </tbody>
      </table>
    </div>
    ${keyed(caption, html`<p class="readout" aria-hidden="true"></p>`)}
    <p class="hint">${i.pointAtCell}</p>
  `;
}

/** What a cell says to those who hear it, for those who see it. */
function tell(event: Event): void {
  const cell = (event.target as Element).closest<HTMLElement>("td[data-to]");
  const line = cell?.closest(".scroll")?.parentElement?.querySelector<HTMLElement>(".readout");
  if (cell && line) line.textContent = cell.getAttribute("aria-label");
}

/** The map is one stop of the Tab key; arrows go through its cells. */
function walk(event: KeyboardEvent): void {
  const cell = (event.target as Element).closest<HTMLElement>("td[data-to]");
  const step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
  const table = cell?.closest("table");
  if (!cell || !table) return;
  const [from, to] = [Number(cell.dataset.from), Number(cell.dataset.to)];
  const ends: Record<string, readonly [number, number]> = { Home: [from, 0], End: [from, from] };
  const wanted = step ? [from + step[0]!, to + step[1]!] : ends[event.key];
  if (!wanted) return;
  event.preventDefault();
  // From a long row up to a short one: to its last.
  const [row, column] = [wanted[0]!, step?.[0] === -1 ? Math.min(wanted[1]!, wanted[0]!) : wanted[1]!];
  const next = table.querySelector<HTMLElement>(`td[data-from="${row}"][data-to="${column}"]`);
  if (!next) return;
  cell.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}
