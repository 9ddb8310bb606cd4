/** Words beside a thing on the page, so that nothing on it moves: one box for all of them, at one thing at a time. */
import { render, type TemplateResult } from "lit-html";

const TIP = "tip";

/** What the box is at. */
let owner: HTMLElement | undefined;
/** What it must not cover. */
let beside: Element | undefined;
let gone: (() => void) | undefined;

export interface TipOptions {
  /** What must not be covered, where that is more than the thing itself. */
  readonly beside?: Element | null;
  /** Where there is room on both sides. */
  readonly side?: "above" | "below";
  /** Nobody points at it: it lets through what is pressed where it is. */
  readonly passive?: boolean;
  /** Called once, when it is there no more. */
  readonly gone?: () => void;
}

export function showTip(
  at: HTMLElement,
  view: TemplateResult,
  { beside: near, side = "below", passive = false, gone: then }: TipOptions = {},
): void {
  hideTip();
  owner = at;
  beside = near ?? at;
  gone = then;
  const box = tip();
  render(view, box);
  box.dataset.side = side;
  box.classList.toggle("passive", passive);
  box.hidden = false;
  at.setAttribute("aria-describedby", at.getAttribute("aria-describedby") ?? TIP);
  place();
}

export function hideTip(): void {
  if (owner?.getAttribute("aria-describedby") === TIP) owner.removeAttribute("aria-describedby");
  owner = undefined;
  const box = document.getElementById(TIP);
  if (box) box.hidden = true;
  const then = gone;
  gone = undefined;
  then?.();
}

export function tipIsAt(element: Element): boolean {
  return owner === element;
}

/** When what it is at is left, by pointer or by keys. Who goes to read it keeps it. */
export function leaveTip({ relatedTarget }: PointerEvent | FocusEvent): void {
  if (!(relatedTarget as Element | null)?.closest?.(`#${TIP}`)) hideTip();
}

function tip(): HTMLElement {
  const known = document.getElementById(TIP);
  if (known) return known;
  const made = document.createElement("div");
  made.id = TIP;
  made.setAttribute("role", "tooltip");
  made.hidden = true;
  made.addEventListener("pointerleave", hideTip);
  // All that can be read is within a landmark.
  (document.querySelector("main") ?? document.body).append(made);
  addEventListener("scroll", place, { passive: true, capture: true });
  addEventListener("resize", place);
  // Where a touch does not move the focus.
  addEventListener("pointerdown", ({ target }) => {
    const at = target as Element;
    if (!owner?.contains(at) && !at.closest?.(`#${TIP}`)) hideTip();
  });
  addEventListener("keydown", ({ key }) => {
    if (key === "Escape") hideTip();
  });
  return made;
}

/** On its side, or on the other where there is no room. */
function place(): void {
  const box = document.getElementById(TIP);
  if (!box || !owner) return;
  if (!owner.isConnected) {
    hideTip();
    return;
  }
  // Near an edge, where it was last, it may be narrower.
  box.style.left = "0";
  const [at, own] = [(beside ?? owner).getBoundingClientRect(), box.getBoundingClientRect()];
  const fits = { above: at.top - own.height > 8, below: at.bottom + own.height + 8 < innerHeight };
  const below = box.dataset.side === "above" ? !fits.above : fits.below;
  box.style.left = `${Math.max(8, Math.min(at.left, document.documentElement.clientWidth - own.width - 8))}px`;
  box.style.top = `${below ? at.bottom + 2 : at.top - own.height - 2}px`;
}
