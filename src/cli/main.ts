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
import { ReaderGoneError, terminal } from "./terminal.ts";
import { trainCommand } from "./train.ts";
import { verifyCommand } from "./verify.ts";
import { version } from "./version.ts";

/** Every command of `gpt2`; each is one file beside this one. */
function program(): Command {
  const gpt2 = new Command("gpt2")
    .description("Train, fine-tune and sample GPT-2 on WebGPU.")
    .version(version())
    .showHelpAfterError(false)
    .configureOutput({
      writeOut: (text) => terminal.result(text.replace(/\n$/, "")),
      outputError: (text) => terminal.error(text.replace(/^error: /, "").trimEnd()),
    });
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

/** `--learning_rate`, as transformers' scripts spell it, as `--learning-rate`. */
function withHyphens(word: string): string {
  return word.replace(/^--[a-z][a-z0-9_]*(?==|$)/, (flag) => flag.replaceAll("_", "-"));
}

/** Gives the exit code, unless a command has set it. */
async function main(): Promise<number | undefined> {
  const gpt2 = program().exitOverride();
  try {
    await gpt2.parseAsync(process.argv.map(withHyphens));
  } catch (error) {
    if (error instanceof CommanderError) {
      return error.exitCode;
    } else if (error instanceof UserError) {
      terminal.error(error.message);
      return 1;
    } else if (!(error instanceof ReaderGoneError)) {
      terminal.error(`${(error instanceof Error && error.stack) || error}`);
      return 1;
    }
  }
  return undefined;
}

const code = await main();
process.exitCode = await terminal.finish(code ?? Number(process.exitCode ?? 0));
