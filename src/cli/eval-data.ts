import { type Command, Option } from "commander";
import { describeFindings, endTextOf } from "../data/findings.ts";
import { DATA_FORMATS, type DataFormat } from "../data/source.ts";
import type { DataListener } from "../data/text-tokens.ts";
import { recordWindows, streamWindows, type Windows } from "../generate/windows.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { openDataFiles } from "./open-data.ts";

/** How the texts to score are written; as `gpt2 train` has them. */
export interface DataFlags {
  readonly dataFormat?: DataFormat;
  readonly textColumn?: string;
  readonly promptColumn?: string;
  readonly completionColumn?: string;
  readonly maskPrompt?: boolean;
}

/** All of them. */
export const DATA_FLAGS = [
  "dataFormat",
  "textColumn",
  "promptColumn",
  "completionColumn",
  "maskPrompt",
] as const satisfies readonly (keyof DataFlags)[];

export function addDataOptions(command: Command): Command {
  return command
    .addOption(new Option("--data-format <format>", "where the names do not say").choices(DATA_FORMATS))
    .option("--text-column <name>", "the column with the text; default text")
    .option("--prompt-column <name>", "pairs: the column with what is given")
    .option("--completion-column <name>", "pairs: the column with what follows")
    .option("--mask-prompt", "do not score the prompts of pairs");
}

export interface ScoredData {
  readonly windows: Windows;
  readonly unit: "records" | "windows";
  close(): Promise<void>;
}

/** The windows of some files: each record, or a window that slides along one text, read after the start token if there is one. */
export async function openScoredData(
  files: readonly string[],
  flags: DataFlags,
  tokenizer: Tokenizer,
  { records, contextLength, stride }: { records: boolean; contextLength: number; stride: number },
  listener: DataListener,
): Promise<ScoredData> {
  const { dataFormat: format, maskPrompt = false, ...columns } = flags;
  const { train, report, close } = await openDataFiles(
    {
      files,
      format,
      textColumn: columns.textColumn,
      promptColumn: columns.promptColumn,
      completionColumn: columns.completionColumn,
      maskPrompt,
      stream: !records,
      evalSplit: 0,
      seed: 0,
      contextLength,
      shortStreams: true,
    },
    tokenizer,
    listener,
  );
  const found = report.findings ? describeFindings(report.findings, endTextOf(tokenizer) ?? "", String) : [];
  if (train.kind === "records" && found.length > 0) listener.notice?.(`data: ${found.join(", ")}`);
  if (train.kind === "records") return { windows: recordWindows(train.sequences), unit: "records", close };
  // A text that begins with the start token itself is not begun twice.
  const { startIds } = tokenizer;
  const first = train.stream.read(0, Math.min(startIds.length, train.stream.length));
  const begun = startIds.every((id, i) => first[i] === id);
  const before = begun ? [] : startIds;
  return { windows: streamWindows(train.stream, before, contextLength, stride), unit: "windows", close };
}
