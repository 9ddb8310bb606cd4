#!/usr/bin/env node
import { Command } from "commander";
import { benchCommand } from "./bench.ts";
import { devicesCommand } from "./devices.ts";
import { EVAL_ELSEWHERE, evalCommand } from "./eval.ts";
import { EXIT_CODES_HELP, endOf } from "./exit-codes.ts";
import { readWords } from "./flags.ts";
import { GENERATE_ELSEWHERE, generateCommand } from "./generate.ts";
import { gradcheckCommand } from "./gradcheck.ts";
import { createInterrupt, type Interrupt } from "./interrupt.ts";
import { MERGE_ELSEWHERE, mergeCommand } from "./merge.ts";
import { reportCommand } from "./report.ts";
import { addThreads } from "./runtime.ts";
import { ReaderGoneError, terminal } from "./terminal.ts";
import { TRAIN_ELSEWHERE, trainCommand } from "./train.ts";
import { verifyCommand } from "./verify.ts";
import { version } from "./version.ts";

/** Every command of `gpt2`; each is one file beside this one. */
function program(interrupt: Interrupt): Command {
  const gpt2 = new Command("gpt2")
    .description("Train, fine-tune and sample GPT-2 on WebGPU.")
    .version(version())
    .showHelpAfterError(false)
    .addHelpText("after", EXIT_CODES_HELP)
    .configureOutput({
      writeOut: (text) => terminal.result(text.replace(/\n$/, "")),
      outputError: (text) => terminal.error(oneLine(text)),
    });
  const commands = [
    trainCommand(interrupt),
    generateCommand(interrupt),
    evalCommand(interrupt),
    mergeCommand(interrupt),
    reportCommand(),
    verifyCommand(interrupt),
    gradcheckCommand(interrupt),
    devicesCommand(),
    benchCommand(interrupt),
  ];
  for (const command of commands) {
    if (command.options.some(({ long }) => long === "--device")) addThreads(command);
    gpt2.addCommand(withSettingsOf(gpt2, command));
  }
  return gpt2;
}

/** Commander puts what was perhaps meant into a second line. */
function oneLine(text: string): string {
  return text
    .replace(/^error: /, "")
    .replace(/\s*\n\(Did you mean (.*?)\?\)/, "; did you mean $1?")
    .trimEnd();
}

/** Commands made elsewhere take over how the program reports errors. */
function withSettingsOf(parent: Command, command: Command): Command {
  for (const nested of command.commands) withSettingsOf(parent, nested);
  return command.copyInheritedSettings(parent).exitOverride();
}

/** What each command says of words that are none of its own. */
const ELSEWHERE = {
  train: TRAIN_ELSEWHERE,
  generate: GENERATE_ELSEWHERE,
  eval: EVAL_ELSEWHERE,
  merge: MERGE_ELSEWHERE,
};

/** What still goes on by then after an interrupted command has cleaned up, such as a driver's work, is not waited for. */
const LINGER_MS = 3_000;

/** Gives the exit code, unless a command has set it. */
async function main(interrupt: Interrupt): Promise<number | undefined> {
  const gpt2 = program(interrupt).exitOverride();
  try {
    await gpt2.parseAsync(readWords(process.argv.slice(2), gpt2, ELSEWHERE), { from: "user" });
  } catch (error) {
    if (error instanceof ReaderGoneError) return undefined;
    const end = endOf(error, interrupt.signal.reason);
    if (!end) {
      // A bug: where it happened is what one needs.
      terminal.error(`${(error instanceof Error && error.stack) || error}`);
      return 1;
    }
    if (end.line !== undefined) terminal.error(end.line);
    return end.code;
  } finally {
    if (interrupt.requested) setTimeout(() => interrupt.end(), LINGER_MS).unref();
  }
  return undefined;
}

const interrupt = createInterrupt();
// A terminal that is gone, which answers EIO, is as good as the signal that says so.
terminal.onGone(() => interrupt.request("SIGHUP"));
const code = await main(interrupt);
process.exitCode = await terminal.finish(code ?? Number(process.exitCode ?? 0));
