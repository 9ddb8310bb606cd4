import { html, nothing, type TemplateResult } from "lit-html";
import { repeat } from "lit-html/directives/repeat.js";
import { byteSize } from "../../../src/core/units.ts";
import type { App } from "../app.ts";
import { writeNumber } from "../numbers.ts";
import type { StoredRun } from "../protocol.ts";
import type { Texts } from "../texts/en.ts";
import { setUpAgain, watched } from "./watched.ts";

export function storedView(app: App): TemplateResult {
  const { texts: t, runs, greeting, removing } = app.state;
  const doubted = runs.find(({ id }) => id === removing);
  return html`
    <section aria-labelledby="stored-title">
      <h2 id="stored-title">${t.kept}</h2>
      <p class="unseen" role="status" id="removing">${doubted ? t.removeAgain(doubted.title) : ""}</p>
      <p class="hint">${runs.length === 0 ? t.nothingKept : t.keptHint(greeting?.storage.kind === "memory")}</p>
      <ul class="stored">
        ${repeat(
          runs,
          ({ id }) => id,
          (run) => storedRun(app, run),
        )}
      </ul>
    </section>
  `;
}

function storedRun(app: App, run: StoredRun): TemplateResult {
  const { texts: t, active, shown, compared, removing, outcome } = app.state;
  const { id, title, status, step, maxSteps, bytes, model, created } = run;
  const here = active?.id === id;
  // One that has just ended here is listed as it was until the list is read again.
  const ended = shown?.id === id && outcome !== undefined;
  const where = status === "running" && !ended ? `, ${here ? t.here : t.there}` : "";
  const day = created === "" ? "" : new Date(created).toLocaleString(t.locale);
  const said = [
    t.statuses[status] + where,
    ...(status === "opened" ? [] : [t.progress(step, maxSteps)]),
    t.figure(byteSize(bytes)),
    day,
  ];
  const button = (label: string, enabled: boolean, act: () => void, leave?: () => void): TemplateResult =>
    html`<button
      type="button"
      ?disabled=${!enabled}
      aria-label=${t.named(label, title)}
      @click=${act}
      @blur=${leave}
      @keydown=${({ key }: KeyboardEvent) => key === "Escape" && leave?.()}
    >
      ${label}
    </button>`;
  return html`<li data-run=${id} data-status=${status} aria-current=${shown?.id === id ? "true" : nothing}>
    <p>
      <strong class="foreign">${title}</strong>
      <span class="hint">${said.filter((part) => part !== "").join(" · ")}</span>
    </p>
    <p class="row">
      ${button(
        t.show,
        shown?.id !== id,
        watched(() => app.show(id)),
      )}
      ${
        status === "paused" || status === "diverged"
          ? button(
              t.goOn,
              !active,
              watched(() => app.resume(id)),
            )
          : nothing
      }
      ${button(status === "opened" ? t.trainOn : t.setUpAgain, !active && status !== "broken", setUpAgain(app, id))}
      ${button(t.download, model, () => void app.download(id))}
      ${button(
        removing === id ? t.removeSure : t.remove,
        status !== "running",
        () => void app.remove(id),
        () => app.spare(id),
      )}
      ${
        shown && shown.id !== id
          ? html`<label class="check">
              <input
                type="checkbox"
                .checked=${compared.has(id)}
                @change=${({ target }: Event) => void app.compare(id, (target as HTMLInputElement).checked)}
              />
              ${t.compare}<span class="unseen"> ${title}</span>
            </label>`
          : nothing
      }
    </p>
  </li>`;
}

/** A run among several that may be called the same. */
export function nameWithTime({ title, created }: StoredRun, { locale }: Texts): string {
  return `${title}, ${new Date(created).toLocaleTimeString(locale)}`;
}

/** Of runs that lie over each other: where they were asked for different things. */
export function differencesView(app: App): TemplateResult | typeof nothing {
  const { texts: t, runs, shown, compared } = app.state;
  if (!shown || compared.size === 0) return nothing;
  const all = [shown.id, ...compared.keys()].flatMap((id) => runs.find((run) => run.id === id) ?? []);
  const names = [...new Set(all.flatMap(({ said }) => Object.keys(said)))].sort();
  const text = (value: unknown): string =>
    typeof value === "number" ? writeNumber(value, t.decimalMark) : (JSON.stringify(value) ?? "\u2013");
  const rows = names
    .map((name) => [name, ...all.map(({ said }) => text(said[name]))])
    .filter(([, ...values]) => new Set(values).size > 1);
  if (rows.length === 0)
    return html`<h3>${t.differing}</h3>
      <p class="hint">${t.alike}</p>`;
  return html`<table class="differing">
    <caption>${t.differing}</caption>
    <thead>
      <tr>
        <th scope="col">${t.setting}</th>
        ${all.map((run) => html`<th scope="col" class="foreign">${nameWithTime(run, t)}</th>`)}
      </tr>
    </thead>
    <tbody>
      ${rows.map(
        ([name, ...values]) => html`<tr>
          <th scope="row">${name}</th>
          ${values.map((value) => html`<td>${value}</td>`)}
        </tr>`,
      )}
    </tbody>
  </table>`;
}
