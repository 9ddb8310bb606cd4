/** The dial and what is said beside it: a run's settings, as they lie in the fragment of the page's address. */
import { BROUGHT, DEFAULTS, fileName, SETTING_KEYS, SETTINGS, type SettingKey } from "../../src/run/settings/table.ts";
import { isGrouped, readNumber } from "./numbers.ts";
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

/** Whether a setting has a part in a run that trains on from a model, or in one that does not: corrections are to one, and it brings its sizes. */
export function isOf(key: SettingKey, tuning: boolean): boolean {
  return tuning ? !BROUGHT.includes(key) : !key.startsWith("lora");
}

/** What was said and waits for another kind of run. */
export function waiting({ own }: Choice, tuning: boolean): string[] {
  return SETTING_KEYS.filter((key) => !isOf(key, tuning) && fileName(key) in own).map(fileName);
}

/** Whether a number was written with separators of thousands, and so was left as the text that it is. */
export function hasGrouped({ own }: Choice): boolean {
  return Object.entries(own).some(
    ([name, value]) => typeof value === "string" && isGrouped(value) && /number/.test(wantedOf(name) ?? ""),
  );
}

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
  for (const key of SETTING_KEYS) if (!isOf(key, tuning)) delete said[fileName(key)];
  // What is usual for a model that has been trained.
  if (tuning && !("learning_rate" in own)) delete said.learning_rate;
  return said;
}

/**
 * The choice that says the same as a run was asked for: of all sizes that which leaves least to say beside it. What a run of an earlier page
 * did not say is said by its default, where it has one.
 */
export function choiceOf(said: SaidSettings, tuning: boolean, device: DeviceWish): Choice {
  const [first, ...others] = SIZE_NAMES.map((size): Choice => ({ size, device, own: ownOf(said, size, tuning) }));
  const length = ({ own }: Choice): number => Object.keys(own).length;
  return others.reduce((best, one) => (length(one) < length(best) ? one : best), first!);
}

/** What others are derived from, which come after them. */
const FIRST_SAID = ["max_steps", "num_train_epochs", "eval_split", "learning_rate"];

function ownOf(said: SaidSettings, size: Size, tuning: boolean): SaidSettings {
  const own: Record<string, unknown> = {};
  const usual = (): SaidSettings => saidBy({ size, device: "auto", own }, tuning);
  for (const name of [...FIRST_SAID, ...Object.keys(said)])
    if (name in said && !isSame(usual()[name], said[name])) own[name] = said[name];
  for (const key of SETTING_KEYS) {
    const name = fileName(key);
    if (!(name in said) && name in usual() && DEFAULTS[key] !== undefined) own[name] = DEFAULTS[key];
  }
  return own;
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** As the fragment of an address: `size=small&max_steps=100`. */
export function toFragment({ size: chosen, device, own }: Choice): string {
  const all = new URLSearchParams({ size: chosen });
  if (device !== "auto") all.set("device", device);
  for (const [name, value] of Object.entries(own)) {
    const json = JSON.stringify(value);
    // As it would be typed, unless that would be read as something else.
    all.set(name, typeof value === "string" && readValue(name, value) === value ? value : json);
  }
  return `#${all}`;
}

/**
 * What a fragment says, whose settings nobody has checked yet: of what is said twice the last counts, and a list may be said text by
 * text. Throws where it has no such size or device.
 */
export function fromFragment(fragment: string): Choice {
  const said = new Map<string, unknown>();
  for (const [typed, text] of new URLSearchParams(fragment.replace(/^#/, ""))) {
    const name = OTHER_NAMES.get(typed) ?? typed;
    const [before, value] = [said.get(name), readValue(name, text)];
    const list = wantedOf(name) === "a list of texts" && before !== undefined;
    said.set(name, list ? [before, value].flat() : value);
  }
  const { size = FIRST_CHOICE.size, device = FIRST_CHOICE.device, ...own } = Object.fromEntries(said);
  if (!SIZE_NAMES.includes(size as Size)) throw new Error(`size is ${size}; wanted one of ${SIZE_NAMES.join(", ")}`);
  if (!["auto", "webgpu", "wasm"].includes(device as DeviceWish))
    throw new Error(`device is ${device}; wanted auto, webgpu or wasm`);
  return { size: size as Size, device: device as DeviceWish, own };
}

const WANTED: ReadonlyMap<string, string> = new Map(SETTING_KEYS.map((key) => [fileName(key), SETTINGS[key].wanted]));
/** Undefined for what is no setting. */
const wantedOf = (name: string): string | undefined => WANTED.get(name);
/** The page's fields have one name each. */
const OTHER_NAMES: ReadonlyMap<string, string> = new Map(
  SETTING_KEYS.flatMap((key) => SETTINGS[key].aliases.map((alias) => [alias, fileName(key)] as const)),
);

/** What is no value of such a setting stays a text, or the JSON that it is, which the table of settings refuses in its own words. */
function readValue(name: string, text: string): unknown {
  const wanted = wantedOf(name);
  const json = parsed(text);
  if (wanted === undefined) return json ?? text;
  if (typeof json === "string" || Array.isArray(json)) return json;
  if (/number/.test(wanted)) return readNumber(text, { mark: ".", whole: /whole/.test(wanted) }) ?? text;
  return wanted === "true or false" && typeof json === "boolean" ? json : text;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
