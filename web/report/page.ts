/** The script of a report's page: it draws the curves that the page carries as JSON. */
import "../locale.ts";
import uPlot from "uplot";
import { duration, grouped } from "../../src/core/units.ts";
import type { Column, RunCurves } from "../../src/report/curves.ts";

type X = "step" | "tokens" | "seconds";
type Key = "loss" | "learning_rate" | "grad_norm" | "tokens_per_second";

const HEIGHTS: Readonly<Record<Key, number>> = {
  loss: 320,
  learning_rate: 180,
  grad_norm: 180,
  tokens_per_second: 180,
};
const RUN_COLOURS = 8;
/** CSS pixels from a notice's line within which its message is shown. */
const NEAR = 8;
const RELOAD_MS = 30_000;
const QUIET_MS = 120_000;

const runs: readonly RunCurves[] = JSON.parse(document.getElementById("runs")!.textContent!);
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 2 });
let charts: uPlot[] = [];

function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function runColour(index: number): () => string {
  return () => colour(`run-${index % RUN_COLOURS}`);
}

const X_FORMAT: Readonly<Record<X, (value: number) => string>> = {
  step: grouped,
  tokens: (value) => compact.format(value),
  seconds: duration,
};

const Y_FORMAT: Readonly<Record<Key, (value: number) => string>> = {
  loss: (value) => value.toFixed(4),
  learning_rate: (value) => value.toExponential(2),
  grad_norm: (value) => value.toPrecision(3),
  tokens_per_second: grouped,
};

/** Steps of an axis that are round as times. */
const SECONDS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 43200, 86400, 172800];

interface Curve {
  readonly label: string;
  readonly run: number;
  readonly evaluation: boolean;
  readonly x: Column;
  readonly y: Column;
}

function curvesFor(key: Key, x: X): Curve[] {
  const several = runs.length > 1;
  return runs.flatMap(({ name, logs, evaluations }, run) => {
    const alone = key === "loss" ? "training" : "value";
    const training = { label: several ? name : alone, run, evaluation: false, x: logs[x], y: logs[key] };
    if (key !== "loss" || evaluations.loss.length === 0) return [training];
    const label = several ? `${name}, evaluation` : "evaluation";
    return [training, { label, run, evaluation: true, x: evaluations[x], y: evaluations.loss }];
  });
}

/** One table with a column for each curve: where a curve has no point it has undefined, which leaves no gap. */
function joined(curves: readonly Curve[]): uPlot.AlignedData {
  const tables = curves.map(({ x, y }) => {
    const known = x.flatMap((value, index) => (value === null ? [] : [[value, y[index] ?? null] as const]));
    return [known.map(([value]) => value), known.map(([, value]) => value)] as uPlot.AlignedData;
  });
  return uPlot.join(tables);
}

function draw(figure: HTMLElement, x: X, logarithmic: boolean): uPlot {
  const key = figure.dataset.chart as Key;
  const curves = curvesFor(key, x);
  const format = (value: number | null | undefined): string => (value == null ? "\u2013" : Y_FORMAT[key](value));
  const log = key === "loss" && logarithmic;
  const axis: uPlot.Axis = {
    stroke: () => colour("faint"),
    grid: { stroke: () => colour("rule"), width: 1 },
    ticks: { stroke: () => colour("rule"), width: 1 },
    font: "12px system-ui, sans-serif",
  };
  const message = figure.querySelector<HTMLElement>(".message");
  const options: uPlot.Options = {
    width: figure.clientWidth,
    height: HEIGHTS[key],
    padding: [null, 28, null, null],
    scales: { x: { time: false }, y: log ? { distr: 3, range: logRange } : {} },
    axes: [
      {
        ...axis,
        values: (_, splits) => splits.map((value) => (value === null ? "" : X_FORMAT[x](value))),
        ...(x === "seconds" ? { incrs: SECONDS } : {}),
      },
      {
        ...axis,
        size: 58,
        values: (_, splits) => splits.map((value) => axisNumber(key, value)),
        ...(log ? { splits: (_u, _axis, low, high) => roundBetween(low, high), filter: (_, splits) => splits } : {}),
      },
    ],
    series: [
      {
        label: { step: "step", tokens: "tokens", seconds: "time" }[x],
        value: (_, at) => (at == null ? "\u2013" : X_FORMAT[x](at)),
      },
      ...curves.map(({ label, run, evaluation }): uPlot.Series => {
        const stroke = runColour(runs.length === 1 && evaluation ? 1 : run);
        return {
          label,
          stroke,
          width: evaluation ? 2 : 1.5,
          ...(evaluation && runs.length > 1 ? { dash: [6, 4] } : {}),
          points: evaluation ? { show: true, size: 6, fill: stroke } : { size: 4, fill: stroke },
          value: (_, value) => format(value),
        };
      }),
    ],
    cursor: { sync: { key: "runs" }, drag: { x: true, y: false } },
    hooks: {
      draw: [(chart) => drawNotices(chart, x)],
      ...(message ? { setCursor: [(chart: uPlot) => tellNotice(chart, x, message)] } : {}),
    },
  };
  return new uPlot(options, joined(curves), figure);
}

function axisNumber(key: Key, value: number | null): string {
  if (value === null) return "";
  if (key === "learning_rate") return value === 0 ? "0" : value.toExponential(1).replace(".0e", "e");
  return Math.abs(value) >= 10_000 ? compact.format(value) : String(Number(value.toPrecision(4)));
}

/** The range of a logarithmic axis; where there is nothing above 0 to draw, any. */
function logRange(_: uPlot, low: number | null, high: number | null): uPlot.Range.MinMax {
  return low !== null && high !== null && low > 0 && Number.isFinite(high) ? [low * 0.98, high * 1.02] : [1, 10];
}

/** Round numbers for a logarithmic axis, `low` > 0. */
function roundBetween(low: number, high: number): number[] {
  const marks = high / low > 30 ? [1] : high / low > 4 ? [1, 2, 5] : [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8];
  const found: number[] = [];
  for (let power = 10 ** Math.floor(Math.log10(low)); power <= high; power *= 10)
    found.push(...marks.map((mark) => Number((mark * power).toPrecision(3))).filter((at) => at >= low && at <= high));
  return found;
}

interface Marked {
  readonly at: number;
  readonly run: number;
  readonly text: string;
  readonly kind: string;
}

function noticesAt(x: X): Marked[] {
  return runs.flatMap(({ notices, name }, run) =>
    notices.flatMap(({ kind, message, ...places }) => {
      const at = places[x];
      const who = runs.length > 1 ? `${name}: ` : "";
      if (at === null || kind === "checkpoint") return [];
      return [{ at, run, kind, text: `${who}${kind}, step ${grouped(places.step)}: ${message}` }];
    }),
  );
}

function drawNotices(chart: uPlot, x: X): void {
  const { ctx, bbox } = chart;
  ctx.save();
  ctx.lineWidth = uPlot.pxRatio;
  ctx.setLineDash([3 * uPlot.pxRatio, 3 * uPlot.pxRatio]);
  for (const { at, kind, run } of noticesAt(x)) {
    const left = chart.valToPos(at, "x", true);
    if (left < bbox.left || left > bbox.left + bbox.width) continue;
    ctx.strokeStyle = runs.length > 1 ? runColour(run)() : colour(kind);
    ctx.beginPath();
    ctx.moveTo(left, bbox.top);
    ctx.lineTo(left, bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.restore();
}

/** The message of the notice that the pointer is on. */
function tellNotice(chart: uPlot, x: X, message: HTMLElement): void {
  const left = chart.cursor.left ?? -1;
  const near = noticesAt(x)
    .map((notice) => ({ ...notice, away: Math.abs(chart.valToPos(notice.at, "x") - left) }))
    .filter(({ away }) => left >= 0 && away <= NEAR)
    .sort((a, b) => a.away - b.away)[0];
  message.textContent = near?.text ?? "";
}

function drawAll(): void {
  const x = document.querySelector<HTMLInputElement>('input[name="x"]:checked')!.value as X;
  const logarithmic = document.querySelector<HTMLInputElement>("#log")!.checked;
  for (const chart of charts) chart.destroy();
  charts = [...document.querySelectorAll<HTMLElement>("[data-chart]")].map((figure) => draw(figure, x, logarithmic));
}

/** A run that was going on when the page was written: how long ago that was, and a way to follow it. */
function followRun(): void {
  const badge = document.querySelector<HTMLElement>('[data-status="running"]');
  const time = document.querySelector("time");
  const reload = document.querySelector<HTMLInputElement>("#reload");
  if (!badge || !time || !reload) return;
  const quiet = Date.now() - Date.parse(time.dateTime);
  if (quiet > QUIET_MS) {
    badge.textContent = "running, or killed";
    time.after(` (nothing new for ${duration(quiet / 1000)})`);
  }
  reload.parentElement!.hidden = false;
  reload.checked = location.hash === "#follow";
  reload.addEventListener("change", () => history.replaceState(null, "", reload.checked ? "#follow" : "#"));
  setInterval(() => reload.checked && location.reload(), RELOAD_MS);
}

drawAll();
followRun();
document.querySelector(".controls")!.addEventListener("change", drawAll);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
addEventListener("resize", () => {
  for (const chart of charts) {
    const figure = chart.root.parentElement!;
    chart.setSize({ width: figure.clientWidth, height: HEIGHTS[figure.dataset.chart as Key] });
  }
});
