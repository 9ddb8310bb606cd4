import { expect, test } from "vitest";
import { GPU_KERNELS, gpuKernelOf } from "../../src/kernels/gpu/index.ts";
import { OPS } from "../../src/kernels/index.ts";
import { type AnyOp, f32 } from "../../src/kernels/op.ts";
import { WASM_KERNELS, wasmKernelOf } from "../../src/kernels/wasm/index.ts";

const x = f32([2, 3]);

/** On the CPU alone. */
const sameOp: AnyOp = {
  name: "same",
  inputs: ["x"],
  outputs: ["y"],
  shapes: () => ({ y: x }),
  cpu: (inputs, { y }) => y!.data.set(inputs.x!.data),
  cost: () => ({ flops: 0, bytes: 48 }),
  cases: [],
};
const geluOp = OPS.find(({ name }) => name === "gelu")!;

test("every op of ours has one kernel for a GPU and at most one in WebAssembly, in files of their own", () => {
  const names = (kernels: readonly { readonly op: AnyOp }[]): string[] => kernels.map(({ op }) => op.name).sort();
  const ours = OPS.map(({ name }) => name).sort();
  expect(names(GPU_KERNELS)).toEqual(ours);
  const inWasm = names(WASM_KERNELS);
  expect(inWasm).toEqual([...new Set(inWasm)]);
  expect(ours).toEqual(expect.arrayContaining(inWasm));
  for (const op of OPS) expect(op.gpu ?? op.scratch ?? op.wasm, op.name).toBeUndefined();
});

test("so has a copy, as one with other cases; what it brings itself goes before", () => {
  const copy = { ...geluOp, cases: [] };
  expect(gpuKernelOf(copy)).toBe(gpuKernelOf(geluOp));
  expect(wasmKernelOf(copy)).toBe(wasmKernelOf(geluOp));
  const own = { ...geluOp, gpu: () => [], wasm: () => undefined };
  expect(gpuKernelOf(own)).toBe(own);
  expect(wasmKernelOf(own)).toBe(own.wasm);
});

test("an op that has none is refused for a GPU by its name, and runs its loop in WebAssembly, whatever it is called", () => {
  expect(() => gpuKernelOf(sameOp)).toThrow("same: has no kernel for a GPU; give its spec `gpu`, or run it on the CPU");
  expect(() => gpuKernelOf({ ...sameOp, name: "gelu" })).toThrow("gelu: has no kernel for a GPU");
  expect(wasmKernelOf({ ...sameOp, name: "gelu" })).toBeUndefined();
});
