import pc from "picocolors";
import type { Generated, Generator, SequenceResult } from "../generate/generate.ts";
import type { GenerateOptions } from "../generate/options.ts";
import { showableLength } from "../generate/text-stream.ts";
import { flagOf, speltAsFlags } from "./generate-flags.ts";
import type { Prompts } from "./generate-prompts.ts";
import { ReaderGoneError, terminal } from "./terminal.ts";

/** Writes one continuation to standard output as it comes, a word at a time, after its prompt. */
export async function printStream(
  generator: Generator,
  prompt: string,
  ids: readonly number[],
  options: GenerateOptions,
  signal?: AbortSignal,
): Promise<Generated> {
  let shown = 0;
  let begun = false;
  const show = (text: string, most: number): void => {
    if (!begun) terminal.text(prompt);
    begun = true;
    if (most > shown) terminal.text(text.slice(shown, most));
    shown = Math.max(shown, most);
  };
  const tokens = generator.stream(ids, options, signal);
  try {
    for (;;) {
      const { done, value } = await tokens.next();
      if (done) {
        show(value.text ?? "", value.text?.length ?? 0);
        return value;
      }
      if (value.text !== undefined) show(value.text, showableLength(value.text, options.stopStrings));
    }
  } catch (error) {
    // So that the device rests before it is closed.
    await tokens.return(undefined as never).catch(() => {});
    throw error;
  } finally {
    if (begun) terminal.text("\n");
  }
}

/**
 * Writes each result as it comes, after its prompt. One that comes though one before it has not ended is told apart by whose it is; of
 * those that never came is told how many.
 */
export async function printResults(
  results: AsyncIterable<SequenceResult>,
  { texts, where }: Prompts,
  options: GenerateOptions,
  json: boolean,
): Promise<void> {
  const { numReturnSequences = 1 } = options;
  const samples: Generated[] = [];
  const report = (): void => {
    if (!json) reportCut(samples, options);
  };
  try {
    for await (const { sequence, text = "", ...rest } of results) {
      const index = Math.floor(sequence / numReturnSequences);
      const prompt = texts[index]!;
      const which = numReturnSequences === 1 ? "" : `, sequence ${1 + (sequence % numReturnSequences)}`;
      if (json) terminal.json({ sequence, prompt, text: prompt + text, ...rest });
      else {
        if (sequence !== samples.length) terminal.say(pc.dim(`of ${where(index)}${which}:`));
        terminal.text(`${prompt}${text}\n`);
      }
      samples.push({ text, ...rest });
    }
  } catch (error) {
    if (samples.length > 0 && !(error instanceof ReaderGoneError)) {
      report();
      const all = texts.length * numReturnSequences;
      terminal.say(pc.dim(`${all - samples.length} of ${all} had not ended: not written`));
    }
    throw error;
  }
  report();
}

/** What may leave no token that can come next. */
const RULES = ["badWordsIds", "noRepeatNgramSize", "minNewTokens", "minLength"] as const;

/** Tells on standard error how many did not end by themselves; nobody should take a cut text for a whole one. */
export function reportCut(samples: readonly Generated[], options: GenerateOptions): void {
  const barred = samples.filter(({ stopped }) => stopped === "rules").length;
  if (barred > 0) {
    const which = samples.length === 1 ? "" : `${barred} of ${samples.length} `;
    const rules = RULES.filter((name) => options[name] !== undefined).map(flagOf);
    terminal.warn(`${which}ended where no token is allowed: loosen ${rules.join(", or ")}`);
  }
  const cut = samples.filter(({ stopped }) => stopped === "length" || stopped === "context");
  if (cut.length === 0) return;
  const context = cut.filter(({ stopped }) => stopped === "context").length;
  const by =
    context === 0 ? "the length asked for" : context === cut.length ? "the model's context" : "length or context";
  const which = samples.length === 1 ? "" : `${cut.length} of ${samples.length} were `;
  terminal.say(pc.dim(`${which}cut off, by ${by}`));
}

/**
 * Reads prompts from the terminal, one a line, and continues each until the input ends. Ctrl-C stops a text that is being
 * written, and leaves where none is. Each text has the next seed. Rejects with the reason of `ended` once it is aborted.
 */
export async function interact(
  run: (text: string, turn: number, signal: AbortSignal) => Promise<void>,
  ended: AbortSignal,
): Promise<void> {
  const lines = terminal.questions("> ");
  let writing: AbortController | undefined;
  lines.on("SIGINT", () => (writing ? writing.abort() : lines.close()));
  // What a shell writes next begins a line of its own.
  if (lines.terminal) lines.once("close", () => terminal.say(""));
  if (lines.terminal) terminal.say(pc.dim("a prompt a line; Ctrl-C stops a text, Ctrl-D leaves"));
  const end = (): void => {
    writing?.abort();
    lines.close();
  };
  ended.addEventListener("abort", end);
  lines.prompt();
  let turn = 0;
  for await (const line of lines) {
    writing = new AbortController();
    try {
      await run(line, turn++, writing.signal);
    } catch (reason) {
      if (!writing.signal.aborted) {
        const error = speltAsFlags(reason);
        // a prompt that does not fit ends its turn, not the session
        if (!(error instanceof Error) || error.name !== "UserError") throw error;
        terminal.error(error.message);
      }
    }
    writing = undefined;
    if (!ended.aborted) lines.prompt();
  }
  ended.removeEventListener("abort", end);
  ended.throwIfAborted();
}
