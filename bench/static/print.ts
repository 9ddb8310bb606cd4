import type { Kernel, Report } from "./compile.ts";
import type { Mix } from "./machine-code.ts";

/** A report as tables for people: a line for each kernel, the costliest first. */
export function printReport(family: string, reports: readonly Report[]): void {
  for (const { workload, dispatches, leastBytes, flops, onMatrixUnits, kernels } of reports) {
    const count = `${dispatches} dispatches, ${(leastBytes / 1e9).toFixed(2)} GB at least, ${(flops / 1e12).toFixed(2)} TFLOP`;
    const units = onMatrixUnits > 0 ? `, ${Math.round(100 * onMatrixUnits)} % of products on matrix units` : "";
    console.log(`\n${family}, ${workload}: ${count}${units}`);
    console.table([...kernels].sort((a, b) => weight(b) - weight(a)).map(row));
  }
  console.log(
    "loop: the one that the work is in, or of products what a slab of K takes. mads: multiply-adds, or of f16 matrix instructions.",
  );
  console.log(
    "ahead: the next slab is asked for while this one is computed. waves: of a SIMD at a time. cycles: the compiler's estimate.",
  );
}

function weight({ throughput, codeBytes, groups }: Kernel): number {
  return (throughput ?? codeBytes) * groups;
}

function row(kernel: Kernel) {
  const mix: Mix = kernel.slab ?? kernel.loop ?? kernel.mix;
  return {
    kernel: nameOf(kernel),
    uses: kernel.dispatches,
    groups: kernel.groups,
    registers: kernel.registers,
    waves: kernel.waves,
    spilled: kernel.spilled + kernel.scratchBytes,
    lds: kernel.ldsBytes ?? "",
    vector: mix.vector,
    sometimes: kernel.sometimes?.vector ?? "",
    mads: mix.matrix || mix.multiplyAdds,
    "vector/mad": ratio(mix.vector, mix.matrix || mix.multiplyAdds),
    "lds r/w": `${mix.ldsReads}/${mix.ldsWrites}`,
    "memory r/w": `${mix.memoryReads}/${mix.memoryWrites}`,
    waits: mix.waits,
    ahead: kernel.slab ? kernel.slab.loadsAhead : "",
    cycles: kernel.throughput ?? "",
  };
}

function ratio(a: number, b: number): string {
  return b > 0 ? (a / b).toFixed(2) : "";
}

/** "matmul staged_64x64 a_rows b_rows f16": what tells kernels of an op apart. */
export function nameOf({ op, shaders, types, sizes }: Kernel): string {
  const last = shaders.at(-1) ?? "";
  const short = shaders
    .filter((name) => /\/(a|b|y|halves)_|lane_(quad|octet|sixteen)|in_place|plus_(?!plain)/.test(name) && name !== last)
    .map((name) => name.split("/").at(-1)!);
  const halves = Object.entries(types)
    .filter(([, type]) => type.includes("f16"))
    .map(([name]) => name);
  const held = Object.entries(sizes).filter(([name]) => /^(QUERIES|KEYS|D)$/.test(name));
  return [
    op,
    last.split("/").at(-1),
    ...short,
    ...(halves.length > 0 ? [`f16 ${halves.join(" ")}`] : []),
    ...held.map(([name, value]) => `${name} ${value}`),
  ].join(" ");
}
