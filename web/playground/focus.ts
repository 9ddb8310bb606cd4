/**
 * Who is at a button that goes, or can do nothing for a while, is at its section meanwhile, and not at the page's top; and again at the
 * button once it can be pressed. Browsers leave the keyboard, and who listens, nowhere.
 */

/** A button that cannot be pressed now, and the section that has the focus instead. */
let left: { readonly button: HTMLElement; readonly section: HTMLElement } | undefined;

/** Draws the page. */
export function keepFocus(draw: () => void): void {
  const at = document.activeElement as HTMLElement | null;
  const section = at?.closest<HTMLElement>("section");
  draw();
  if (left && document.activeElement !== left.section) left = undefined;
  if (left && canBePressed(left.button)) {
    left.button.focus({ preventScroll: true });
    left = undefined;
  }
  if (!at || !section?.isConnected || at === section || canBePressed(at)) return;
  // Somebody else may have sent it elsewhere.
  if (document.activeElement !== at && document.activeElement !== document.body) return;
  section.tabIndex = -1;
  section.focus({ preventScroll: true });
  left = at.isConnected ? { button: at, section } : undefined;
}

function canBePressed(element: HTMLElement): boolean {
  return element.isConnected && !element.matches(":disabled");
}
