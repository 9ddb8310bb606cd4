/** Look inside: what a step takes, where tokens look, which are alike, and whether this device computes right; as one report, too. */
import { html, nothing, type TemplateResult } from "lit-html";
import { VERSION } from "../../../src/core/version.ts";
import type { OpReport } from "../../../src/verify/check-op.ts";
import type { App } from "../app.ts";
import { CallFailed, WorkerEnded } from "../client.ts";
import { offer } from "../offer.ts";
import type {
  AdapterReport,
  AttentionReport,
  GradcheckReport,
  NearestReport,
  StepReport,
  VerifyReport,
} from "../protocol.ts";
import { saidBy } from "../settings.ts";
import type { Inside } from "../store.ts";
import { messageView } from "../views/message.ts";
import { ALL_HEADS, attentionView, weightsOf } from "./attention.ts";
import { checksView } from "./checks.ts";
import { nearestView } from "./nearest.ts";
import { stepView } from "./step.ts";
import { type TabName, tabsView } from "./tabs.ts";

export type Work = "profile" | "attention" | "nearest" | "verify" | "gradcheck";

/** All that was asked for so far. */
export interface InsideState {
  readonly tab: TabName;
  /** One thing at a time. */
  readonly busy?: Work | undefined;
  readonly progress?: { readonly done: number; readonly all: number } | undefined;
  readonly step?: StepReport | undefined;
  readonly text: string;
  readonly attention?: AttentionReport | undefined;
  readonly layer: number;
  readonly head: number;
  readonly token: string;
  readonly nearest?: NearestReport | undefined;
  readonly verify?: VerifyReport | undefined;
  readonly gradcheck?: GradcheckReport | undefined;
  /** Of the check that goes on. */
  readonly checked: readonly OpReport[];
  readonly problem?: string | undefined;
  /** What became of the report; where it could not be copied, its text. */
  readonly copied?: { readonly json?: string } | undefined;
}

/** What the parts of the panel draw, and what they may do. */
export interface Panel {
  readonly app: App;
  readonly state: InsideState;
  set(change: Partial<InsideState>): void;
  run(work: Work): void;
  stop(): void;
}

const NEAREST = 12;

export function createInside(app: App): Inside {
  let state: InsideState = { tab: "step", text: "", layer: 0, head: ALL_HEADS, token: "", checked: [] };

  function set(change: Partial<InsideState>): void {
    state = { ...state, ...change };
    app.redraw();
  }

  /** What was found of another device, or of another run's model, is not what is asked for now. */
  let [greeting, shownId] = [app.state.greeting, app.state.shown?.id];
  function forgetOthers(): void {
    const { greeting: now, shown } = app.state;
    if (now && now !== greeting) {
      greeting = now;
      state = { ...state, step: undefined, verify: undefined, gradcheck: undefined, checked: [] };
    }
    if (shown?.id === shownId) return;
    shownId = shown?.id;
    state = { ...state, attention: undefined, nearest: undefined };
  }

  const works: { readonly [K in Work]: () => Promise<Partial<InsideState>> } = {
    async profile() {
      const { inputs, choice, base } = app.state;
      return { step: await app.call("profile", { inputs, said: saidBy(choice, base !== undefined), base }) };
    },
    async attention() {
      const attention = await app.call("attention", { id: app.state.shown!.id, text: state.text });
      const layer = Math.min(state.layer, attention.layers.length - 1);
      return { attention, layer, head: state.head < attention.heads ? state.head : ALL_HEADS };
    },
    async nearest() {
      return { nearest: await app.call("nearest", { id: app.state.shown!.id, token: state.token, count: NEAREST }) };
    },
    async verify() {
      return { verify: await app.call("verify", null) };
    },
    async gradcheck() {
      return { gradcheck: await app.call("gradcheck", null) };
    },
  };

  async function run(work: Work): Promise<void> {
    if (state.busy) return;
    set({
      busy: work,
      problem: undefined,
      progress: undefined,
      copied: undefined,
      ...(work === "gradcheck" ? { checked: [], gradcheck: undefined } : {}),
    });
    try {
      set({ ...(await works[work]()), busy: undefined });
    } catch (error) {
      const stopped = error instanceof WorkerEnded || (error instanceof CallFailed && error.kind === "stopped");
      set({ busy: undefined, problem: stopped ? undefined : (error as Error).message });
    }
  }

  /** All that is known of this device and of what was measured on it. */
  async function report(): Promise<string> {
    const adapter: AdapterReport = await app.call("adapter", null);
    const { step, attention, layer, head, nearest, verify, gradcheck } = state;
    const shown = attention && {
      text: attention.text,
      tokens: attention.tokens,
      layer,
      head: head === ALL_HEADS ? "mean" : head,
      weights: weightsOf(attention, layer, head).map((row) => row.map((p) => Number(p.toPrecision(5)))),
    };
    const all = {
      report: "webgpu-gpt2 playground",
      format: 1,
      date: new Date().toISOString(),
      version: VERSION,
      ...adapter,
      step: step ?? null,
      attention: shown ?? null,
      nearest: nearest ?? null,
      verify: verify ?? null,
      gradcheck: gradcheck ?? null,
    };
    return `${JSON.stringify(all, null, 1)}\n`;
  }

  async function copy(): Promise<void> {
    try {
      const json = await report();
      // Some browsers and frames do not let a page write there.
      const { clipboard } = navigator as Partial<Navigator>;
      const copied =
        (await clipboard?.writeText(json).then(
          () => true,
          () => false,
        )) ?? false;
      set({ copied: copied ? {} : { json }, problem: undefined });
    } catch (error) {
      set({ problem: (error as Error).message });
    }
  }

  async function download(): Promise<void> {
    try {
      offer(new Blob([await report()], { type: "application/json" }), "webgpu-gpt2-report.json");
    } catch (error) {
      set({ problem: (error as Error).message });
    }
  }

  const panel: Panel = {
    app,
    get state() {
      return state;
    },
    set,
    run: (work) => void run(work),
    stop: () => void app.call("endCheck", null).catch(() => {}),
  };

  return {
    hear(happening) {
      if (happening.event !== "checked") return;
      const { done, all, report } = happening;
      set({ progress: { done, all }, checked: [...state.checked, report] });
    },
    view(): TemplateResult {
      forgetOthers();
      const t = app.state.texts;
      const panels = { step: stepView, attention: attentionView, tokens: nearestView, checks: checksView };
      return html`
        ${tabsView(panel)}
        <div role="tabpanel" id="inside-panel" aria-labelledby=${`tab-${state.tab}`}>${panels[state.tab](panel)}</div>
        ${state.problem === undefined ? nothing : html`<p class="problem" role="alert">${messageView(state.problem, t)}</p>`}
        <p class="row">
          <button type="button" id="copy-report" @click=${copy}>${t.inside.copy}</button>
          <button type="button" id="download-report" @click=${download}>${t.inside.download}</button>
          <span role="status" class="hint">${state.copied && !state.copied.json ? t.inside.copied : ""}</span>
        </p>
        ${
          state.copied?.json
            ? html`<label>
                ${t.inside.copyYourself}
                <textarea rows="4" readonly .value=${state.copied.json} @focus=${selectAll}></textarea>
              </label>`
            : nothing
        }
      `;
    },
  };
}

function selectAll({ target }: Event): void {
  (target as HTMLTextAreaElement).select();
}
