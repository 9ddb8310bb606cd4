import pc from "picocolors";
import { OURS, type Row } from "../bench/row.ts";
import { byteSize, counted, rate } from "./numbers.ts";
import { terminal } from "./terminal.ts";

const WORK_WIDTH = 46;

/** One line a measurement, for people. */
export function printRow(row: Row): void {
  const system = row.system === OURS ? "" : `  ${row.system}`;
  // An op of a step is said below that step, and what is part of an op below that.
  const indent = "  ".repeat(row.within === undefined ? 1 : 2);
  const name = typeof row.share_of_step === "number" ? `${indent}${row.work.split(": ").at(-1)}` : row.work;
  const work = `  ${name}${system}`.padEnd(WORK_WIDTH);
  if (row.failed !== undefined) terminal.result(`${work} ${pc.red("FAILED")}: ${row.failed.split("\n")[0]}`);
  else if (row.skipped !== undefined) terminal.result(`${work} ${pc.yellow("skipped")}: ${row.skipped}`);
  else {
    // Those that come first are what one measures for.
    const fields = facts(row).map((text, i) => (i === 0 ? text : { text, rank: i }));
    terminal.result([work, ...fields]);
  }
}

/** What only some works have. */
const EXTRAS: readonly (readonly [name: string, say: (value: number) => string])[] = [
  ["times_ours", (value) => `${value.toFixed(2)} times ours`],
  ["tokens_per_s", (value) => `${rate(value)} tokens/s`],
  ["alone_ms", (value) => `${significant(value)} ms on one rank`],
  ["reduce_ms", (value) => `${significant(value)} ms the sum by itself`],
  ["hidden", (value) => `${(100 * value).toFixed(0)} % of it hidden`],
  ["model_flops_utilisation", (value) => `${(100 * value).toFixed(1)} % of peak by model FLOPs`],
  ["first_token_ms", (value) => `${significant(value)} ms to the first token`],
  ["awaited_ms", (value) => `${significant(value)} ms awaited one by one`],
  ["host_ms", (value) => `${significant(value)} ms of the host`],
  ["first_step_ms", (value) => `${significant(value)} ms the first step, compiling included`],
  ["dispatches", (value) => counted(value, "dispatch", "dispatches")],
  ["submits", (value) => counted(value, "submit")],
  ["gpu_bytes", (value) => `${byteSize(value)} on the device`],
];

function facts(row: Row): string[] {
  const list: string[] = [];
  if (row.median_ms !== undefined) list.push(`${significant(row.median_ms).padStart(7)} ms`);
  if (row.gflops_per_s) list.push(`${significant(row.gflops_per_s).padStart(6)} GFLOP/s`);
  if (row.gb_per_s) list.push(`${significant(row.gb_per_s).padStart(6)} GB/s`);
  if (row.fraction_of_peak !== undefined) {
    list.push(`${`${(100 * row.fraction_of_peak).toFixed(0)} %`.padStart(5)} of ${row.limited_by}`);
  }
  if (typeof row.share_of_step === "number")
    list.push(
      `${(100 * row.share_of_step).toFixed(1).padStart(5)} % of the ${row.work.startsWith("generate") ? "token" : "step"}`,
    );
  return [...list, ...EXTRAS.flatMap(([name, say]) => (typeof row[name] === "number" ? [say(row[name])] : []))];
}

/** Three digits: 0.0123, 1.23, 12.3, 123, 12345. */
export function significant(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
