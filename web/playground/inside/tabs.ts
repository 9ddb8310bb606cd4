import { html, type TemplateResult } from "lit-html";
import type { Panel } from "./inside.ts";

export const TABS = ["step", "attention", "tokens", "checks"] as const;
export type TabName = (typeof TABS)[number];

/** One stop of the Tab key; arrows go from tab to tab. */
export function tabsView({ app, state: { tab: chosen }, set }: Panel): TemplateResult {
  const t = app.state.texts.inside;
  const walk = (event: KeyboardEvent): void => {
    const at = TABS.indexOf(chosen);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: TABS.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = TABS[(to + TABS.length) % TABS.length]!;
    set({ tab: next, problem: undefined });
    document.getElementById(`tab-${next}`)?.focus();
  };
  return html`<div class="tabs" role="tablist" aria-label=${t.title} @keydown=${walk}>
    ${TABS.map(
      (name) => html`<button
        type="button"
        role="tab"
        id=${`tab-${name}`}
        aria-selected=${name === chosen}
        aria-controls="inside-panel"
        tabindex=${name === chosen ? 0 : -1}
        @click=${() => set({ tab: name, problem: undefined })}
      >
        ${t.tabs[name]}
      </button>`,
    )}
  </div>`;
}
