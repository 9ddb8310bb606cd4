import pc from "picocolors";
import plot from "simple-ascii-chart";
import { largest, smallest } from "../core/extremes.ts";
import { grouped } from "../core/units.ts";
import type { RunHistory } from "../report/history.ts";

const HEIGHT = 11;
const MOST_COLUMNS = 100;
/** What the axis on the left takes. */
const AXIS_COLUMNS = 8;

type Point = readonly [step: number, loss: number];

/**
 * The loss over the steps as text, `columns` wide: training blue and, on a terminal with colours, evaluation yellow.
 * Undefined where there are fewer than two points, or no room.
 */
export function lossChart(history: RunHistory, columns: number): string | undefined {
  const width = Math.min(MOST_COLUMNS, columns) - AXIS_COLUMNS;
  const training = finite(history.logs.map(({ step, loss }) => [step, loss]));
  const evaluation = finite(history.evaluations.map((line) => [line.step, line.eval_loss]));
  if (training.length < 2 || width < 20) return undefined;
  const lines = [resampled(training, width)];
  if (pc.isColorSupported && evaluation.length > 1) lines.push(resampled(evaluation, width));
  const all = lines.flat();
  const [low, high] = [smallest(all.map(([, loss]) => loss)), largest(all.map(([, loss]) => loss))];
  const ticks = roundTicks(low, high, 5);
  const chart = plot(
    lines.map((line) => line.map(([step, loss]) => [step, loss] as [number, number])),
    {
      width,
      height: HEIGHT,
      customXAxisTicks: roundTicks(0, training.at(-1)![0], 5),
      customYAxisTicks: ticks,
      formatter: (value, { axis }) => (axis === "x" ? grouped(value) : tickText(value, ticks)),
      ...(pc.isColorSupported ? { color: ["ansiBlue", "ansiYellow"] } : {}),
    },
  );
  const title = lines.length > 1 ? `loss: ${pc.blue("training")}, ${pc.yellow("evaluation")}` : "loss";
  return `${title}\n${chart.replace(/^\s*\n|\s+$/g, "")}`;
}

function finite(points: readonly Point[]): Point[] {
  return points.filter(([, loss]) => Number.isFinite(loss));
}

/** As many points as there are columns: the mean of those near each, or a place on the line between two. */
function resampled(points: readonly Point[], columns: number): Point[] {
  const [first, last] = [points[0]![0], points.at(-1)![0]];
  const apart = (last - first) / (columns - 1);
  return Array.from({ length: columns }, (_, column): Point => {
    const step = first + column * apart;
    const near = points.filter(([at]) => Math.abs(at - step) <= apart / 2);
    if (near.length > 0) return [step, near.reduce((sum, [, loss]) => sum + loss, 0) / near.length];
    const after = points.findIndex(([at]) => at > step);
    const [[a, low], [b, high]] = [points[after - 1]!, points[after]!];
    return [step, low + ((step - a) / (b - a)) * (high - low)];
  });
}

const MOST_DECIMALS = 4;

/** Three digits, or as many as tell one tick from the next. */
function tickText(value: number, ticks: readonly number[]): string {
  const apart = ticks.length > 1 ? ticks[1]! - ticks[0]! : 1;
  // A tick that is 0.0005 from the next has four decimals, whatever its last bits are.
  const decimals = Math.min(MOST_DECIMALS, Math.ceil(-Math.log10(apart) - 1e-9));
  const usual = value.toPrecision(3);
  return decimals > (usual.split(".")[1] ?? "").length ? value.toFixed(decimals) : usual;
}

/** About `count` round numbers from `low` to `high`. */
function roundTicks(low: number, high: number, count: number): number[] {
  const rough = Math.max(high - low, 1e-6) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const apart = [1, 2, 5, 10].map((mark) => mark * power).find((size) => size >= rough)!;
  const first = Math.ceil(low / apart);
  return Array.from({ length: Math.floor(high / apart) - first + 1 }, (_, index) => (first + index) * apart);
}
