/** The dial and what is said beside it: a run's settings, as they lie in the fragment of the page's address. */
import { userError } from "../../src/core/errors.ts";
import { idleSettings } from "../../src/run/settings/idle.ts";
import { settingsFromJson } from "../../src/run/settings/json.ts";
import { resolveSettings } from "../../src/run/settings/resolve.ts";
import type { TrainSettings } from "../../src/run/settings/table.ts";
import type { DeviceWish, SaidSettings } from "./protocol.ts";

/** What the dial sets together, from tiny to large. */
export const SIZES = {
  tiny: size(1, 48, 64, 16, 200, 1.5e-2),
  small: size(2, 64, 64, 32, 400, 5e-3),
  medium: size(4, 128, 128, 32, 1000, 2e-3),
  large: size(6, 256, 256, 32, 2000, 1e-3),
  huge: size(8, 384, 256, 64, 5000, 6e-4),
} as const;

export type Size = keyof typeof SIZES;
export const SIZE_NAMES = Object.keys(SIZES) as Size[];

function size(layers: number, width: number, places: number, batch: number, steps: number, rate: number) {
  return {
    n_layer: layers,
    n_embd: width,
    n_positions: places,
    per_device_train_batch_size: batch,
    max_steps: steps,
    learning_rate: rate,
  };
}

/** Of a run: how often it is evaluated and sampled. */
const EVALUATIONS = 10;
const LOG_LINES = 100;

/** What a page knows by itself: its data and models are no settings. */
const NOT_HERE = ["data", "eval_data", "model"];

export interface Choice {
  readonly size: Size;
  readonly device: DeviceWish;
  /** Beside the dial, by their names in a file. */
  readonly own: SaidSettings;
}

export const FIRST_CHOICE: Choice = { size: "small", device: "auto", own: {} };

/** All settings of a choice, as a file would have them. */
export function saidBy({ size: chosen, own }: Choice): SaidSettings {
  const steps = typeof own.max_steps === "number" ? own.max_steps : SIZES[chosen].max_steps;
  const every = Math.max(1, Math.round(steps / EVALUATIONS));
  const said: Record<string, unknown> = {
    ...SIZES[chosen],
    eval_split: 0.1,
    eval_steps: every,
    save_steps: every,
    logging_steps: Math.max(1, Math.round(steps / LOG_LINES)),
    load_best_model_at_end: true,
    max_eval_samples: 1000,
    samples: 20,
    ...own,
  };
  // What says the same in another way, or makes no sense beside it.
  if ("num_train_epochs" in own && !("max_steps" in own)) delete said.max_steps;
  if (said.eval_split === 0) {
    for (const name of ["load_best_model_at_end", "eval_steps", "max_eval_samples"])
      if (!(name in own)) delete said[name];
  }
  return said;
}

/** Throws a `UserError` that names what is wrong. `notices`: of what does nothing in such a run. */
export function settingsOf(said: SaidSettings): { settings: TrainSettings; notices: string[] } {
  const foreign = NOT_HERE.find((name) => name in said);
  if (foreign) userError(`settings: ${foreign} is chosen on the page, not set`, "usage");
  const typed = settingsFromJson(said, "settings");
  const settings = resolveSettings({ typed });
  refuseAbsurd(settings);
  return { settings, notices: idleSettings(settings, typed) };
}

/** What no browser holds: said before anything of that size is planned. */
const MOST_BYTES = 2 ** 36;
const MOST_LAYERS = 256;

function refuseAbsurd(settings: TrainSettings): void {
  const { nLayer, nEmbd, nPositions, perDeviceTrainBatchSize } = settings;
  if (nLayer > MOST_LAYERS) userError(`n_layer is ${nLayer}; wanted at most ${MOST_LAYERS} on a page`, "usage");
  // Weights, gradients and two moments.
  const weights = 16 * (12 * nLayer * nEmbd ** 2 + nPositions * nEmbd);
  const activations = 4 * perDeviceTrainBatchSize * nPositions * nEmbd;
  if (weights + activations > MOST_BYTES)
    userError(
      `n_layer ${nLayer}, n_embd ${nEmbd}, n_positions ${nPositions} and per_device_train_batch_size ` +
        `${perDeviceTrainBatchSize} take more memory than any browser gives; make them smaller`,
      "memory",
    );
}

/** As the fragment of an address: `size=small&max_steps=100`. */
export function toFragment({ size: chosen, device, own }: Choice): string {
  const all = new URLSearchParams({ size: chosen });
  if (device !== "auto") all.set("device", device);
  for (const [name, value] of Object.entries(own))
    all.set(name, typeof value === "string" ? value : JSON.stringify(value));
  return `#${all}`;
}

/** What a fragment says; `problem`: why some of it, or all, is left out. */
export function fromFragment(fragment: string): { choice: Choice; problem?: string } {
  const all = new URLSearchParams(fragment.replace(/^#/, ""));
  const { size: chosen = FIRST_CHOICE.size, device = "auto", ...rest } = Object.fromEntries(all);
  const own = Object.fromEntries(Object.entries(rest).map(([name, text]) => [name, readValue(text)]));
  try {
    if (!SIZE_NAMES.includes(chosen as Size)) userError(`size is ${chosen}; wanted one of ${SIZE_NAMES.join(", ")}`);
    if (!["auto", "webgpu", "wasm"].includes(device)) userError(`device is ${device}; wanted auto, webgpu or wasm`);
    const choice: Choice = { size: chosen as Size, device: device as DeviceWish, own };
    settingsOf(saidBy(choice));
    return { choice };
  } catch (error) {
    return { choice: FIRST_CHOICE, problem: (error as Error).message };
  }
}

function readValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
