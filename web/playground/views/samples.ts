import { html, nothing, type TemplateResult } from "lit-html";
import type { Judged, Sampled } from "../protocol.ts";
import type { Texts } from "../texts/en.ts";
import { tokensView } from "./tokens.ts";

/** Samples, each with its marks, and a line that counts. */
export function samplesView(samples: readonly (Judged | Sampled)[], t: Texts): TemplateResult {
  const count = (test: (sample: Judged) => boolean | undefined): number => samples.filter(test).length;
  const known = samples.some(({ fresh }) => fresh !== undefined);
  const judged = samples.some(({ wellFormed }) => wellFormed !== undefined);
  return html`
    <ul class="samples">
      ${samples.map(
        ({ prompt, text, ended, fresh, wellFormed, ...more }) => html`<li>
          ${
            "tokens" in more
              ? tokensView(prompt, more.tokens, t)
              : html`<span class="sample"><b>${prompt}</b>${text}${prompt + text === "" ? html`<span class="hint">${t.nothing}</span>` : nothing}</span>`
          }
          <span class="marks">
            ${wellFormed === undefined ? nothing : mark(wellFormed, wellFormed ? t.marks.wellFormed : t.marks.malformed)}
            ${mark(ended, ended ? t.marks.ended : t.marks.cut)}
            ${fresh === undefined ? nothing : mark(fresh, fresh ? t.marks.fresh : t.marks.known)}
          </span>
        </li>`,
      )}
    </ul>
    <p class="counts">
      ${t.counts({
        all: samples.length,
        ended: count(({ ended }) => ended),
        ...(known ? { fresh: count(({ fresh }) => fresh) } : {}),
        ...(judged ? { wellFormed: count(({ wellFormed }) => wellFormed) } : {}),
      })}
    </p>
  `;
}

function mark(good: boolean, label: string): TemplateResult {
  return html`<span class=${good ? "mark good" : "mark"}>${label}</span>`;
}
