import pc from "picocolors";
import { OURS, type Row } from "../bench/row.ts";

const WORK_WIDTH = 46;

/** One line a measurement, for people. */
export function printRow(row: Row): void {
  const system = row.system === OURS ? "" : `  ${row.system}`;
  const work = `  ${row.work}${system}`.padEnd(WORK_WIDTH);
  if (row.failed !== undefined) console.log(`${work} ${pc.red("FAILED")}: ${row.failed.split("\n")[0]}`);
  else if (row.skipped !== undefined) console.log(`${work} ${pc.yellow("skipped")}: ${row.skipped}`);
  else console.log([work, ...facts(row)].join("  "));
}

function facts(row: Row): string[] {
  const list: string[] = [];
  if (row.median_ms !== undefined) list.push(`${significant(row.median_ms).padStart(7)} ms`);
  if (row.gflops_per_s) list.push(`${significant(row.gflops_per_s).padStart(6)} GFLOP/s`);
  if (row.gb_per_s) list.push(`${significant(row.gb_per_s).padStart(6)} GB/s`);
  if (row.fraction_of_peak !== undefined) {
    list.push(`${`${(100 * row.fraction_of_peak).toFixed(0)} %`.padStart(5)} of ${row.limited_by}`);
  }
  return list;
}

/** Three digits: 0.0123, 1.23, 12.3, 123, 12345. */
export function significant(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
