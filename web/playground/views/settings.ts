import { html, noChange, nothing, type TemplateResult } from "lit-html";
import { live } from "lit-html/directives/live.js";
import { DEFAULTS, fileName, flagName, SETTINGS, type SettingKey } from "../../../src/run/settings/table.ts";
import type { App } from "../app.ts";
import { type DecimalMark, readNumber, writeNumber } from "../numbers.ts";
import type { DeviceWish } from "../protocol.ts";
import { isOf, SIZE_NAMES, saidBy } from "../settings.ts";
import { readTexts, writeTexts } from "../several.ts";
import { onPage } from "../texts/messages.ts";
import { helpMark, helpOf } from "./help.ts";
import { typed } from "./typed.ts";

/** Those that the dial sets. */
const DIALLED: readonly SettingKey[] = [
  "nLayer",
  "nEmbd",
  "nPositions",
  "perDeviceTrainBatchSize",
  "maxSteps",
  "learningRate",
];

/** What a page has in other ways, or not at all. */
const NOT_HERE: readonly SettingKey[] = ["data", "evalData", "model", "fastReduce"];

const MORE = (Object.keys(SETTINGS) as SettingKey[]).filter((key) => !DIALLED.includes(key) && !NOT_HERE.includes(key));

export function settingsView(app: App): TemplateResult {
  const { texts: t, choice, active, base, refusal } = app.state;
  const tuning = base !== undefined;
  const said = saidBy(choice, tuning);
  const fits = (key: SettingKey): boolean => isOf(key, tuning);
  const busy = active !== undefined;
  const at = SIZE_NAMES.indexOf(choice.size);
  const changed = Object.keys(choice.own).length > 0;
  return html`
    <section aria-labelledby="settings-title">
      <h2 id="settings-title">${t.settings}</h2>
      <label class="dial">
        <span>${t.size}: <strong>${t.sizes[choice.size]}</strong></span>
        <input
          type="range"
          min="0"
          max=${SIZE_NAMES.length - 1}
          step="1"
          .value=${live(String(at))}
          aria-valuetext=${t.sizes[choice.size]}
          ?disabled=${busy}
          @input=${({ target }: Event) => app.setSize(SIZE_NAMES[Number((target as HTMLInputElement).value)]!)}
        />
      </label>
      <div class="fields">
        ${DIALLED.filter(fits).map((key) => field(app, key, t.fields[fileName(key)] ?? breakable(fileName(key)), said[fileName(key)]))}
      </div>
      <details ?open=${MORE.some((key) => isNamed(key, refusal)) ? true : noChange}>
        <summary>${t.more}</summary>
        <p class="hint">${t.moreHint}</p>
        <label class="field">
          <span>${t.compute}</span>
          <select id="compute" ?disabled=${busy} @change=${(event: Event) => app.setDevice(typedIn(event) as DeviceWish)}>
            ${Object.entries(t.devices).map(
              ([name, label]) => html`<option value=${name} ?selected=${name === choice.device}>${label}</option>`,
            )}
          </select>
        </label>
        <div class="fields">${MORE.filter(fits).map((key) => field(app, key, breakable(fileName(key)), said[fileName(key)]))}</div>
      </details>
      ${
        changed
          ? html`<p><button type="button" ?disabled=${busy} @click=${app.resetSettings}>${t.reset}</button></p>`
          : nothing
      }
    </section>
  `;
}

/** Whether a setting is what such a refusal speaks of. Some names are words of every day. */
function isNamed(key: SettingKey, refusal = ""): boolean {
  if (refusal === "") return false;
  const name = fileName(key);
  const said = name.includes("_") ? name : `${name}(?= is )`;
  return new RegExp(`${flagName(key)}(?![\\w-])|\\b${said}\\b`).test(refusal);
}

/** A long name may be broken where its words are. */
function breakable(name: string): TemplateResult {
  // Not by a character, which would be copied with it.
  return html`${name.split("_").map((word, i) => (i === 0 ? word : html`_<wbr />${word}`))}`;
}

function typedIn({ target }: Event): string {
  return (target as HTMLInputElement).value;
}

const CHOICES: Partial<Record<SettingKey, readonly string[]>> = Object.fromEntries(
  (Object.keys(SETTINGS) as SettingKey[]).flatMap((key) => {
    const of = /^one of (.*)$/.exec(SETTINGS[key].wanted)?.[1]?.split(", ");
    return of ? [[key, of]] : [];
  }),
);

/** One setting, drawn as what it takes. */
function field(app: App, key: SettingKey, label: string | TemplateResult, said: unknown): TemplateResult {
  const { active, refusal, texts: t } = app.state;
  const [name, setting] = [fileName(key), SETTINGS[key]];
  const id = `setting-${name}`;
  const value = said ?? DEFAULTS[key];
  const busy = active !== undefined;
  const set = (given: unknown): void => app.setSetting(name, given);
  const wrong = isNamed(key, refusal) ? "true" : nothing;
  const kind = kindOf(setting.wanted);
  const wanted = t.messages.translate(setting.wanted) ?? setting.wanted;
  const more = kind === "list" ? `; ${t.severalTexts}` : kind === "number" || kind === "whole" ? `; ${wanted}` : "";
  const named = html`<span class="name"
    ><label for=${id}>${label}</label> ${helpMark(id, onPage(t.help(name, setting.help)) + more)}</span
  >`;
  const of = CHOICES[key];
  if (of)
    return html`<div class="field">
      ${named}
      <select
        id=${id}
        aria-describedby=${helpOf(id)}
        aria-invalid=${wrong}
        ?disabled=${busy}
        .value=${live(String(value ?? ""))}
        @change=${(event: Event) => set(typedIn(event) || undefined)}
      >
        ${value === undefined ? html`<option value=""></option>` : nothing}
        ${of.map((one) => html`<option value=${one} ?selected=${one === value}>${one}</option>`)}
      </select>
    </div>`;
  if (kind === "flag")
    return html`<div class="field check">
      <input
        type="checkbox"
        id=${id}
        aria-describedby=${helpOf(id)}
        aria-invalid=${wrong}
        .checked=${live(value === true)}
        ?disabled=${busy}
        @change=${({ target }: Event) => set((target as HTMLInputElement).checked)}
      />
      ${named}
    </div>`;
  if (kind === "list") {
    const written = writeTexts(value);
    return html`<div class="field">
      ${named}
      <textarea
        id=${id}
        rows=${Math.min(MOST_ROWS, Math.max(2, written.split("\n").length))}
        aria-describedby=${helpOf(id)}
        aria-invalid=${wrong}
        autocomplete="off"
        autocapitalize="off"
        spellcheck="false"
        .value=${typed(written)}
        ?disabled=${busy}
        @change=${(event: Event) => set(readTexts(typedIn(event)))}
      ></textarea>
    </div>`;
  }
  return html`<div class="field">
    ${named}
    <input
      type="text"
      id=${id}
      aria-describedby=${helpOf(id)}
      aria-invalid=${wrong}
      inputmode=${kind === "whole" ? "numeric" : kind === "number" ? "decimal" : "text"}
      autocomplete="off"
      spellcheck="false"
      .value=${typed(shown(value, t.decimalMark))}
      ?disabled=${busy}
      @change=${(event: Event) => set(readTyped(typedIn(event), kind, t.decimalMark))}
    />
  </div>`;
}

/** Of a field for several texts, before it scrolls. */
const MOST_ROWS = 8;

type Kind = "whole" | "number" | "flag" | "list" | "text";

function kindOf(wanted: string): Kind {
  if (/number/.test(wanted)) return /whole/.test(wanted) ? "whole" : "number";
  if (wanted === "true or false") return "flag";
  return wanted === "a list of texts" ? "list" : "text";
}

function shown(value: unknown, mark: DecimalMark): string {
  if (typeof value === "number") return writeNumber(value, mark);
  return String(value ?? "");
}

/** What is no number stays a text, which the table of settings refuses in its own words. */
function readTyped(text: string, kind: Kind, mark: DecimalMark): unknown {
  const typed = text.trim();
  if (typed === "") return undefined;
  if (kind === "text") return typed;
  return readNumber(typed, { mark, whole: kind === "whole" }) ?? typed;
}
