/** Live curves: one chart for each number, several runs over each other. */
import uPlot from "uplot";
import { duration, grouped, rate } from "../../src/core/units.ts";
import type { LogColumn, RunLog, Track } from "./log.ts";
import type { Texts } from "./texts/en.ts";

export const CURVES = [
  "loss",
  "learning_rate",
  "grad_norm",
  "tokens_per_second",
] as const satisfies readonly LogColumn[];
export type CurveName = (typeof CURVES)[number];

/** Three digits, whole above a thousand. */
export function threeDigits(value: number): string {
  const size = Math.abs(value);
  return size >= 999.5 && size < 1e6 ? grouped(value) : value.toPrecision(3).replace("e+", "e");
}

/** A run that is drawn. */
export interface Curve {
  readonly name: string;
  readonly log: RunLog;
}

const HEIGHTS: Readonly<Record<CurveName, number>> = {
  loss: 260,
  learning_rate: 140,
  grad_norm: 140,
  tokens_per_second: 140,
};
const RUN_COLOURS = 6;

/** In English; see `figure` in the texts. */
export const FORMAT: Readonly<Record<CurveName | "eval_loss" | "remaining", (value: number) => string>> = {
  loss: (value) => value.toFixed(4),
  eval_loss: (value) => value.toFixed(4),
  learning_rate: (value) => (value === 0 ? "0" : value.toExponential(2).replace("e+", "e")),
  grad_norm: threeDigits,
  tokens_per_second: rate,
  remaining: duration,
};

const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 2 });

function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

interface Line {
  readonly label: string;
  readonly stroke: string;
  readonly evaluation: boolean;
  readonly table: uPlot.AlignedData;
}

function linesOf(name: CurveName, runs: readonly Curve[], texts: Texts): Line[] {
  const several = runs.length > 1;
  return runs.flatMap(({ name: title, log: { logs, evaluations } }, i) => {
    const own = name === "loss" ? texts.curve.training : texts.curve.value;
    const line: Line = {
      label: several ? title : own,
      stroke: `run-${i % RUN_COLOURS}`,
      evaluation: false,
      table: tableOf(logs, name),
    };
    if (name !== "loss" || evaluations.count === 0) return [line];
    const label = several ? `${title}, ${texts.curve.evaluation}` : texts.curve.evaluation;
    const stroke = several ? line.stroke : "run-1";
    return [line, { label, stroke, evaluation: true, table: tableOf(evaluations, "eval_loss") }];
  });
}

/** A number that is not finite is a gap. */
function tableOf<N extends string>({ count, columns }: Track<N>, name: N): uPlot.AlignedData {
  const numbers = (column: Float64Array): (number | null)[] =>
    Array.from(column.subarray(0, count), (value) => (Number.isFinite(value) ? value : null));
  return [numbers(columns.step), numbers(columns[name])] as uPlot.AlignedData;
}

function axisNumber(name: CurveName, value: number | null): string {
  if (value === null) return "";
  if (name === "learning_rate") return value === 0 ? "0" : value.toExponential(1).replace(".0e", "e");
  return Math.abs(value) >= 10_000 ? compact.format(value) : String(Number(value.toPrecision(4)));
}

/** The value where somebody points, or else the newest one: by touch and by keys nobody points. */
function pointedAt(plot: uPlot, value: number | null, series: number): number | null | undefined {
  const values: ArrayLike<number | null | undefined> = plot.data[series] ?? [];
  return plot.cursor.idx == null ? Array.from(values).findLast((one) => one != null) : value;
}

function told(value: number | null | undefined, format: (value: number) => string): string {
  return value == null ? "\u2013" : format(value);
}

function create(figure: HTMLElement, name: CurveName, lines: readonly Line[], texts: Texts): uPlot {
  const axis: uPlot.Axis = {
    stroke: () => colour("faint"),
    grid: { stroke: () => colour("rule"), width: 1 },
    ticks: { stroke: () => colour("rule"), width: 1 },
    font: "12px system-ui, sans-serif",
  };
  const options: uPlot.Options = {
    width: figure.clientWidth,
    height: HEIGHTS[name],
    padding: [8, 16, null, null],
    scales: { x: { time: false } },
    axes: [
      {
        ...axis,
        values: (_, splits) => splits.map((value) => (Number.isInteger(value) ? texts.figure(grouped(value)) : "")),
      },
      { ...axis, size: 58, values: (_, splits) => splits.map((value) => texts.figure(axisNumber(name, value))) },
    ],
    series: [
      {
        label: texts.curve.step,
        value: (plot, at, series) => told(pointedAt(plot, at, series), (step) => texts.figure(grouped(step))),
      },
      ...lines.map(
        ({ label, stroke, evaluation }): uPlot.Series => ({
          label,
          stroke: () => colour(stroke),
          width: evaluation ? 2 : 1.5,
          ...(evaluation ? { dash: [6, 4] } : {}),
          points: { show: evaluation, size: 5 },
          value: (plot, value, series) =>
            told(pointedAt(plot, value, series), (number) => texts.figure(FORMAT[name](number))),
        }),
      ),
    ],
    cursor: { sync: { key: "runs" }, drag: { x: false, y: false } },
  };
  return new uPlot(options, uPlot.join(lines.map(({ table }) => table)), figure);
}

/** A chart of one number, drawn in `figure`; `update` with whatever there is by now. */
export interface Chart {
  update(runs: readonly Curve[], texts: Texts): void;
  redraw(): void;
  remove(): void;
}

export function createChart(figure: HTMLElement, name: CurveName): Chart {
  let chart: uPlot | undefined;
  let shape = "";
  let last: { runs: readonly Curve[]; texts: Texts } | undefined;
  const observer = new ResizeObserver(() => {
    if (chart && figure.clientWidth > 0) chart.setSize({ width: figure.clientWidth, height: HEIGHTS[name] });
  });
  observer.observe(figure);
  const self: Chart = {
    update(runs, texts) {
      last = { runs, texts };
      const lines = linesOf(name, runs, texts);
      const next = JSON.stringify([texts.locale, lines.map(({ label, stroke }) => [label, stroke])]);
      if (chart && next === shape) {
        chart.setData(uPlot.join(lines.map(({ table }) => table)));
        return;
      }
      chart?.destroy();
      chart = lines.length === 0 ? undefined : create(figure, name, lines, texts);
      shape = next;
    },
    remove() {
      observer.disconnect();
      chart?.destroy();
    },
    redraw() {
      shape = "";
      if (last) self.update(last.runs, last.texts);
    },
  };
  return self;
}
