import { closeSync, existsSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import pc from "picocolors";
import { userError } from "../core/errors.ts";
import { duration, grouped, rate } from "../core/units.ts";
import { writeOutput } from "../node/files.ts";
import { writeWholeFile } from "../platform/node/durable.ts";
import { statOf, systemError } from "../platform/node/folder.ts";
import { type Difference, differencesOf, factsOf, type RunFacts } from "../report/facts.ts";
import { type RunHistory, statusOf } from "../report/history.ts";
import { reportPage } from "../report/page.ts";
import { decimals } from "../report/page-parts.ts";
import { REPORT_FILE } from "../run/files.ts";
import type { ReadRun } from "../run/read.ts";
import { lossChart } from "./loss-chart.ts";
import { readRunDirectory } from "./run-home.ts";
import { fitted, printable, terminal, widthOf } from "./terminal.ts";

const NONE = "\u2013";
/** Damaged lines of a run that are named one by one. */
const MOST_PROBLEMS = 5;

export function reportCommand(): Command {
  return new Command("report")
    .description("Compare runs: numbers, settings that differ, and a page with their curves over each other.")
    .argument("<run...>", "directories that gpt2 train wrote; a run may still be going on")
    .option("--out <file>", "write one HTML page with the curves; it needs no network")
    .option("--json", "print everything as JSON")
    .action(async (directories: string[], options: { out?: string; json?: boolean }) => {
      const runs: ReadRun[] = [];
      for (const directory of directories) runs.push(await readRunDirectory(directory));
      const histories = told(
        runs.map(({ history }) => history),
        directories,
      );
      const facts = histories.map(factsOf);
      const differences = histories.length > 1 ? differencesOf(histories) : [];
      for (const { problems } of runs) tellProblems(problems);
      runs.forEach(({ history }, i) => {
        if (statusOf(history) === "killed") bringUpToDate(join(directories[i]!, REPORT_FILE), history);
      });
      if (options.json) {
        const problems = runs.flatMap((run) => run.problems);
        terminal.json({ runs: facts, differences, problems }, { space: 2 });
      } else {
        terminal.result(formatRuns(facts, terminal.resultColumns));
        const columns = terminal.resultColumns;
        const chart = columns !== undefined && histories.length === 1 && lossChart(histories[0]!, columns);
        if (chart) terminal.result(`\n${chart}`);
        if (differences.length > 0) terminal.result(`\n${formatDifferences(facts, differences)}`);
        else if (histories.length > 1) terminal.result("\nno settings differ");
      }
      if (options.out !== undefined) {
        writePage(options.out, histories);
        terminal.say(`wrote ${pc.bold(printable(options.out))}`);
      }
    });
}

/** Runs by the names of their directories; by their paths where two names are the same. */
function told(histories: readonly RunHistory[], paths: readonly string[]): RunHistory[] {
  const unique = new Set(histories.map(({ name }) => name)).size === histories.length;
  return histories.map((history, index) => (unique ? history : { ...history, name: paths[index]! }));
}

function tellProblems(problems: readonly string[]): void {
  for (const problem of problems.slice(0, MOST_PROBLEMS)) terminal.warn(problem);
  if (problems.length > MOST_PROBLEMS) terminal.warn(`and ${problems.length - MOST_PROBLEMS} more`);
}

/** The page of a run that was killed says that it is running; where it cannot be written it stays so. */
function bringUpToDate(path: string, history: RunHistory): void {
  try {
    if (existsSync(path)) writeWholeFile(path, reportPage([history]));
  } catch {}
}

function writePage(path: string, histories: readonly RunHistory[]): void {
  const page = reportPage(histories);
  // Data and logs are files, too, and a slip away from where a page was meant to go.
  const found = statOf(path);
  if (found?.isFile() && !isPage(path, found.size))
    userError(`${path}: is there already, and no page of runs; choose another --out`);
  writeOutput(path, page);
}

/** Whether an earlier page may be written anew. */
function isPage(path: string, size: number): boolean {
  const start = Buffer.alloc(Math.min(size, 1024));
  try {
    const file = openSync(path, "r");
    try {
      readSync(file, start);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    return systemError(path, error);
  }
  const text = start.toString("utf8");
  return text.startsWith("<!doctype html>") || (size === start.length && text.trim() === "");
}

interface Column<T> {
  readonly head: string;
  readonly cell: (row: T) => string;
  /** Columns of the highest rank are left out first where a table is too wide; those without one never. */
  readonly rank?: number;
  readonly align?: "left";
}

const RUN_COLUMNS: readonly Column<RunFacts>[] = [
  { head: "run", cell: ({ name }) => name, align: "left" },
  { head: "status", cell: ({ status }) => status, rank: 3, align: "left" },
  {
    head: "steps",
    cell: ({ step, max_steps: most }) => (most === undefined ? grouped(step) : `${grouped(step)}/${grouped(most)}`),
    rank: 1,
  },
  { head: "loss", cell: (run) => decimals(run.loss, 4) },
  { head: "lowest", cell: (run) => decimals(run.lowest_loss, 4), rank: 10 },
  { head: "eval", cell: (run) => decimals(run.eval_loss, 4), rank: 4 },
  { head: "best", cell: (run) => decimals(run.best_eval_loss, 4), rank: 2 },
  { head: "at step", cell: (run) => whole(run.best_step), rank: 8 },
  { head: "perplexity", cell: (run) => decimals(run.best_eval_perplexity, 2), rank: 7 },
  { head: "tokens", cell: (run) => whole(run.num_input_tokens_seen), rank: 9 },
  { head: "tokens/s", cell: ({ tokens_per_second: pace }) => (pace === undefined ? NONE : rate(pace)), rank: 6 },
  { head: "time", cell: (run) => duration(run.runtime), rank: 5 },
  { head: "left out", cell: (run) => whole(run.skipped_steps), rank: 11 },
];

/** A row a run. Losses in nats. `width`: of the window, where there is one. */
export function formatRuns(facts: readonly RunFacts[], width?: number): string {
  return table(RUN_COLUMNS, facts, width);
}

/** A row a setting. */
export function formatDifferences(facts: readonly RunFacts[], differences: readonly Difference[]): string {
  const runs = facts.map(({ name }, i): Column<Difference> => {
    return { head: name, cell: ({ values }) => values[i] ?? NONE, align: "left" };
  });
  return table([{ head: "setting", cell: ({ setting }) => setting, align: "left" }, ...runs], differences);
}

function whole(value: number | undefined): string {
  return value === undefined ? NONE : grouped(value);
}

function table<T>(columns: readonly Column<T>[], rows: readonly T[], width = Number.POSITIVE_INFINITY): string {
  const padded = columns.map(({ head, cell, rank = 0, align }) => {
    const cells = [head, ...rows.map((row) => printable(cell(row)).replaceAll("\n", " "))];
    const most = cells.reduce((longest, text) => Math.max(longest, widthOf(text)), 0);
    const space = (text: string): string => " ".repeat(most - widthOf(text));
    return { rank, cells: cells.map((text) => (align === "left" ? text + space(text) : space(text) + text)) };
  });
  // All cells of a column are of one width, so that all lines leave out the same ones.
  const lines = ["", ...rows].map((_, i) =>
    fitted(
      padded.map(({ rank, cells }) => ({ text: cells[i]!, rank })),
      width,
    ).trimEnd(),
  );
  return [pc.bold(lines[0]!), ...lines.slice(1)].join("\n");
}
