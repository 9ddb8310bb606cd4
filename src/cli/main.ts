#!/usr/bin/env node
import { Command, CommanderError } from "commander";
import { UserError } from "../core/errors.ts";
import { benchCommand } from "./bench.ts";
import { devicesCommand } from "./devices.ts";
import { EVAL_ELSEWHERE, evalCommand } from "./eval.ts";
import { readWords } from "./flags.ts";
import { GENERATE_ELSEWHERE, generateCommand } from "./generate.ts";
import { gradcheckCommand } from "./gradcheck.ts";
import { MERGE_ELSEWHERE, mergeCommand } from "./merge.ts";
import { reportCommand } from "./report.ts";
import { TRAIN_ELSEWHERE, trainCommand } from "./train.ts";
import { verifyCommand } from "./verify.ts";
import { version } from "./version.ts";

/** Every command of `gpt2`; each is one file beside this one. */
function program(): Command {
  const gpt2 = new Command("gpt2")
    .description("Train, fine-tune and sample GPT-2 on WebGPU.")
    .version(version())
    .showHelpAfterError(false)
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "gpt2: ")) });
  const commands = [
    trainCommand(),
    generateCommand(),
    evalCommand(),
    mergeCommand(),
    reportCommand(),
    verifyCommand(),
    gradcheckCommand(),
    devicesCommand(),
    benchCommand(),
  ];
  for (const command of commands) gpt2.addCommand(withSettingsOf(gpt2, command));
  return gpt2;
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

async function main(): Promise<void> {
  const gpt2 = program().exitOverride();
  try {
    await gpt2.parseAsync(readWords(process.argv.slice(2), gpt2, ELSEWHERE), { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode;
    } else if (error instanceof UserError) {
      console.error(`gpt2: ${error.message}`);
      process.exitCode = 1;
    } else {
      throw error;
    }
  }
}

// A reader that went away, as in `gpt2 devices | head -1`, is no error; a training run, which watches for signals, goes on
// without one.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  if (process.listenerCount("SIGHUP") === 0) process.exit(0);
});
await main();
