#!/usr/bin/env node
import { Command, CommanderError } from "commander";
import { UserError } from "../core/errors.ts";
import { benchCommand } from "./bench.ts";
import { devicesCommand } from "./devices.ts";
import { evalCommand } from "./eval.ts";
import { generateCommand } from "./generate.ts";
import { gradcheckCommand } from "./gradcheck.ts";
import { mergeCommand } from "./merge.ts";
import { reportCommand } from "./report.ts";
import { addThreads } from "./runtime.ts";
import { trainCommand } from "./train.ts";
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
  for (const command of commands) {
    if (command.options.some(({ long }) => long === "--device")) addThreads(command);
    gpt2.addCommand(withSettingsOf(gpt2, command));
  }
  return gpt2;
}

/** Commands made elsewhere take over how the program reports errors. */
function withSettingsOf(parent: Command, command: Command): Command {
  for (const nested of command.commands) withSettingsOf(parent, nested);
  return command.copyInheritedSettings(parent).exitOverride();
}

/** `--learning_rate`, as transformers' scripts spell it, as `--learning-rate`. */
function withHyphens(word: string): string {
  return word.replace(/^--[a-z][a-z0-9_]*(?==|$)/, (flag) => flag.replaceAll("_", "-"));
}

async function main(): Promise<void> {
  const gpt2 = program().exitOverride();
  try {
    await gpt2.parseAsync(process.argv.map(withHyphens));
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
