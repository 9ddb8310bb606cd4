import type { FloatDType } from "../core/dtype.ts";
import type { Gpu } from "../gpu/device.ts";
import { traitsOf } from "../runtime/gpu.ts";
import { matrixPeakWorks } from "./matrix-peak.ts";
import { type Effort, FULL_EFFORT, QUICK_EFFORT } from "./measure.ts";
import { costOfWork, measureOp, type OpWork } from "./op-work.ts";
import { peakWorks } from "./peak.ts";
import { leastMs, type Peak, ratesOf } from "./rates.ts";
import { OURS, type Row, timingOf } from "./row.ts";
import { blockWorks, opWorks, SHAPES, SQUARES, squareWork, variantWorks } from "./works.ts";

export interface BenchOptions {
  /** Fewer samples, and only what takes no time: for tests. */
  readonly quick: boolean;
  /** Only works whose name has this in it. */
  readonly only?: string | undefined;
}

/** A work that would take longer than this at a tenth of the peak is left out. */
const LONGEST_MS = { full: 2500, quick: 20 } as const;
const POOR = 0.1;
/** What is expected of a kernel, as a part of the peak; and how long what measures the peak may take. */
const FAIR = 0.3;
const PEAK_MS = 5;

/** Measures the adapter's arithmetic, also on matrix units, and copying. Where a result is wrong, there is no yardstick: throws. */
export async function measurePeak(gpu: Gpu, { quick }: BenchOptions): Promise<{ peak: Peak; rows: Row[] }> {
  const { fma, copy } = peakWorks(gpu, quick);
  const measured = async (work: OpWork): Promise<Row> => {
    const row = await measureRow(gpu, work, effortOf(quick), undefined);
    if (row.failed !== undefined) throw new Error(`${work.work}: ${row.failed}`);
    return row;
  };
  const chains: (Row & { gflops_per_s: number })[] = [];
  for (const work of fma) chains.push(bestOf(await measured(work), "gflops_per_s"));
  const fastest = chains.reduce((a, b) => (b.gflops_per_s > a.gflops_per_s ? b : a));
  const rows: Row[] = [fastest];
  const peak = { gflopsPerS: fastest.gflops_per_s, halfGflopsPerS: fastest.gflops_per_s };
  for (const { component, work } of matrixPeakWorks(traitsOf(gpu), quick)) {
    const row = bestOf(await measured(work), "gflops_per_s");
    rows.push(row);
    // What multiplies f32 multiplies f16, too.
    peak.halfGflopsPerS = Math.max(peak.halfGflopsPerS, row.gflops_per_s);
    if (component === "f32") peak.gflopsPerS = Math.max(peak.gflopsPerS, row.gflops_per_s);
  }
  const copied = bestOf(await measured(copy), "gb_per_s");
  return { peak: { ...peak, gbPerS: copied.gb_per_s }, rows: [...rows, copied] };
}

/** A yardstick is what the adapter can do: its best sample, at the one rate that it is for. */
function bestOf<K extends "gflops_per_s" | "gb_per_s">(row: Row, rate: K): Row & Record<K, number> {
  const { gflops_per_s = 0, gb_per_s = 0, ...rest } = row;
  const value = { gflops_per_s, gb_per_s }[rate] * ((row.median_ms ?? 0) / (row.best_ms ?? 1));
  return { ...rest, [rate]: value } as Row & Record<K, number>;
}

/** Every op at GPT-2's shapes, those first that are the same for other libraries. */
export async function* benchKernels(
  gpu: Gpu,
  peak: Peak,
  { quick, only = "" }: BenchOptions,
): AsyncGenerator<Row, void> {
  const traits = traitsOf(gpu);
  const types: FloatDType[] = traits.f16 ? ["f32", "f16"] : ["f32"];
  const squares = types.flatMap((type) => SQUARES.map((size) => squareWork(size, type)));
  const variants = types.flatMap((type) => variantWorks(gpu.kind === "hardware" ? 2048 : 512, traits, type));
  const blocks = gpu.kind === "hardware" ? types.flatMap((type) => blockWorks(traits, type)) : [];
  const all = [...squares, ...variants, ...blocks, ...SHAPES.flatMap(opWorks)];
  const named = all
    .filter((one) => one.work.includes(only))
    .map((work) => ({ work, takes: leastMs(costOfWork(work), peak) / POOR }));
  // Where a slow or busy machine would have none of what was asked for, the smallest.
  const smallest = named.reduce((least, { takes }) => Math.min(least, takes), Number.POSITIVE_INFINITY);
  const most = quick ? Math.max(LONGEST_MS.quick, smallest) : LONGEST_MS.full;
  for (const { work, takes } of named) {
    if (takes <= most) yield await measureRow(gpu, work, effortOf(quick), peak);
    else if (!quick) {
      const skipped = `would take ${(takes / 1000).toFixed(1)} s a run at ${POOR * 100} % of the peak`;
      yield { work: work.work, system: OURS, device: gpu.driver, skipped };
    }
  }
}

export function effortOf(quick: boolean): Effort {
  return quick ? QUICK_EFFORT : FULL_EFFORT;
}

/** Checked, timed, or the reason why not. */
export async function measureRow(gpu: Gpu, work: OpWork, effort: Effort, peak: Peak | undefined): Promise<Row> {
  const row = { work: work.work, system: OURS, device: gpu.driver };
  try {
    const expectedMs = peak ? leastMs(costOfWork(work), peak) / FAIR : PEAK_MS;
    const { error, failed, timing } = await measureOp(gpu, work, effort, expectedMs);
    if (!timing) return { ...row, error, ...(failed === undefined ? {} : { failed }) };
    return { ...row, ...timingOf(timing), ...ratesOf(costOfWork(work), timing.medianMs, peak), error };
  } catch (reason) {
    return { ...row, failed: reason instanceof Error ? reason.message : String(reason) };
  }
}
