/** Op cases whose results independent WebGPU implementations have to agree on to the last bit. Knows nothing of where it runs. */
import { traceOp } from "../../src/autograd/gradcheck.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import { attentionBackwardOp, attentionOp } from "../../src/kernels/attention.ts";
import { embeddingOp } from "../../src/kernels/embedding.ts";
import { matmulVariants } from "../../src/kernels/gpu/matmul/variants.ts";
import { OPS } from "../../src/kernels/index.ts";
import { matmulOp } from "../../src/kernels/matmul.ts";
import { type AnyOp, f16, f32, type OpCase } from "../../src/kernels/op.ts";
import { DEFAULT_TRAITS, type Traits } from "../../src/kernels/traits.ts";
import { shaderName } from "../../src/kernels/wgsl.ts";
import { compareTensors, halfRoundings, runOp } from "../../src/runtime/compare.ts";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";
import { createGpuRuntime } from "../../src/runtime/gpu.ts";
import { layOut } from "../../src/runtime/layout.ts";
import type { Runtime, Tensors } from "../../src/runtime/runtime.ts";

/** WebGPU's limits, and f16: what all witnesses have. Naga has no subgroups yet. */
const COMMON: Traits = { ...DEFAULT_TRAITS, f16: true, packedHalves: true };

/** One case, computed by the kernels of software drivers or of GPUs. */
export interface WitnessCase {
  readonly name: string;
  readonly op: AnyOp;
  readonly check: OpCase;
  readonly traits: Partial<Traits>;
}

/** Every case of every op by the kernels of software drivers and of GPUs, and all variants that want no subgroups. */
export function allCases(): WitnessCase[] {
  const all = [true, false].flatMap((software) =>
    OPS.flatMap((op) => [...op.cases, ...variantsOf(op)].map((check) => named(op, check, { software }))),
  );
  // Weights of f16 beside what is f32, 8 of them a load, and out of words in other ways.
  const b = { rows: f16([16, 24]), columns: f16([12, 16]) };
  const weights: OpCase[] = [1, 9].flatMap((M) => [
    { inputs: { a: f32([M, 16]), b: b.rows }, attrs: { exact: true } },
    { inputs: { a: f32([M, 16]), b: b.columns }, attrs: { transposeB: true, exact: true } },
  ]);
  const products = weights.flatMap((check) =>
    [true, false].map((f16) => named(matmulOp as unknown as AnyOp, check, { software: false, f16 })),
  );
  const tables = embeddingOp.cases.filter(({ inputs }) => inputs.table?.dtype === "f16");
  const words = tables.map((check) => named(embeddingOp as unknown as AnyOp, check, { software: false, f16: false }));
  return [...all, ...products, ...words];
}

function named(op: AnyOp, check: OpCase, traits: Partial<Traits>): WitnessCase {
  const shapes = Object.entries(check.inputs).map(([name, { dtype, shape }]) => `${name} ${dtype} ${shape}`);
  const name = [op.name, ...shapes, JSON.stringify(check.attrs ?? {}), traits.software ? "software" : "GPU"].join(", ");
  return { name: traits.f16 === false ? `${name}, out of words` : name, op, check, traits };
}

/** A product that is added to what is there has no gradient, which would be made of the same kernels whatever the variant. */
function variantsOf(op: AnyOp): OpCase[] {
  if (is(op, attentionOp))
    return ["rows", "panels", "products"].flatMap((variant) =>
      op.cases.map((check) => ({ ...check, attrs: { ...check.attrs, variant } })),
    );
  if (!is(op, matmulOp)) return [];
  // Of large tiles, which are two shaders that take llvmpipe seconds to compile, the smallest of each.
  const variants = matmulVariants.filter(
    ({ name, shader, subgroup, matrices }) =>
      subgroup === 0 && !matrices && (!/^matmul\/gpu\/staged(_lines)?$/.test(shader) || LARGE.includes(name)),
  );
  const activated = { variant: "naive", activation: "gelu_new" };
  const naive: OpCase = { inputs: { a: f32([9, 8]), b: f32([8, 12]), bias: f32([12]) }, attrs: activated };
  const others = variants.flatMap(({ name: variant }): OpCase[] => [
    { inputs: { a: f32([9, 16]), b: f32([16, 12]), into: f32([9, 12]) }, attrs: { variant, splits: 3 } },
    { inputs: { a: f32([5, 7]), b: f32([6, 7]), into: f32([5, 6]) }, attrs: { variant, transposeB: true } },
    { inputs: { a: f32([16, 68]), b: f32([16, 12]), into: f32([68, 12]) }, attrs: { variant, transposeA: true } },
    { inputs: { a: f32([20, 16]), b: f32([68, 16]), into: f32([20, 68]) }, attrs: { variant, transposeB: true } },
    { inputs: { a: f16([9, 16]), b: f16([16, 12]), into: f16([9, 12]) }, attrs: { variant, result: "f16" } },
  ]);
  return [naive, ...others];
}

const LARGE = ["staged64", "lines64"];

function is(op: AnyOp, other: unknown): boolean {
  return op === other;
}

/**
 * So few of them that each shader and each entry point is compiled, and each op in f16 that can be; but large tiles, which take ten
 * seconds for each way of reading, in one way only.
 */
export function chosenCases(): WitnessCase[] {
  const known = new Set<string>();
  return allCases().filter((one) => {
    const { variant, transposeA, transposeB } = (one.check.attrs ?? {}) as Readonly<Record<string, unknown>>;
    if (LARGE.includes(String(variant)) && (transposeA || transposeB)) return false;
    const fresh = partsOf(one).filter((part) => !known.has(part));
    for (const part of fresh) known.add(part);
    return fresh.length > 0;
  });
}

/** What a case's op and its gradients are made of: shaders and their entry points; and whether the op has f16. */
export function partsOf({ op, check, traits }: WitnessCase): string[] {
  const { dispatches } = layOut(traceOp(op, check).tape, { ...COMMON, ...traits });
  return dispatches.flatMap(({ dispatch }) => {
    const halves = Object.values(dispatch.types ?? {}).some((type) => type.includes("f16"));
    const kernel = `${shaderName(dispatch)} ${dispatch.entry}`;
    return [...dispatch.shader.map(String), kernel, ...(halves ? [`${op.name} f16`] : [])];
  });
}

/** What became of a case. */
export interface CaseResult {
  /** A hash of the bits of all that it gives. */
  readonly bits: string;
  /** How far it is from the CPU in float64, as `compareOp` tells it; more than any bound where it failed. */
  readonly error: number;
  readonly failed?: string;
}

/**
 * Whether the bits are WGSL's to choose: the gradient of attention by rows takes a sum from a product, as one operation or as two,
 * whichever a compiler likes.
 */
export function isOpen({ op, check, traits }: WitnessCase): boolean {
  const { variant = "auto" } = (check.attrs ?? {}) as { variant?: string };
  const rows = variant === "rows" || (variant === "auto" && !traits.software);
  return rows && (is(op, attentionOp) || is(op, attentionBackwardOp));
}

/** The results by the names of the cases. */
export async function runCases(gpu: Gpu, cases: readonly WitnessCase[]): Promise<Record<string, CaseResult>> {
  const results: Record<string, CaseResult> = {};
  const reference = createCpuRuntime({ precision: "float64" });
  const known = new Map<string, Runtime>();
  const runtimeOf = (traits: Partial<Traits>): Runtime => {
    const key = JSON.stringify(traits);
    const runtime = known.get(key) ?? createGpuRuntime(gpu, { ...COMMON, ...traits });
    known.set(key, runtime);
    return runtime;
  };
  // A few at a time: Firefox takes a tenth of a second to hear of a run.
  const left = [...cases];
  const work = async (): Promise<void> => {
    for (let next = left.shift(); next; next = left.shift()) {
      const { name, op, check, traits } = next;
      try {
        const got = await runOp(runtimeOf(traits), op, check);
        const wanted = await runOp(reference, op, check);
        const roundings = halfRoundings(traceOp(op, check).tape, op.outputs);
        results[name] = { bits: hashOf(got), error: compareTensors(got, wanted, roundings).error };
      } catch (error) {
        results[name] = { bits: "", error: Number.MAX_VALUE, failed: (error as Error).message };
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  for (const runtime of known.values()) runtime.close();
  return results;
}

const AT_ONCE = 4;

/** 8 hexadecimal digits (FNV-1a) of the bits of tensors; every NaN counts as the same. */
export function hashOf(tensors: Tensors): string {
  let hash = 0x811c9dc5;
  for (const [name, data] of Object.entries(tensors)) {
    const floats = Float32Array.from(data, (x) => (Number.isNaN(x) ? 0 : x));
    const bytes = [...new TextEncoder().encode(name), ...new Uint8Array(floats.buffer)];
    for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  }
  return (hash >>> 0).toString(16).padStart(8, "0");
}
