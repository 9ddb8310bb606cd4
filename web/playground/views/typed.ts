import { noChange } from "lit-html";
import { Directive, directive, type PropertyPart } from "lit-html/directive.js";
import { setCommittedValue } from "lit-html/directive-helpers.js";

/** What a field holds, but for one that somebody is typing in: what is half typed is not the state's yet. */
class Typed extends Directive {
  render(value: string): unknown {
    return value;
  }

  override update(part: PropertyPart, [value]: [string]): unknown {
    const element = part.element as HTMLInputElement;
    if (element === element.ownerDocument.activeElement || element.value === value) return noChange;
    // What was set last may not be what is there.
    setCommittedValue(part);
    return value;
  }
}

export const typed = directive(Typed);
