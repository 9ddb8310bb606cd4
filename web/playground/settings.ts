/** The dial and what is said beside it: a run's settings, as they lie in the fragment of the page's address. */
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

export interface Choice {
  readonly size: Size;
  readonly device: DeviceWish;
  /** Beside the dial, by their names in a file. */
  readonly own: SaidSettings;
}

export const FIRST_CHOICE: Choice = { size: "small", device: "auto", own: {} };

/** What a model that is opened brings along. */
const BROUGHT = ["n_layer", "n_embd", "n_head", "n_positions", "tokenizer", "bias", "activation_function"];

/** All settings of a choice, as a file would have them; `tuning`: of a model that is opened. */
export function saidBy({ size: chosen, own }: Choice, tuning = false): SaidSettings {
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
  if (tuning) {
    for (const name of BROUGHT) delete said[name];
    // What is usual for a model that has been trained.
    if (!("learning_rate" in own)) delete said.learning_rate;
  } else for (const name of Object.keys(said)) if (name.startsWith("lora_")) delete said[name];
  return said;
}

/** As the fragment of an address: `size=small&max_steps=100`. */
export function toFragment({ size: chosen, device, own }: Choice): string {
  const all = new URLSearchParams({ size: chosen });
  if (device !== "auto") all.set("device", device);
  for (const [name, value] of Object.entries(own))
    all.set(name, typeof value === "string" ? value : JSON.stringify(value));
  return `#${all}`;
}

/** What a fragment says, whose settings nobody has checked yet. Throws where it has no such size or device. */
export function fromFragment(fragment: string): Choice {
  const all = new URLSearchParams(fragment.replace(/^#/, ""));
  const { size: chosen = FIRST_CHOICE.size, device = FIRST_CHOICE.device, ...rest } = Object.fromEntries(all);
  const own = Object.fromEntries(Object.entries(rest).map(([name, text]) => [name, readValue(text)]));
  if (!SIZE_NAMES.includes(chosen as Size))
    throw new Error(`size is ${chosen}; wanted one of ${SIZE_NAMES.join(", ")}`);
  if (!["auto", "webgpu", "wasm"].includes(device)) throw new Error(`device is ${device}; wanted auto, webgpu or wasm`);
  return { size: chosen as Size, device: device as DeviceWish, own };
}

function readValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
