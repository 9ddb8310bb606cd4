import { Command, Option } from "commander";
import pc from "picocolors";
import type { FloatDType } from "../core/dtype.ts";
import { UserError } from "../core/errors.ts";
import { largest } from "../core/extremes.ts";
import { shellPath } from "../core/shell.ts";
import { readDirectory, readTextUntil } from "../node/files.ts";
import { statOf } from "../platform/node/folder.ts";
import type { OpenRuntime } from "../run/session.ts";
import { requireHalves } from "../runtime/checks.ts";
import type { ProgramStats, Runtime } from "../runtime/runtime.ts";
import { builtInFixture } from "../verify/built-in.ts";
import { readFixture } from "../verify/directory.ts";
import { type Check, passed, worstOfEachKind } from "../verify/fixture.ts";
import { readGenerationFixture, verifyGeneration } from "../verify/generation.ts";
import { parseHashedFixture, verifyHashed } from "../verify/hashed.ts";
import { verify } from "../verify/verify.ts";
import type { Elsewhere } from "./flags.ts";
import type { Interrupt } from "./interrupt.ts";
import { byteSize } from "./numbers.ts";
import { DEVICE_HELP, withRuntime } from "./runtime.ts";
import { printable, terminal } from "./terminal.ts";

/** What is said of words that are none of this command's. */
export const VERIFY_ELSEWHERE: Elsewhere = { word: (word) => `give a directory with --fixture ${shellPath(word)}` };

export function verifyCommand(interrupt: Interrupt): Command {
  return new Command("verify")
    .description("Compare this machine's results with known ones: logits, loss, gradients and optimiser steps.")
    .option(
      "--fixture <directory>",
      "what PyTorch gave (config, model, inputs, expected, generate); without it, a built-in model",
    )
    .option("--device <name>", `${DEVICE_HELP}; or cpu-float64`)
    .addOption(
      new Option("--precision <type>", "of matrices and activations; f16 has bounds of its own")
        .choices(["f32", "f16"])
        .default("f32"),
    )
    .option("--json", "print one JSON object")
    .option("--all", "print every check, not only the worst of each kind")
    .option("--no-steps", "only loss and gradients, for a fixture of hashed parameters: a quarter of the memory")
    .action(async (options: VerifyFlags) => {
      terminal.begin({ lost: "go-on" });
      interrupt.watch();
      const use = async (runtime: OpenRuntime): Promise<void> => {
        const { name, run } = await openFixture(options, interrupt.signal);
        requireHalves(options.precision, runtime);
        const start = performance.now();
        const checks = await run(runtime);
        const seconds = (performance.now() - start) / 1000;
        const failed = checks.filter((check) => !passed(check));
        if (options.json) terminal.json({ runtime: runtime.name, fixture: name, seconds, checks });
        else print(runtime.name, name, checks, seconds, options.all === true);
        if (failed.length > 0) throw new UserError(`verify: ${failed.length} of ${checks.length} checks failed`);
      };
      await withRuntime(options.device, use, { signal: interrupt.signal });
    });
}

interface VerifyFlags {
  readonly fixture?: string;
  readonly device?: string;
  readonly json?: boolean;
  readonly all?: boolean;
  readonly steps: boolean;
  readonly precision: FloatDType;
}

/** A directory with a whole model, a JSON file about one with hashed parameters, or the built-in model. */
async function openFixture({ fixture: path, steps, json, precision }: VerifyFlags, signal: AbortSignal) {
  if (path === undefined) {
    const fixture = await builtInFixture();
    return { name: fixture.name, run: (runtime: Runtime) => verify(runtime, fixture, precision) };
  }
  const found = statOf(path);
  if (!found) throw new UserError(`${path}: does not exist`);
  if (found.isDirectory()) {
    const files = readDirectory(path);
    const fixture = readFixture(path, files);
    const requests = readGenerationFixture(path, files);
    const run = async (runtime: Runtime): Promise<Check[]> => [
      ...(await verify(runtime, fixture, precision)),
      ...(requests && precision === "f32" ? await verifyGeneration(runtime, fixture, requests) : []),
    ];
    return { name: path, run };
  }
  if (precision !== "f32")
    throw new UserError(`${path}: hashed parameters are verified in f32 only`, { kind: "usage" });
  const hashed = parseHashedFixture(await readTextUntil(path, signal), path);
  const onPlan = (what: string, { stateBytes, transientBytes }: ProgramStats): void => {
    if (!json) terminal.result(`${what}: ${byteSize(stateBytes)} of states and ${byteSize(transientBytes)} besides`);
  };
  return { name: path, run: (runtime: Runtime) => verifyHashed(runtime, hashed, { steps, onPlan }) };
}

function print(runtime: string, fixture: string, checks: readonly Check[], seconds: number, all: boolean): void {
  terminal.result(`${printable(fixture)} on ${runtime}`);
  const shown = all ? checks : worstOfEachKind(checks);
  const width = largest(shown.map(({ name }) => name.length));
  for (const check of shown) {
    const verdict = passed(check) ? pc.green("passed") : pc.red("FAILED");
    const error = `${check.measure} ${check.error.toExponential(2)}`.padEnd(22);
    const bound = { text: `bound ${check.bound.toExponential(0)}`, rank: 2 };
    terminal.result([`  ${verdict}`, check.name.padEnd(width), { text: error, rank: 1 }, bound]);
  }
  const good = checks.filter(passed).length;
  terminal.result(`${good} of ${checks.length} checks passed in ${seconds.toFixed(1)} s`);
}
