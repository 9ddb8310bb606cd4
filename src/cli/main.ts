#!/usr/bin/env node
import { Command } from "commander";
import { VERSION } from "../core/version.ts";
import { EXIT_CODES_HELP, endOf } from "./exit-codes.ts";
import { type Elsewhere, readWords } from "./flags.ts";
import { createInterrupt, type Interrupt } from "./interrupt.ts";
import { ReaderGoneError, terminal } from "./terminal.ts";

interface Loaded {
  readonly command: Command;
  /** What it says of words that are none of its own. */
  readonly elsewhere?: Elsewhere;
  /** Says what its output is for by the words alone, so that what is wrong with them is told there, too. */
  begin?(words: readonly string[]): Promise<void>;
}

interface Entry {
  /** In the list of commands; each has more to say of itself. */
  readonly summary: string;
  load(interrupt: Interrupt): Promise<Loaded>;
}

/** Every command of `gpt2`: each is a file beside this one, which is loaded with all that it needs when it is called. */
const COMMANDS: Readonly<Record<string, Entry>> = {
  train: {
    summary: "train a GPT-2 from scratch or from a model; save it, and sample it",
    async load(interrupt) {
      const { trainCommand, beginTrain, TRAIN_ELSEWHERE } = await import("./train.ts");
      return { command: trainCommand(interrupt), elsewhere: TRAIN_ELSEWHERE, begin: beginTrain };
    },
  },
  generate: {
    summary: "continue texts with a model",
    async load(interrupt) {
      const { generateCommand, GENERATE_ELSEWHERE } = await import("./generate.ts");
      return { command: generateCommand(interrupt), elsewhere: GENERATE_ELSEWHERE };
    },
  },
  eval: {
    summary: "measure a model on a text, or on labelled choices",
    async load(interrupt) {
      const { evalCommand, EVAL_ELSEWHERE } = await import("./eval.ts");
      return { command: evalCommand(interrupt), elsewhere: EVAL_ELSEWHERE };
    },
  },
  merge: {
    summary: "make one model of LoRA's corrections and the model that they are of",
    async load(interrupt) {
      const { mergeCommand, MERGE_ELSEWHERE } = await import("./merge.ts");
      return { command: mergeCommand(interrupt), elsewhere: MERGE_ELSEWHERE };
    },
  },
  report: {
    summary: "compare runs: numbers, settings that differ, curves",
    load: async () => ({ command: (await import("./report.ts")).reportCommand() }),
  },
  verify: {
    summary: "compare this machine's results with known ones",
    async load(interrupt) {
      const { verifyCommand, VERIFY_ELSEWHERE } = await import("./verify.ts");
      return { command: verifyCommand(interrupt), elsewhere: VERIFY_ELSEWHERE };
    },
  },
  gradcheck: {
    summary: "check every op's gradients, and this device against the CPU",
    load: async (interrupt) => ({ command: (await import("./gradcheck.ts")).gradcheckCommand(interrupt) }),
  },
  devices: {
    summary: "list the adapters of this machine, and which one is used and why",
    load: async () => ({ command: (await import("./devices.ts")).devicesCommand() }),
  },
  bench: {
    summary: "measure this machine: kernels, a training step, generation",
    load: async (interrupt) => ({ command: (await import("./bench.ts")).benchCommand(interrupt) }),
  },
};

interface Program {
  readonly gpt2: Command;
  readonly elsewhere: Record<string, Elsewhere>;
}

/** The program with the commands that are among `words`; of the others it knows their names. */
async function program(words: readonly string[], interrupt: Interrupt): Promise<Program> {
  const gpt2 = new Command("gpt2")
    .description("Train, fine-tune and sample GPT-2 on WebGPU.")
    .version(VERSION)
    .showHelpAfterError(false)
    .addHelpText("after", EXIT_CODES_HELP)
    .configureOutput({
      writeOut(text) {
        // Help and the version are words, whatever else was asked for.
        terminal.begin({});
        terminal.result(text.replace(/\n$/, ""));
      },
      outputError: (text) => terminal.error(oneLine(text)),
    });
  const elsewhere: Record<string, Elsewhere> = {};
  for (const [name, { summary, load }] of Object.entries(COMMANDS)) {
    const loaded: Loaded = words.includes(name) ? await load(interrupt) : { command: new Command(name) };
    const { command } = loaded;
    if (command.options.some(({ long }) => long === "--device")) (await import("./runtime.ts")).addThreads(command);
    if (loaded.elsewhere) elsewhere[name] = loaded.elsewhere;
    if (words[0] === name) await loaded.begin?.(words);
    gpt2.addCommand(withSettingsOf(gpt2, command.summary(summary)));
  }
  return { gpt2: gpt2.exitOverride(), elsewhere };
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

/** What still goes on by then after an interrupted command has cleaned up, such as a driver's work, is not waited for. */
const LINGER_MS = 3_000;

/** Gives the exit code, unless a command has set it. */
async function main(interrupt: Interrupt): Promise<number | undefined> {
  const words = process.argv.slice(2);
  try {
    const { gpt2, elsewhere } = await program(words, interrupt);
    await gpt2.parseAsync(readWords(words, gpt2, elsewhere), { from: "user" });
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
