/** Tokens that the model has given similar vectors. */
import { html, nothing, type TemplateResult } from "lit-html";
import { typed } from "../views/typed.ts";
import type { Panel } from "./inside.ts";

export function nearestView({ app, state: { token, nearest, busy }, set, run }: Panel): TemplateResult {
  const { texts: t, shown, runs } = app.state;
  const i = t.inside;
  const ready = runs.find(({ id }) => id === shown?.id)?.model === true;
  const submitted = (event: Event): void => {
    event.preventDefault();
    run("nearest");
  };
  return html`
    <p class="hint">${ready ? i.nearestHint(shown!.title) : t.sampleNothing}</p>
    <form @submit=${submitted}>
      <label class="field">
        <span>${i.token}</span>
        <input
          type="text"
          id="token"
          autocomplete="off"
          spellcheck="false"
          .value=${typed(token)}
          @input=${({ target }: Event) => set({ token: (target as HTMLInputElement).value })}
        />
      </label>
      <p class="row">
        <button type="submit" id="find-nearest" ?disabled=${!ready || token === "" || busy !== undefined}>
          ${busy === "nearest" ? i.working : i.findNearest}
        </button>
      </p>
    </form>
    ${
      nearest
        ? html`<table class="figures" id="nearest">
            <caption>
              ${i.nearestTo(t.unseenText(nearest.token))}
            </caption>
            <thead>
              <tr>
                <th scope="col">${i.token}</th>
                <th scope="col">${i.number}</th>
                <th scope="col">${i.cosine}</th>
              </tr>
            </thead>
            <tbody>
              ${nearest.near.map(
                ({ text, id, similarity }) => html`<tr>
                  <th scope="row"><span class="foreign">${t.unseenText(text)}</span></th>
                  <td>${id}</td>
                  <td class="bar" .style=${`--share: ${Math.max(0, similarity).toFixed(4)}`}>${t.decimal(similarity, 3)}</td>
                </tr>`,
              )}
            </tbody>
          </table>`
        : nothing
    }
  `;
}
