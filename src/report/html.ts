/** HTML in which whatever came from outside is escaped: only the template's own text is markup. */
export interface Html {
  readonly html: string;
}

export type HtmlValue = string | number | Html | undefined | false | readonly HtmlValue[];

/** A template of HTML. Texts and numbers among the values are escaped, undefined and false are nothing. */
export function html(texts: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  return { html: String.raw({ raw: texts }, ...values.map(markupOf)) };
}

/** Markup that is known to be safe: what a build wrote. */
export function trusted(markup: string): Html {
  return { html: markup };
}

/** Data for a script of the page, inert wherever it is put: `</script>` and `<!--` cannot occur in it. */
export function jsonBlock(id: string, data: unknown): Html {
  const json = JSON.stringify(data).replaceAll("<", "\\u003c");
  return html`<script type="application/json" id="${id}">${trusted(json)}</script>`;
}

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function markupOf(value: HtmlValue): string {
  if (value === undefined || value === false) return "";
  if (typeof value === "string") return value.replace(/[&<>"']/g, (character) => ESCAPES[character]!);
  if (typeof value === "number") return String(value);
  return "html" in value ? value.html : value.map(markupOf).join("");
}
