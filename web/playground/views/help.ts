/**
 * What a field is for: told to who comes to it by keys, points at the mark beside its name, or touches that; to screen readers always.
 * Who goes on with the pointer is not disturbed.
 */
import { html, type TemplateResult } from "lit-html";
import { hideTip, leaveTip, showTip, tipIsAt } from "./tip.ts";

/** Of what describes the field `id`. */
export function helpOf(id: string): string {
  return `help-${id}`;
}

/** The mark, and what it tells. Who comes by keys or listens is told at the field itself, so that it is no stop of theirs. */
export function helpMark(id: string, help: string | TemplateResult): TemplateResult {
  return html`<button
      type="button"
      class="why"
      tabindex="-1"
      aria-hidden="true"
      @click=${press}
      @pointerover=${point}
      @pointerout=${leave}
    ></button
    ><span hidden id=${helpOf(id)}>${help}</span>`;
}

/** Whether the last thing that was done was to point, and not to press a key. */
let pointing = false;
/** It was pressed, and stays until another place is. */
let pressed = false;

for (const [act, points] of [
  ["pointerdown", true],
  ["keydown", false],
] as const)
  addEventListener(
    act,
    () => {
      pointing = points;
    },
    { capture: true },
  );
addEventListener("focusin", ({ target }) => {
  const field = target as HTMLElement;
  const help = textAt(
    field
      .getAttribute("aria-describedby")
      ?.split(" ")
      .find((id) => id.startsWith(helpOf(""))),
  );
  if (help === undefined || pointing) return;
  // Above it: what comes next is below.
  showTip(field, html`<p>${help}</p>`, { beside: field.closest(".field"), side: "above", passive: true });
});
addEventListener("focusout", ({ target }) => {
  if (tipIsAt(target as Element)) hideTip();
});

function textAt(id: string | undefined): string | undefined {
  return id === undefined ? undefined : (document.getElementById(id)?.textContent ?? undefined);
}

function show(mark: HTMLElement): void {
  const help = textAt(mark.nextElementSibling?.id);
  if (help === undefined) return;
  const gone = (): void => {
    pressed = false;
  };
  showTip(mark, html`<p>${help}</p>`, { side: "above", gone });
}

function point({ currentTarget, pointerType }: PointerEvent): void {
  const mark = currentTarget as HTMLElement;
  // A finger that comes is a press to be.
  if (pointerType === "mouse" && !tipIsAt(mark)) show(mark);
}

function leave(event: PointerEvent): void {
  if (event.pointerType === "mouse" && !pressed) leaveTip(event);
}

function press({ currentTarget }: Event): void {
  const mark = currentTarget as HTMLElement;
  if (tipIsAt(mark) && pressed) {
    hideTip();
    return;
  }
  if (!tipIsAt(mark)) show(mark);
  pressed = true;
}
