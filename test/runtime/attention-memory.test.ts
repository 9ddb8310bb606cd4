import { describe, expect, test } from "vitest";
import type { Tape } from "../../src/autograd/tape.ts";
import { largest } from "../../src/core/extremes.ts";
import { attentionOp } from "../../src/kernels/attention.ts";
import { attentionBackwardGpu, attentionGpu } from "../../src/kernels/gpu/attention.ts";
import { f32, type TensorType } from "../../src/kernels/op.ts";
import { DEFAULT_TRAITS, type Traits } from "../../src/kernels/traits.ts";
import { gpt2Config } from "../../src/model/config.ts";
import { layoutParameters } from "../../src/model/parameters.ts";
import { layOut, layOutTensors } from "../../src/runtime/layout.ts";
import { trainingTape } from "../../src/train/step.ts";

const wide = { ...DEFAULT_TRAITS, maxBindingBytes: 2 ** 40, maxBufferBytes: 2 ** 40 };
const VARIANTS = ["rows", "quads", "panels", "products", "tiles32"] as const;
const adapters: readonly [string, Traits][] = [
  ["a GPU", wide],
  ["a software driver", { ...wide, software: true }],
  ["llvmpipe", { ...wide, software: true, subgroups: true, subgroupMinSize: 8, subgroupMaxSize: 8 }],
  ["SwiftShader", { ...wide, software: true, subgroups: true, subgroupMinSize: 4, subgroupMaxSize: 4 }],
  ["a GPU with WebGPU's default limits", { ...DEFAULT_TRAITS, maxBufferBytes: 2 ** 40 }],
];

/** Elements of the scratch of attention and of its gradient together. */
function scratchOf(variant: (typeof VARIANTS)[number], B: number, T: number, H: number, D: number, traits: Traits) {
  const lengths: TensorType = { dtype: "u32", shape: [B] };
  const y = f32([B * T, H * D]);
  const inputs = { qkv: f32([B * T, 3 * H * D]), lengths };
  const attrs = { ...attentionOp.attrs!, batch: B, heads: H, variant };
  const scratches = [
    attentionGpu.scratch!(inputs, attrs, traits),
    attentionBackwardGpu.scratch!({ ...inputs, y, dy: y, logSumExp: f32([B * H * T]) }, attrs, traits),
  ];
  return scratches.flatMap((scratch) => Object.values(scratch)).reduce((sum, { length }) => sum + length, 0);
}

describe.each(VARIANTS)("attention's own memory, %s", (variant) => {
  test.each([
    [1, 12, 64],
    [8, 12, 64],
    [12, 4, 32],
  ])("grows with T and not with its square: B%d H%d D%d", (B, H, D) => {
    for (const [name, traits] of adapters) {
      for (let T = 64; T <= 2 ** 15; T *= 2) {
        const [one, two] = [scratchOf(variant, B, T, H, D, traits), scratchOf(variant, B, 2 * T, H, D, traits)];
        expect(two, `${name}, T ${T}`).toBeLessThanOrEqual(2 * one);
      }
    }
  });

  // Products keep twice as many rows at a time.
  const least = variant === "products" ? 256 : 128;
  test(`is less than T x T even of one head, from ${least} positions on`, () => {
    for (const [name, traits] of adapters) {
      for (let T = least; T <= 2 ** 15; T *= 2)
        expect(scratchOf(variant, 1, T, 1, 64, traits), `${name}, T ${T}`).toBeLessThan(T * T);
    }
  });
});

/** Whole training steps whose other tensors have few columns. */
function tapeOf(T: number): Tape {
  const config = gpt2Config({ vocabSize: 16, contextLength: T, width: 8, layers: 2, heads: 1 });
  const options = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, maxGradNorm: 1 };
  return trainingTape(config, layoutParameters(config), { batch: 1, context: T }, options);
}

const withPanels = {
  ...wide,
  tuning: { matmul: {}, attention: Object.fromEntries(sizes().map((T) => [`${T} 8`, "panels" as const])) },
};

function sizes(): number[] {
  return [128, 256, 512, 1024, 2048, 4096, 8192];
}

describe.each([...adapters, ["a GPU that was tuned to panels", withPanels] as const])(
  "a training step on %s",
  (_, traits) => {
    test.each(sizes())("has no T x T buffer, T %d", (T) => {
      const { places, dispatches } = layOut(tapeOf(T), traits);
      expect(largest(places.map(({ bytes }) => bytes))).toBeLessThan(4 * T * T);
      expect(largest(dispatches.flatMap(({ regions }) => regions.map(({ size }) => size)))).toBeLessThan(4 * T * T);
      const transient = (of: typeof places) =>
        of.filter(({ kind }) => kind === "slot").reduce((sum, { bytes }) => sum + bytes, 0);
      // Slots come from tensors alone: the dispatches of 2 T, most of the work, are looked at as those of the next size.
      expect(transient(layOutTensors(tapeOf(2 * T), traits).places)).toBeLessThanOrEqual(2.02 * transient(places));
    });
  },
);
