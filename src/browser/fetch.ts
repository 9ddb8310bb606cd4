/** A model behind a URL: the folder that its files lie in. */
import { userError } from "../core/errors.ts";
import type { FileSource } from "../io/checkpoint.ts";
import { blobFile } from "../io/file-source.ts";
import { isModelFile } from "../io/model-files.ts";
import { INDEX, parseIndex, WEIGHTS, weightFileNames } from "../io/weight-files.ts";
import { TOKENIZER_FILES } from "../text/tokenizer-files.ts";

const TEXTS = ["config.json", "generation_config.json", ...TOKENIZER_FILES, INDEX];

/** Fetches all that a model has, whole: a browser keeps large answers outside the page's memory. */
export async function fetchModelFiles(
  source: string,
  signal: AbortSignal | undefined,
): Promise<Map<string, FileSource>> {
  const base = new URL(source.endsWith("/") ? source : `${source}/`, globalThis.location?.href);
  const files = new Map<string, FileSource>();
  const get = async (name: string, needed: boolean): Promise<Blob | undefined> => {
    const url = new URL(name, base);
    const answer = await fetch(url, { ...(signal ? { signal } : {}) }).catch((error: unknown) => {
      signal?.throwIfAborted();
      return userError(
        `${url}: cannot be fetched (${(error as Error).message}); is it there, and does it allow this page?`,
      );
    });
    if (answer.ok) return answer.blob();
    if (!needed && (answer.status === 404 || answer.status === 403)) return undefined;
    return userError(`${url}: the server answers ${answer.status} ${answer.statusText}`.trimEnd());
  };
  for (const name of TEXTS.filter(isModelFile)) {
    const blob = await get(name, name === "config.json");
    if (blob) files.set(name, blobFile(blob, name));
  }
  const index = files.has(INDEX) ? parseIndex(await textOf(files.get(INDEX)!)) : undefined;
  const names = index ? weightFileNames(new Set([INDEX, ...new Set(index.values())]), index) : [WEIGHTS];
  for (const name of names) files.set(name, blobFile((await get(name, true))!, name));
  return files;
}

async function textOf(file: FileSource): Promise<string> {
  const bytes = new Uint8Array(file.size);
  await file.read(0, bytes);
  return new TextDecoder().decode(bytes);
}
