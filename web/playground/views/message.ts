import { html, type TemplateResult } from "lit-html";
import type { Texts } from "../texts/en.ts";
import { onPage } from "../texts/messages.ts";

/** A message of the library in the page's language; one that nobody has translated as it is, and marked as English. */
export function messageView(message: string, t: Texts): TemplateResult {
  const told = t.messages.translate(message);
  if (told !== undefined) return html`<span>${onPage(told)}</span>`;
  return html`<span lang="en">${onPage(message)}</span> <span class="hint">${t.inEnglish}</span>`;
}
