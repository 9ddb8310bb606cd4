/** What each op of a training step takes on this device. */
import { html, nothing, type TemplateResult } from "lit-html";
import { threeDigits } from "../charts.ts";
import type { StepReport } from "../protocol.ts";
import type { Texts } from "../texts/en.ts";
import type { Panel } from "./inside.ts";

export function stepView({ app, state: { step, busy }, run, stop }: Panel): TemplateResult {
  const { texts: t, inputs, active, refusal } = app.state;
  const i = t.inside;
  return html`
    <p class="hint">${i.stepHint}</p>
    <p class="row">
      <button
        type="button"
        id="profile"
        ?disabled=${busy !== undefined || active !== undefined || inputs.length === 0 || refusal !== undefined}
        @click=${() => run("profile")}
      >
        ${busy === "profile" ? i.working : i.measureStep}
      </button>
      ${busy === "profile" ? html`<button type="button" @click=${stop}>${i.stop}</button>` : nothing}
      ${active ? html`<span class="hint">${i.notBeside}</span>` : nothing}
    </p>
    ${step ? reportView(step, t) : nothing}
  `;
}

function reportView(step: StepReport, t: Texts): TemplateResult {
  const { timed, runs, ops, nodes, opsMs, leastMicroseconds } = step;
  const i = t.inside;
  const share = (ms: number): number => (opsMs > 0 ? ms / opsMs : 0);
  const rate = (amount: number, ms: number): string => (ms > 0 ? t.figure(threeDigits(amount / ms / 1e6)) : "\u2013");
  const parts = [...new Set(nodes.map(({ section }) => section))];
  return html`
    <p id="step-says">
      ${timed ? i.stepTook(nodes.length, opsMs, runs) : i.stepUntimed(nodes.length)}
      ${timed && leastMicroseconds >= COARSE_US ? i.coarse(leastMicroseconds) : nothing}
    </p>
    <div class="scroll" role="region" aria-label=${i.byOp} tabindex="0">
      <table class="figures" id="step-ops">
        <caption>
          ${i.byOp}
        </caption>
        <thead>
          <tr>
            <th scope="col">${i.op}</th>
            <th scope="col">ms</th>
            <th scope="col">${i.share}</th>
            <th scope="col">${i.nodes}</th>
            <th scope="col">${i.dispatches}</th>
            <th scope="col">GFLOP/s</th>
            <th scope="col">GB/s</th>
          </tr>
        </thead>
        <tbody>
          ${ops.map(
            ({ op, ms, nodes, dispatches, flops, bytes }) => html`<tr>
              <th scope="row">${op}</th>
              <td>${timed ? t.decimal(ms, 3) : "\u2013"}</td>
              <td class="bar" .style=${`--share: ${share(ms).toFixed(4)}`}>${timed ? t.percent(share(ms)) : "\u2013"}</td>
              <td>${nodes}</td>
              <td>${timed ? Math.round(dispatches) : "\u2013"}</td>
              <td>${rate(flops, ms)}</td>
              <td>${rate(bytes, ms)}</td>
            </tr>`,
          )}
        </tbody>
      </table>
    </div>
    <details>
      <summary>${i.tape(nodes.length)}</summary>
      <div class="scroll tall" role="region" aria-label=${i.tape(nodes.length)} tabindex="0">
        <table class="figures tape">
          <thead>
            <tr>
              <th scope="col">${i.op}</th>
              <th scope="col">ms</th>
              <th scope="col">${i.share}</th>
            </tr>
          </thead>
          ${parts.map(
            (part) => html`<tbody>
              <tr>
                <th scope="rowgroup" colspan="3">${part === "" ? i.begin : part}</th>
              </tr>
              ${nodes
                .filter(({ section }) => section === part)
                .map(
                  ({ line, ms }) => html`<tr>
                    <td><code>${line}</code></td>
                    <td>${timed ? t.decimal(ms, 3) : "\u2013"}</td>
                    <td class="bar" .style=${`--share: ${share(ms).toFixed(4)}`}>
                      ${timed ? t.percent(share(ms)) : "\u2013"}
                    </td>
                  </tr>`,
                )}
            </tbody>`,
          )}
        </table>
      </div>
    </details>
  `;
}

/** A clock that tells no less is coarse: browsers round what pages may see. */
const COARSE_US = 30;
