import { html, nothing, type TemplateResult } from "lit-html";
import { live } from "lit-html/directives/live.js";
import { type App, LANGUAGES } from "../app.ts";
import { dataView } from "./data.ts";
import { messageView } from "./message.ts";
import { runView } from "./run.ts";
import { sampleView } from "./sample.ts";
import { settingsView } from "./settings.ts";
import { storedView } from "./stored.ts";

export function page(app: App): TemplateResult {
  const { texts: t, dropping } = app.state;
  return html`
    <a class="skip" href="#run" @click=${skip}>${t.skip}</a>
    <header>
      <h1>${t.title}</h1>
      <label class="language">
        ${t.language}
        <select .value=${live(t.locale)} @change=${(event: Event) => app.setLanguage((event.target as HTMLSelectElement).value)}>
          ${LANGUAGES.map(
            ({ locale, name }) =>
              html`<option value=${locale} lang=${locale} ?selected=${locale === t.locale}>${name}</option>`,
          )}
        </select>
      </label>
      <p class="lead">${t.lead}</p>
      ${deviceView(app)}
    </header>
    <main class="columns">
      <div class="column">${dataView(app)} ${settingsView(app)}</div>
      <div class="column">${runView(app)} ${sampleView(app)} ${insideView(app)} ${storedView(app)}</div>
    </main>
    <footer><p>${t.footer}</p></footer>
    ${alertsView(app)}
    ${dropping ? html`<div class="drop">${t.drop}</div>` : nothing}
  `;
}

/** A link to a place would replace the settings in the page's address. */
function skip(event: Event): void {
  event.preventDefault();
  document.getElementById("run")?.focus();
}

/** What it shows is loaded when somebody wants it. */
function insideView({ state: { texts: t, inside }, openInside }: App): TemplateResult {
  return html`
    <section aria-labelledby="inside-title" id="inside">
      <h2 id="inside-title">${t.inside.title}</h2>
      <p class="hint">${t.inside.hint}</p>
      ${
        inside
          ? inside.view()
          : html`<p><button type="button" id="open-inside" @click=${openInside}>${t.inside.open}</button></p>`
      }
    </section>
  `;
}

function deviceView({ state: { texts: t, greeting, dead } }: App): TemplateResult {
  if (dead) return html`<p class="problem" role="alert">${t.notStarted}</p>`;
  if (!greeting) return html`<p class="hint">${t.starting}</p>`;
  const { device, storage } = greeting;
  if (device.kind === "webgpu") return html`<p class="hint">${t.onGpu(device.name)} ${storageView(t, storage)}</p>`;
  return html`
    <details class="hint">
      <summary>${t.onCpu(device.threads)}</summary>
      <p>${device.why ? html`${messageView(device.why, t)}. ` : nothing}${t.moreGpu} ${device.threads < 2 ? t.moreThreads : nothing}</p>
    </details>
    ${storageView(t, storage)}
  `;
}

function storageView(
  t: App["state"]["texts"],
  storage: { readonly kind: string; readonly why?: string },
): TemplateResult | typeof nothing {
  const { kind, why = "" } = storage;
  return kind === "memory" ? html`<p class="warning">${t.notKept(t.messages.translate(why) ?? why)}</p>` : nothing;
}

/** Behind all else, so that nothing moves; at the lower edge of the screen, so that they are seen from anywhere. */
function alertsView(app: App): TemplateResult {
  const { alerts, texts: t } = app.state;
  return html`<div class="alerts" role="alert">
    ${alerts.map(
      (message) => html`
        <p class="alert">
          <span>${message}</span>
          <button type="button" @click=${() => app.dismiss(message)} aria-label=${t.named(t.dismiss, message)}>
            ${t.dismiss}
          </button>
        </p>
      `,
    )}
  </div>`;
}
