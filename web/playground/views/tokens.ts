/** A sample token by token: each tells its probability and its rivals to whoever points at it, touches it or goes there by keys. */
import { html, nothing, type TemplateResult } from "lit-html";
import type { Chance, ShownToken } from "../protocol.ts";
import type { Texts } from "../texts/en.ts";
import { leaveTip, showTip, tipIsAt } from "./tip.ts";

/** What a token's element knows. */
type TokenElement = HTMLElement & { readonly chance?: { readonly token: ShownToken; readonly texts: Texts } };

/** `#results .sample` is the whole text, and nothing else. */
export function tokensView(prompt: string, tokens: readonly ShownToken[], t: Texts): TemplateResult {
  const last = tokens.at(-1)?.end ? tokens.at(-1)! : undefined;
  const words = last ? tokens.slice(0, -1) : tokens;
  return html`<span
    class="tokens"
    role="group"
    aria-label=${t.tokensOf(prompt)}
    @pointerover=${point}
    @pointerleave=${leaveTip}
    @focusin=${point}
    @focusout=${leaveTip}
    @click=${point}
    @keydown=${walk}
    ><span class="sample"><b>${prompt}</b>${words.map((token, i) => tokenView(token, i === 0, t))}</span
    >${last ? tokenView(last, words.length === 0, t) : nothing}</span
  >`;
}

function tokenView(token: ShownToken, first: boolean, t: Texts): TemplateResult {
  // As a property: the page's policy allows no style in an attribute.
  return html`<span
    class=${token.end ? "token end" : "token"}
    role="button"
    tabindex=${first ? 0 : -1}
    aria-label=${t.tokenSays(named(token, t), t.percent(token.probability))}
    .style=${`--chance: ${token.probability.toFixed(3)}`}
    .chance=${{ token, texts: t }}
    >${token.end ? t.endMark : token.text}</span
  >`;
}

function named({ text, end }: Chance, t: Texts): string {
  return end ? t.endOfText : t.unseenText(text);
}

function tokenAt(event: Event): TokenElement | undefined {
  return (event.target as Element | null)?.closest<HTMLElement>(".token") ?? undefined;
}

function point(event: Event): void {
  const element = tokenAt(event);
  if (!element?.chance || tipIsAt(element)) return;
  showTip(element, tipView(element.chance.token, element.chance.texts));
}

/** A sample is one stop of the Tab key; arrows go through its tokens. */
function walk(event: KeyboardEvent): void {
  const here = tokenAt(event);
  const group = here?.closest(".tokens");
  if (!here || !group) return;
  const all = [...group.querySelectorAll<HTMLElement>(".token")];
  const at = all.indexOf(here);
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: all.length - 1 }[event.key];
  const next = to === undefined ? undefined : all[to];
  if (!next) return;
  event.preventDefault();
  here.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}

function tipView(token: ShownToken, t: Texts): TemplateResult {
  return html`<p><strong class="foreign">${named(token, t)}</strong> ${t.percent(token.probability)}</p>
    <p class="hint">${t.rivals}</p>
    <ol>
      ${token.rivals.map(
        (rival) => html`<li>
          <span class="foreign">${named(rival, t)}</span>
          <meter min="0" max="1" .value=${rival.probability} aria-hidden="true"></meter>
          <span>${t.percent(rival.probability)}</span>
        </li>`,
      )}
    </ol>`;
}
