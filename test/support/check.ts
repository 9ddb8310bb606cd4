import { appendFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { checkJacobian, traceOp } from "../../src/autograd/gradcheck.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import type { AnyOp, OpCase } from "../../src/kernels/op.ts";
import type { Traits } from "../../src/kernels/traits.ts";
import { compareTensors, halfRoundings, needsHalves, runOp } from "../../src/runtime/compare.ts";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";
import { createGpuRuntime } from "../../src/runtime/gpu.ts";
import type { Runtime, Tensors } from "../../src/runtime/runtime.ts";
import { adversarialGpu } from "./adversary/gpu.ts";
import type { Adversary } from "./adversary/library.ts";
import { shareGpu } from "./device.ts";
import { halvesOn, openBareGpu, openTestGpu, type TestAdapter, testAdapters } from "./gpu.ts";
import { guardGpu } from "./guard.ts";
import { wasmRuntime } from "./wasm.ts";

export interface CheckOptions {
  /** Larger cases, compared between GPU and CPU only. */
  readonly gpuCases?: readonly OpCase[];
  /** Limits or features to plan with instead of the adapter's: small ones force spans and folded grids. */
  readonly traits?: Partial<Traits> | ((gpu: Gpu) => Partial<Traits>);
  /** The drivers of this machine that are tried; all where it is absent. */
  readonly adapters?: readonly TestAdapter[];
  /** Something else to run on that computes with this device. */
  readonly device?: (gpu: Gpu) => Gpu;
  /** Relative L2 distance allowed between GPU float32 and CPU float64. */
  readonly bound?: number;
}

/**
 * The two-step truth for one op: its gradients against central differences in float64 on the CPU (every Jacobian entry
 * of its own cases), then outputs and gradients of the GPU against the CPU, on every driver of this machine.
 */
export function checkOp(op: AnyOp, options: CheckOptions = {}): void {
  const { gpuCases = [], traits = {}, device = (gpu: Gpu) => gpu } = options;
  const bound = (options.bound ?? 1e-5) + adversaryAllowance;
  /** What float64 gives, once for all runtimes. */
  const truths = new Map<OpCase, Promise<Tensors>>();
  const compare = async (runtime: Runtime, check: OpCase) => {
    const truth = truths.get(check) ?? runOp(createCpuRuntime({ precision: "float64" }), op, check);
    truths.set(check, truth);
    const got = await runOp(runtime, op, check);
    return compareTensors(got, await truth, halfRoundings(traceOp(op, check).tape, op.outputs));
  };
  describe(op.name, () => {
    if (op.vjp) {
      test.each(op.cases.map((check) => [describeCase(check), check] as const))("gradients: %s", async (_, check) => {
        const opTape = traceOp(op, check);
        expect(opTape.differentiable.length).toBeGreaterThan(0);
        const program = await createCpuRuntime({ precision: "float64" }).compile(opTape.tape);
        const worst = await checkJacobian(opTape, check, (inputs) => program.run(inputs));
        expect(worst.ratio, worst.where).toBeLessThanOrEqual(1);
      });
    }
    const casesOn = (adapter: TestAdapter) =>
      [...op.cases, ...gpuCases].filter((check) => halvesOn(adapter) || !needsHalves(op, check, GPU));
    const adapters = (options.adapters ?? testAdapters).filter((adapter) => casesOn(adapter).length > 0);
    const wasmCases = [...op.cases, ...gpuCases].filter((check) => !needsHalves(op, check));
    if (!(op.vjp && op.cases.length > 0) && adapters.length === 0 && wasmCases.length === 0)
      test.skip("no adapter of this machine can do it", () => {});
    if (wasmCases.length > 0) {
      test.each(wasmCases.map((check) => [describeCase(check), check] as const))(
        "wasm equals CPU: %s",
        async (_, check) => {
          const runtime = await wasmRuntime();
          try {
            const { error, tensor } = await compare(runtime, check);
            noteError({ op: op.name, adapter: "wasm", case: describeCase(check), tensor, error, bound });
            expect(error, tensor).toBeLessThanOrEqual(bound);
          } finally {
            runtime.close();
          }
        },
      );
    }
    describe.each(adapters)("%s", (adapter) => {
      const cases = casesOn(adapter);
      test.each(cases.map((check) => [describeCase(check), check] as const))("GPU equals CPU: %s", async (_, check) => {
        const gpu = guardGpu(device(await openCheckGpu(adapter)));
        const runtime = createGpuRuntime(gpu, typeof traits === "function" ? traits(gpu) : traits);
        try {
          const { error, tensor } = await compare(runtime, check);
          noteError({ op: op.name, adapter, case: describeCase(check), tensor, error, bound });
          expect(error, tensor).toBeLessThanOrEqual(bound);
        } finally {
          runtime.close();
        }
        await gpu.checkGuards();
      });
    });
  });
}

/** What every GPU has. */
const GPU = { packedHalves: true } as const;

/** $GPT2_ADVERSARY runs the kernels as badly as WGSL allows: "up", "down" or "mixed". */
const adversary = process.env.GPT2_ADVERSARY as Adversary | undefined;

/**
 * exp may be off by 3 + 2 |x| units in the last place, and means something down to x = -104: 211 of 2^-23 each, 2.5e-5.
 * Scores of up to 500, which a case of attention has, are kept in steps of 2^-15: 6.1e-5 more for their exponentials.
 */
export const ADVERSARY_BOUND = 9e-5;
/** What is added to every bound in this run. */
export const adversaryAllowance = adversary ? ADVERSARY_BOUND : 0;

/** The device that ops are checked on. */
export async function openCheckGpu(adapter: TestAdapter): Promise<Gpu> {
  return adversary ? shareGpu(adversarialGpu(await openBareGpu(adapter), adversary)) : openTestGpu(adapter);
}

/** $GPT2_ERRORS names a file that gets a line for each comparison. */
function noteError(comparison: object): void {
  const file = process.env.GPT2_ERRORS;
  if (file) appendFileSync(file, `${JSON.stringify(comparison)}\n`);
}

function describeCase({ inputs, attrs }: OpCase): string {
  const shapes = Object.entries(inputs).map(([name, { dtype, shape }]) => {
    return `${name} ${dtype === "f16" ? "f16 " : ""}[${shape.join(", ")}]`;
  });
  return [...shapes, ...(attrs ? [JSON.stringify(attrs)] : [])].join(" ");
}
