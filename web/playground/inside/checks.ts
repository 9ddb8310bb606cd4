/** `gpt2 verify` and `gpt2 gradcheck` as buttons: whether this device computes right. */
import { html, nothing, type TemplateResult } from "lit-html";
import type { OpReport } from "../../../src/verify/check-op.ts";
import { type Check, passed, worstOfEachKind } from "../../../src/verify/fixture.ts";
import type { VerifyReport } from "../protocol.ts";
import type { Texts } from "../texts/en.ts";
import type { Panel } from "./inside.ts";

export function checksView({ app, state, run, stop }: Panel): TemplateResult {
  const { texts: t, active } = app.state;
  const i = t.inside;
  const { busy, progress, verify, gradcheck, checked } = state;
  const able = busy === undefined && active === undefined;
  const checking = busy === "verify" || busy === "gradcheck";
  const ops = gradcheck?.ops ?? checked;
  return html`
    <p class="hint">${i.checksHint}</p>
    <p class="row">
      <button type="button" id="verify" ?disabled=${!able} @click=${() => run("verify")}>${i.verify}</button>
      <button type="button" id="gradcheck" ?disabled=${!able} @click=${() => run("gradcheck")}>${i.gradcheck}</button>
      ${checking ? html`<button type="button" id="stop-check" @click=${stop}>${i.stop}</button>` : nothing}
      ${active ? html`<span class="hint">${i.notBeside}</span>` : nothing}
    </p>
    ${
      checking
        ? html`<div class="progress">
            <progress
              aria-label=${i[busy]}
              max=${progress?.all ?? 1}
              value=${progress?.done ?? nothing}
            ></progress>
            <span>${progress ? i.checkedSoFar(progress.done, progress.all) : i.working}</span>
          </div>`
        : nothing
    }
    <p role="status" class="unseen">
      ${
        checking
          ? i.working
          : [
              verify && verdictOf(verify.checks.map(passed), t),
              gradcheck &&
                verdictOf(
                  gradcheck.ops.map((op) => op.passed),
                  t,
                ),
            ]
              .filter(Boolean)
              .join("; ")
      }
    </p>
    ${verify ? verifyView(verify, t) : nothing}
    ${ops.length > 0 ? gradcheckView(ops, gradcheck?.seconds, gradcheck?.f16 === false, t) : nothing}
  `;
}

function verdictOf(results: readonly boolean[], t: Texts): string {
  return t.inside.passedOf(results.filter(Boolean).length, results.length);
}

function verdict(good: boolean, t: Texts): TemplateResult {
  return html`<span class=${good ? "mark good" : "mark bad"}>${good ? t.inside.passed : t.inside.failed}</span>`;
}

function verifyView({ checks, seconds }: VerifyReport, t: Texts): TemplateResult {
  const i = t.inside;
  const rows = (some: readonly Check[]): TemplateResult[] =>
    some.map(
      (check) => html`<tr>
        <th scope="row">${check.name}</th>
        <td>${verdict(passed(check), t)}</td>
        <td>${t.figure(check.error.toExponential(2))}</td>
        <td>${check.bound.toExponential(0)}</td>
      </tr>`,
    );
  const table = (caption: string, some: readonly Check[], id: string): TemplateResult => html`<div
    class="scroll"
    role="region"
    aria-label=${caption}
    tabindex="0"
  >
    <table class="figures" id=${id}>
      <caption>
        ${caption}
      </caption>
      <thead>
        <tr>
          <th scope="col">${i.check}</th>
          <th scope="col">${i.verdict}</th>
          <th scope="col">${i.error}</th>
          <th scope="col">${i.bound}</th>
        </tr>
      </thead>
      <tbody>
        ${rows(some)}
      </tbody>
    </table>
  </div>`;
  return html`
    ${table(`${i.verify}: ${verdictOf(checks.map(passed), t)}, ${i.took(seconds)}`, worstOfEachKind(checks), "verified")}
    <details>
      <summary>${i.allChecks(checks.length)}</summary>
      ${table(i.allChecks(checks.length), checks, "all-verified")}
    </details>
  `;
}

function gradcheckView(ops: readonly OpReport[], seconds: number | undefined, half: boolean, t: Texts): TemplateResult {
  const i = t.inside;
  const so = `${i.gradcheck}: ${verdictOf(
    ops.map((op) => op.passed),
    t,
  )}`;
  return html`<div class="scroll" role="region" aria-label=${i.gradcheck} tabindex="0">
      <table class="figures" id="gradchecked">
        <caption>
          ${seconds === undefined ? so : `${so}, ${i.took(seconds)}`}
        </caption>
        <thead>
          <tr>
            <th scope="col">${i.op}</th>
            <th scope="col">${i.verdict}</th>
            <th scope="col">${i.cases}</th>
            <th scope="col">${i.differences}</th>
            <th scope="col">${i.device}</th>
          </tr>
        </thead>
        <tbody>
          ${ops.map(
            ({ op, cases, differences, device, where, passed }) => html`<tr>
              <th scope="row">${op}</th>
              <td>${verdict(passed, t)} ${passed ? nothing : html`<code>${where} ${device.tensor}</code>`}</td>
              <td>${cases}</td>
              <td>${differences === undefined ? "\u2013" : t.percent(differences)}</td>
              <td>${t.figure(device.error.toExponential(1))}</td>
            </tr>`,
          )}
        </tbody>
      </table>
    </div>
    ${half ? html`<p class="hint">${i.noHalves}</p>` : nothing}`;
}
