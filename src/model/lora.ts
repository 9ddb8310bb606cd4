/** LoRA (Hu et al. 2021): the weights stay as they are, and products of two narrow matrices learn to correct them. */
import { userError } from "../core/errors.ts";
import { fillUniform, STREAM } from "../core/philox.ts";
import type { Shape } from "../core/shape.ts";
import { matmul } from "../kernels/matmul.ts";
import { expectFloat, type Value } from "../kernels/op.ts";
import { scale } from "../kernels/scale.ts";
import type { Gpt2Config } from "./config.ts";

export interface LoraOptions {
  /** r: columns of the narrow matrices. */
  readonly rank: number;
  /** The correction is multiplied by alpha / rank. */
  readonly alpha: number;
  /** Probability of zeroing an element of what goes into the correction, while training. */
  readonly dropout: number;
  /** Which linear layers, by the end of their names: "c_attn", "mlp.c_proj", "h.0.attn.c_attn". */
  readonly targets: readonly string[];
}

/** PEFT's defaults, and its choice of layers for GPT-2. */
export const LORA_DEFAULTS: LoraOptions = { rank: 8, alpha: 8, dropout: 0, targets: ["c_attn"] };

/** Throws `UserError` naming the option that is wrong. */
export function checkLora({ rank, alpha, dropout }: LoraOptions): void {
  if (!(Number.isInteger(rank) && rank >= 1))
    userError(`lora: the rank is ${rank}; wanted a whole number from 1`, "usage");
  if (!(alpha > 0 && Number.isFinite(alpha))) userError(`lora: alpha is ${alpha}; wanted a number above 0`, "usage");
  if (!(dropout >= 0 && dropout < 1))
    userError(`lora: dropout is ${dropout}; wanted 0 or more and less than 1`, "usage");
}

/** A linear layer that is corrected: y = x W + b + alpha / rank x A^T B^T. */
export interface LoraLayer {
  /** `h.0.attn.c_attn`; its matrices are `<name>.lora_A.weight` [r, in] and `<name>.lora_B.weight` [out, r]. */
  readonly name: string;
  readonly inputs: number;
  readonly outputs: number;
}

/** The layers that the targets name. Throws `UserError` on a target that names none. */
export function loraLayers(config: Gpt2Config, { targets }: LoraOptions): LoraLayer[] {
  const { width: C, innerWidth: F } = config;
  const kinds = [
    { kind: "attn.c_attn", inputs: C, outputs: 3 * C },
    { kind: "attn.c_proj", inputs: C, outputs: C },
    { kind: "mlp.c_fc", inputs: C, outputs: F },
    { kind: "mlp.c_proj", inputs: F, outputs: C },
  ];
  const all = Array.from({ length: config.layers }, (_, i) =>
    kinds.map(({ kind, inputs, outputs }) => ({ name: `h.${i}.${kind}`, inputs, outputs })),
  ).flat();
  const names = (target: string, name: string): boolean => `.transformer.${name}`.endsWith(`.${target}`);
  const idle = targets.find((target) => !all.some(({ name }) => names(target, name)));
  if (idle !== undefined)
    userError(
      `lora: the target module "${idle}" names no linear layer; wanted c_attn, c_proj, c_fc, or the end of a name such as mlp.c_proj`,
      "usage",
    );
  if (targets.length === 0) userError("lora: no target modules; wanted c_attn, c_proj or c_fc", "usage");
  return all.filter(({ name }) => targets.some((target) => names(target, name)));
}

export function loraNames(layer: string): { readonly a: string; readonly b: string } {
  return { a: `${layer}.lora_A.weight`, b: `${layer}.lora_B.weight` };
}

/** Whether a parameter is one of LoRA's matrices. */
export function isCorrection(parameter: string): boolean {
  return /\.lora_[AB]\.weight$/.test(parameter);
}

/** The narrow matrices by name, in the model's order. */
export function loraShapes(config: Gpt2Config, lora: LoraOptions): Map<string, Shape> {
  checkLora(lora);
  return new Map(
    loraLayers(config, lora).flatMap(({ name, inputs, outputs }): [string, Shape][] => [
      [loraNames(name).a, [lora.rank, inputs]],
      [loraNames(name).b, [outputs, lora.rank]],
    ]),
  );
}

/** Items of the initialisation's stream from here on: far behind those of a model's own parameters. */
const FIRST_ITEM = 2 ** 20;

/** PEFT's start: A uniform within 1 / sqrt(in) of 0 (Kaiming with a = sqrt(5)), B zeros. `item`: the tensor's number. */
export function fillLora(into: Float32Array, name: string, shape: Shape, seed: number, item: number): void {
  if (!name.endsWith("lora_A.weight")) return;
  const bound = 1 / Math.sqrt(shape[1]!);
  fillUniform(into, -bound, bound, seed, STREAM.initialisation, FIRST_ITEM + item);
}

/** y + alpha / rank x A^T B^T, in y's place; y itself where the layer has no correction. x: [N, in], y: [N, out]. */
export function addLora(
  views: ReadonlyMap<string, Value>,
  lora: LoraOptions | undefined,
  layer: string,
  x: Value,
  y: Value,
  drop: (x: Value) => Value,
): Value {
  const names = loraNames(layer);
  const [a, b] = [views.get(names.a), views.get(names.b)];
  if (!lora || !a || !b) return y;
  const narrow = scale(matmul(drop(x), a, { transposeB: true }), lora.alpha / lora.rank);
  return matmul(narrow, b, { transposeB: true, into: y, result: expectFloat("lora", "y", y, y.shape) });
}

/**
 * Adds the correction to a stretch of a layer's weight [in, out]: `piece` are its elements from `offset` on. In float64,
 * rounded once. `a`: [r, in], `b`: [out, r].
 */
export function mergeLora(
  piece: Float32Array,
  offset: number,
  layer: LoraLayer,
  { alpha, rank }: LoraOptions,
  { a, b }: { readonly a: Float32Array; readonly b: Float32Array },
): void {
  const { inputs, outputs } = layer;
  for (let i = 0; i < piece.length; i++) {
    const [row, column] = [Math.floor((offset + i) / outputs), (offset + i) % outputs];
    let sum = 0;
    for (let r = 0; r < rank; r++) sum += a[r * inputs + row]! * b[column * rank + r]!;
    piece[i] = piece[i]! + (alpha / rank) * sum;
  }
}
