import { readFileSync } from "node:fs";
import { Option } from "commander";
import type { Tape } from "../autograd/tape.ts";
import { deviceBench } from "../bench/tune.ts";
import type { Gpu } from "../gpu/device.ts";
import { mergeTunings, NO_TUNING, type Tuning, tuningFrom } from "../kernels/tuning.ts";
import { kernelsDigest } from "../kernels/wgsl.ts";
import { keepMeasurements, measurementKey, readMeasurements } from "../platform/node.ts";
import { traitsOf } from "../runtime/gpu.ts";
import { type Contest, contestsOf, type TuningResult, tune } from "../runtime/tuner.ts";
import { significant } from "./bench-print.ts";
import { terminal } from "./terminal.ts";

/** `--tune`. */
export function tuneOption(): Option {
  return new Option("--tune", "time the kernels' variants on this adapter first, and keep the choice for later runs");
}

/** What was measured on this adapter before with these kernels, or nothing; a damaged file is told of in one line. */
export async function keptTuning(gpu: Gpu): Promise<Tuning | undefined> {
  const { data, problem } = await readMeasurements(keyOf(gpu));
  const tuning = tuningFrom(data);
  if (problem !== undefined) terminal.warn(problem);
  else if (data !== undefined && !tuning) terminal.warn("what was kept of --tune is damaged; ignored");
  return tuning;
}

/**
 * Measures every class of sizes that the tapes have, keeps it for later runs beside what was known of others, and gives
 * both. Says on standard error what it chose. $GPT2_TUNE_ONLY leaves out classes without it in their name, as printed;
 * with $GPT2_TUNE_ALL it says what each choice took. Rejects
 * with the reason of `signal` once it is aborted, and keeps nothing.
 */
export async function measureTuning(gpu: Gpu, tapes: Iterable<Tape>, signal?: AbortSignal): Promise<Tuning> {
  const { GPT2_TUNE_ONLY: only = "" } = process.env;
  const contests = contestsOf(tapes, traitsOf(gpu)).filter((one) => `${one.kind} ${one.class}`.includes(only));
  terminal.say(`tuning ${contests.length} classes of sizes on ${gpu.driver}`);
  const told = (result: TuningResult): void => {
    // Of what was left nothing is right, so that the default has won.
    signal?.throwIfAborted();
    printResult(result);
  };
  const measured = await tune(contests, deviceBench(gpu, told));
  const tuning = mergeTunings((await keptTuning(gpu)) ?? NO_TUNING, measured);
  try {
    terminal.say(`kept in ${await keepMeasurements(keyOf(gpu), tuning)}`);
  } catch (reason) {
    terminal.warn(`the tuning holds for this run only: ${(reason as Error).message}`);
  }
  return tuning;
}

/** Another adapter, another driver, another version or changed shaders: what was measured does not count. */
function keyOf(gpu: Gpu): string {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  return measurementKey(gpu, `${version} ${kernelsDigest()}`);
}

function printResult({ contest, winner, best }: TuningResult): void {
  const nameOf = (choice: Contest["choices"][number]): string =>
    typeof choice === "string" ? choice : `${choice.variant}, ${choice.splits} splits`;
  const name = nameOf(contest.choices[winner]!);
  const gain = best[0] !== undefined && winner > 0 ? `, ${(best[0] / best[winner]!).toFixed(2)} times as fast` : "";
  terminal.say(`  ${contest.kind} ${contest.class}: ${name}${winner === 0 ? " (the default)" : gain}`);
  if (process.env.GPT2_TUNE_ALL === undefined) return;
  contest.choices.forEach((choice, at) => {
    const ms = best[at];
    terminal.say(`    ${nameOf(choice)}: ${ms === undefined ? "far behind, or wrong" : `${significant(ms)} ms`}`);
  });
}
