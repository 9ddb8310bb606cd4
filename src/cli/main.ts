#!/usr/bin/env node
import { Command } from "commander";
import { benchCommand } from "./bench.ts";
import { devicesCommand } from "./devices.ts";
import { evalCommand } from "./eval.ts";
import { EXIT_CODES_HELP, endOf } from "./exit-codes.ts";
import { generateCommand } from "./generate.ts";
import { gradcheckCommand } from "./gradcheck.ts";
import { createInterrupt, type Interrupt } from "./interrupt.ts";
import { mergeCommand } from "./merge.ts";
import { reportCommand } from "./report.ts";
import { trainCommand } from "./train.ts";
import { verifyCommand } from "./verify.ts";
import { version } from "./version.ts";

/** Every command of `gpt2`; each is one file beside this one. */
function program(interrupt: Interrupt): Command {
  const gpt2 = new Command("gpt2")
    .description("Train, fine-tune and sample GPT-2 on WebGPU.")
    .version(version())
    .showHelpAfterError(false)
    .addHelpText("after", EXIT_CODES_HELP)
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "gpt2: ")) });
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
  for (const command of commands) gpt2.addCommand(withSettingsOf(gpt2, command));
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

/** What still goes on by then after an interrupted command has cleaned up, such as a driver's work, is not waited for. */
const LINGER_MS = 3_000;

async function main(interrupt: Interrupt): Promise<void> {
  const gpt2 = program(interrupt).exitOverride();
  try {
    await gpt2.parseAsync(process.argv.map(withHyphens));
  } catch (error) {
    const end = endOf(error, interrupt.signal.reason);
    if (!end) throw error;
    if (end.line !== undefined) console.error(`gpt2: ${end.line}`);
    process.exitCode = end.code;
  } finally {
    if (interrupt.requested) setTimeout(() => interrupt.end(), LINGER_MS).unref();
  }
}

const interrupt = createInterrupt();
// A reader that went away, as in `gpt2 devices | head -1`, is no error, and changes nothing of how a command ends; a terminal
// that is gone, which answers EIO, is as good as the signal that says so.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EIO") interrupt.request("SIGHUP");
  });
}
await main(interrupt);
