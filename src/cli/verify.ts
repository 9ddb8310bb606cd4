import { statSync } from "node:fs";
import { Command } from "commander";
import pc from "picocolors";
import { UserError } from "../core/errors.ts";
import { builtInFixture } from "../verify/built-in.ts";
import { readFixture } from "../verify/directory.ts";
import { type Check, type Fixture, passed } from "../verify/fixture.ts";
import { verify } from "../verify/verify.ts";
import { readDirectory } from "./files.ts";
import { DEVICE_HELP, withRuntime } from "./runtime.ts";

export function verifyCommand(): Command {
  return new Command("verify")
    .description("Compare this machine's results with known ones: logits, loss, gradients and optimiser steps.")
    .option(
      "--fixture <directory>",
      "what PyTorch gave (config, model, inputs, expected); without it, a built-in model",
    )
    .option("--device <name>", `${DEVICE_HELP}, cpu-float64`)
    .option("--json", "print one JSON object")
    .option("--all", "print every check, not only the worst of each kind")
    .action(async (options: { fixture?: string; device?: string; json?: boolean; all?: boolean }) => {
      const fixture = options.fixture === undefined ? await builtInFixture() : openFixture(options.fixture);
      await withRuntime(options.device, async (runtime) => {
        const start = performance.now();
        const checks = await verify(runtime, fixture);
        const seconds = (performance.now() - start) / 1000;
        const failed = checks.filter((check) => !passed(check));
        if (options.json)
          console.log(JSON.stringify({ runtime: runtime.name, fixture: fixture.name, seconds, checks }));
        else print(runtime.name, fixture, checks, seconds, options.all === true);
        if (failed.length > 0) throw new UserError(`verify: ${failed.length} of ${checks.length} checks failed`);
      });
    });
}

function openFixture(path: string): Fixture {
  const directory = statSync(path, { throwIfNoEntry: false });
  if (!directory) throw new UserError(`${path}: does not exist`);
  return readFixture(path, readDirectory(path));
}

function print(runtime: string, fixture: Fixture, checks: readonly Check[], seconds: number, all: boolean): void {
  console.log(`${fixture.name} on ${runtime}`);
  const shown = all ? checks : worstOfEachKind(checks);
  const width = Math.max(...shown.map(({ name }) => name.length));
  for (const check of shown) {
    const verdict = passed(check) ? pc.green("passed") : pc.red("FAILED");
    const error = `${check.measure} ${check.error.toExponential(2)}`.padEnd(22);
    console.log(`  ${verdict}  ${check.name.padEnd(width)}  ${error}  bound ${check.bound.toExponential(0)}`);
  }
  const good = checks.filter(passed).length;
  console.log(`${good} of ${checks.length} checks passed in ${seconds.toFixed(1)} s`);
}

/** Checks of a kind differ in the tensor or step only: "grad wte.weight", "step 3 loss". Failed ones are all shown. */
function worstOfEachKind(checks: readonly Check[]): Check[] {
  const worst = new Map<string, Check>();
  for (const check of checks) {
    const kind = check.name.replace(/ \d+ /, " ").replace(/^(grad|final) .*?(\(key\))?$/, "$1 $2");
    const before = worst.get(kind);
    if (!before || check.error / check.bound > before.error / before.bound) worst.set(kind, check);
  }
  return checks.filter((check) => !passed(check) || [...worst.values()].includes(check));
}
