import { stripVTControlCharacters } from "node:util";
import { expect, test } from "vitest";
import { lossChart } from "../../src/cli/loss-chart.ts";
import { historyOf } from "../../src/report/history.ts";
import { lineListener, type RunLine } from "../../src/report/lines.ts";
import { clock, evaluation, log } from "../report/run.ts";

function chartOf(losses: readonly number[], columns = 80, evaluations: readonly number[] = []): string[] | undefined {
  const lines: RunLine[] = [];
  const listener = lineListener((line) => lines.push(line), clock());
  for (const [index, loss] of losses.entries()) listener.logged(log((index + 1) * 10, { loss }));
  for (const [index, eval_loss] of evaluations.entries())
    listener.evaluated(evaluation((index + 1) * 20, { eval_loss }));
  const chart = lossChart(historyOf("run", lines, undefined), columns);
  return chart === undefined ? undefined : stripVTControlCharacters(chart).split("\n");
}

test("a falling loss falls from the upper left to the lower right, between round numbers", () => {
  const losses = Array.from({ length: 50 }, (_, index) => 4 - index * 0.05);
  const chart = chartOf(losses, 80, [4, 3.5])!;
  expect(chart[0]).toMatch(/^loss/);
  for (const line of chart) expect(line.length).toBeLessThanOrEqual(80);
  const text = chart.join("\n");
  for (const tick of ["2.00\u2524", "3.00\u2524", "100", "400"]) expect(text).toContain(tick);
  // Columns of the first and last places of the curve, from the top row of the curve to the bottom one.
  const curve = chart.map((line) => line.slice(5).search(/[\u2501\u2513\u2517\u2503]/)).filter((at) => at >= 0);
  expect(curve.at(-1)! - curve[0]!).toBeGreaterThan(50);
});

test("ticks that are near one another have digits to tell them apart", () => {
  const chart = chartOf([2.6358, 2.6361, 2.6375])!;
  const ticks = chart.flatMap((line) => /^\s*([\d.]+)\u2524/.exec(line)?.[1] ?? []);
  expect(ticks).toEqual(["2.6375", "2.6370", "2.6365", "2.6360"]);
  for (const line of chart) expect(line.length).toBeLessThanOrEqual(80);
});

test("there is a chart of a loss that does not change, and of one with gaps", () => {
  expect(chartOf([2, 2, 2])!.join("")).toContain("2.00");
  expect(chartOf([3, Number.NaN, Number.NaN, 2])!.join("")).toContain("2.40");
});

test("there is none of a single point, of nothing, or without room", () => {
  expect(chartOf([])).toBeUndefined();
  expect(chartOf([3, Number.NaN])).toBeUndefined();
  expect(chartOf([3, 2], 20)).toBeUndefined();
});
