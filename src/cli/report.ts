import { existsSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import pc from "picocolors";
import { duration, grouped } from "../core/units.ts";
import { systemError } from "../platform/node/folder.ts";
import { writeWholeFile } from "../platform/node/whole-file.ts";
import { type Difference, differencesOf, factsOf, type RunFacts } from "../report/facts.ts";
import { type RunHistory, statusOf } from "../report/history.ts";
import { reportPage } from "../report/page.ts";
import { decimals } from "../report/page-parts.ts";
import { lossChart } from "./loss-chart.ts";
import { REPORT_FILE } from "./report-page.ts";
import { readRun } from "./run-read.ts";

const NONE = "\u2013";
/** Damaged lines of a run that are named one by one. */
const MOST_PROBLEMS = 5;

export function reportCommand(): Command {
  return new Command("report")
    .description("Compare runs: numbers, settings that differ, and a page with their curves over each other.")
    .argument("<run...>", "directories that gpt2 train wrote; a run may still be going on")
    .option("--out <file>", "write one HTML page with the curves; it needs no network")
    .option("--json", "print everything as JSON")
    .action((directories: string[], options: { out?: string; json?: boolean }) => {
      const runs = directories.map(readRun);
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
        console.log(JSON.stringify({ runs: facts, differences, problems }, null, 2));
      } else {
        console.log(formatRuns(facts));
        const chart =
          process.stdout.isTTY && histories.length === 1 && lossChart(histories[0]!, process.stdout.columns || 80);
        if (chart) console.log(`\n${chart}`);
        if (differences.length > 0) console.log(`\n${formatDifferences(facts, differences)}`);
        else if (histories.length > 1) console.log("\nno settings differ");
      }
      if (options.out !== undefined) {
        writePage(options.out, histories);
        console.error(`wrote ${pc.bold(options.out)}`);
      }
    });
}

/** Runs by the names of their directories; by their paths where two names are the same. */
function told(histories: readonly RunHistory[], paths: readonly string[]): RunHistory[] {
  const unique = new Set(histories.map(({ name }) => name)).size === histories.length;
  return histories.map((history, index) => (unique ? history : { ...history, name: paths[index]! }));
}

function tellProblems(problems: readonly string[]): void {
  for (const problem of problems.slice(0, MOST_PROBLEMS)) console.error(pc.yellow(problem));
  if (problems.length > MOST_PROBLEMS) console.error(pc.yellow(`and ${problems.length - MOST_PROBLEMS} more`));
}

/** The page of a run that was killed says that it is running; where it cannot be written it stays so. */
function bringUpToDate(path: string, history: RunHistory): void {
  try {
    if (existsSync(path)) writeWholeFile(path, reportPage([history]));
  } catch {}
}

function writePage(path: string, histories: readonly RunHistory[]): void {
  const page = reportPage(histories);
  try {
    writeWholeFile(path, page);
  } catch (error) {
    systemError(path, error);
  }
}

/** A row a run. Losses in nats. */
export function formatRuns(facts: readonly RunFacts[]): string {
  const heads = ["run", "status", "steps", "loss", "lowest", "eval", "best", "at step", "perplexity", "tokens"];
  const rows = facts.map((run) => [
    run.name,
    run.status,
    run.max_steps === undefined ? grouped(run.step) : `${grouped(run.step)}/${grouped(run.max_steps)}`,
    decimals(run.loss, 4),
    decimals(run.lowest_loss, 4),
    decimals(run.eval_loss, 4),
    decimals(run.best_eval_loss, 4),
    whole(run.best_step),
    decimals(run.best_eval_perplexity, 2),
    whole(run.num_input_tokens_seen),
    whole(run.tokens_per_second),
    duration(run.runtime),
    whole(run.skipped_steps),
  ]);
  return table([...heads, "tokens/s", "time", "left out"], rows, 2);
}

/** A row a setting. */
export function formatDifferences(facts: readonly RunFacts[], differences: readonly Difference[]): string {
  const rows = differences.map(({ setting, values }) => [setting, ...values.map((value) => value ?? NONE)]);
  return table(["setting", ...facts.map(({ name }) => name)], rows, Number.POSITIVE_INFINITY);
}

function whole(value: number | undefined): string {
  return value === undefined ? NONE : grouped(value);
}

/** Columns from `numbers` on are aligned to the right. */
function table(heads: readonly string[], rows: readonly (readonly string[])[], numbers: number): string {
  const widths = heads.map((head, column) => Math.max(head.length, ...rows.map((row) => row[column]!.length)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => (column >= numbers ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)))
      .join("  ")
      .trimEnd();
  return [pc.bold(line(heads)), ...rows.map(line)].join("\n");
}
