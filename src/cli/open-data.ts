import { fileURLToPath } from "node:url";
import { checkDataOptions, type DataOptions, type OpenData, openData, type TokenizerOf } from "../data/open.ts";
import { type DataSource, formatOf } from "../data/source.ts";
import type { DataListener } from "../data/text-tokens.ts";
import { expandPaths, openSources, requireOneStdin } from "../platform/node/data-files.ts";
import { type TokenCacheOptions, tokenCache } from "../platform/node/token-cache.ts";
import type { Tokenizer } from "../text/tokenizer.ts";

/** What comes along to train on: from src/cli/, and from dist/bundle/, it is as far. */
export const EXAMPLE_EMAILS = fileURLToPath(new URL("../../examples/emails.txt", import.meta.url));

export interface DataFileOptions extends Omit<DataOptions, "sources" | "evalSources" | "cache"> {
  /** Paths, patterns such as data/*.jsonl, - for standard input. */
  readonly files: readonly string[];
  /** Files to evaluate on, as `files`. */
  readonly evalFiles?: readonly string[] | undefined;
  /** Of the cache of ids. */
  readonly cached?: TokenCacheOptions | undefined;
}

/** Opens training data that lies in files, or comes from standard input; as `openData`. */
export async function openDataFiles(
  { files, evalFiles, cached, ...options }: DataFileOptions,
  tokenizer: Tokenizer | TokenizerOf,
  listener: DataListener = {},
): Promise<OpenData> {
  checkDataOptions(options, files, evalFiles);
  requireOneStdin([...files, ...(evalFiles ?? [])]);
  const open = async (patterns: readonly string[]): Promise<DataSource[]> => {
    const paths = await expandPaths(patterns);
    // Formats come first: a file that cannot be one of ours need not be opened.
    for (const path of paths) formatOf(path, options.format);
    return openSources(paths, listener.signal, listener.notice);
  };
  const sources = await open(files);
  let evalSources: DataSource[] | undefined;
  try {
    evalSources = evalFiles && (await open(evalFiles));
  } catch (error) {
    for (const source of sources) await source.close();
    throw error;
  }
  return openData({ ...options, sources, evalSources, cache: tokenCache(cached) }, tokenizer, listener);
}
