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
import { ReaderGoneError, terminal } from "./terminal.ts";
import { TRAIN_ELSEWHERE, trainCommand } from "./train.ts";
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

/** What each command says of words that are none of its own. */
const ELSEWHERE = {
  train: TRAIN_ELSEWHERE,
  generate: GENERATE_ELSEWHERE,
  eval: EVAL_ELSEWHERE,
  merge: MERGE_ELSEWHERE,
};

/** Gives the exit code, unless a command has set it. */
async function main(): Promise<number | undefined> {
  const gpt2 = program().exitOverride();
  try {
    await gpt2.parseAsync(readWords(process.argv.slice(2), gpt2, ELSEWHERE), { from: "user" });
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
