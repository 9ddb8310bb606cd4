import { createTape } from "../../src/autograd/tape.ts";
import type { Traits } from "../../src/kernels/traits.ts";
import { ARENA } from "../../src/model/arena.ts";
import { gpt2Config } from "../../src/model/config.ts";
import { declareParameters, initialParameters, layoutParameters } from "../../src/model/parameters.ts";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";
import { createGpuRuntime } from "../../src/runtime/gpu.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import type { TestDriver } from "./drivers.ts";
import { openTestGpu } from "./gpu.ts";
import { wasmRuntime } from "./wasm.ts";

/** A model whose distributions are far from flat, so that greedy choices and likely tokens are clear. */
export const smallConfig = gpt2Config({ vocabSize: 11, contextLength: 40, width: 16, layers: 2, heads: 2 });
export const smallLayout = layoutParameters(smallConfig);

async function openSmall(adapter: TestDriver | "CPU", traits: Partial<Traits>): Promise<Runtime> {
  if (adapter === "CPU") return createCpuRuntime();
  return adapter === "wasm" ? wasmRuntime() : createGpuRuntime(await openTestGpu(adapter), traits);
}

/** A runtime that has the small model's parameters. */
export async function smallRuntime(adapter: TestDriver | "CPU", traits: Partial<Traits> = {}): Promise<Runtime> {
  const runtime = await openSmall(adapter, traits);
  const tape = createTape();
  declareParameters(tape, smallLayout);
  (await runtime.compile(tape)).dispose();
  const arena = initialParameters(smallConfig, smallLayout, 1);
  // gains stay as they are; what is small and random grows
  runtime.writeState(
    ARENA.parameters,
    arena.map((x) => (x === 1 ? 1 : 20 * x)),
  );
  return runtime;
}
