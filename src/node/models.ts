/** What the name of a model stands for: a directory or a zip of one, a run of `gpt2 train`, a .safetensors file, or a model of the Hugging Face hub. */
import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { UserError, userError } from "../core/errors.ts";
import { isAdapterFile } from "../io/adapter.ts";
import { ADAPTER_CONFIG, type BaseModel } from "../io/adapter-config.ts";
import type { FileSource } from "../io/checkpoint.ts";
import { bytesFile } from "../io/file-source.ts";
import { isModelFile } from "../io/model-files.ts";
import { isZip, unzipped } from "../io/unzip.ts";
import { INDEX, PICKLE_ADVICE, parseIndex, WEIGHTS, weightFileNames } from "../io/weight-files.ts";
import { GPT2_PRESETS } from "../model/config.ts";
import { openFolder, statOf } from "../platform/node/folder.ts";
import { typedPath } from "../platform/node/paths.ts";
import type { OpenModel } from "../run/model.ts";
import { openModelFiles, withCorrections } from "../run/open-model.ts";
import { adapterFolder, baseOf, requireAdapter } from "./adapters.ts";
import { readTextUntil } from "./files.ts";
import { modelOfRun } from "./run-model.ts";

export interface OpenModelOptions {
  /** Path of a config.json that counts instead of the model's own. */
  readonly config?: string | undefined;
  /** A PEFT directory with corrections to it. */
  readonly adapter?: string | undefined;
  /** Ends a download. */
  readonly signal?: AbortSignal | undefined;
  /** Hears what a person should know: one line. */
  notice(line: string): void;
  /** Shows how far the download of what is called so has come. */
  progress?(name: string): DownloadProgress;
}

export interface DownloadProgress {
  /** Bytes. */
  update(done: number, total: number): void;
  stop(): void;
}

/**
 * Opens what `source` names, downloading it first where it is a name; `close` it when loaded. A PEFT directory is the model
 * that it names, with its corrections added to the weights as they are loaded.
 */
export async function openModel(named: string, given: OpenModelOptions): Promise<OpenModel> {
  const { notice, adapter } = given;
  const source = await modelOfRun(typedPath(named), notice);
  const options = adapter === undefined ? given : { ...given, adapter: await modelOfRun(typedPath(adapter), notice) };
  if (options.adapter !== undefined && adapterFolder(source) !== undefined)
    userError(
      `${named}: holds corrections (LoRA), as --adapter does, and no model; give the model that they are of, or leave out --adapter`,
    );
  const folder = options.adapter === undefined ? adapterFolder(source) : requireAdapter(options.adapter);
  if (folder === undefined) return openPlain(source, options);
  const { files, close } = await openFolder(folder, isAdapterFile);
  try {
    const model = await (options.adapter === undefined ? openBase(folder, options) : openPlain(source, options));
    return await withCorrections(model, files, folder);
  } finally {
    await close();
  }
}

async function openBase(folder: string, options: OpenModelOptions): Promise<OpenModel> {
  const base = baseOf(folder);
  return openPlain(base, options).catch((error: unknown) => {
    if (!(error instanceof UserError)) throw error;
    return userError(
      `${folder}: the model that it corrects: ${error.message}; or give that as --model, and this as --adapter`,
    );
  });
}

async function openPlain(source: string, options: OpenModelOptions): Promise<OpenModel> {
  const config = options.config === undefined ? undefined : await readTextUntil(options.config, options.signal);
  const notice = (line: string): void => options.notice(`${source}: ${line}`);
  if (isZip(source) && isFile(source)) {
    const model = {
      files: await filesInZip(source),
      path: source,
      base: { name: resolve(source) },
      close: async () => {},
    };
    return openModelFiles(model, { config }, notice);
  }
  const { folder, weights, base } = await findModel(source, options);
  const { files, close } = await openFolder(folder, isModelFile);
  const path = weights === undefined ? folder : join(folder, weights);
  return openModelFiles(
    { files, path, base, close },
    { ...(weights === undefined ? {} : { weights }), config },
    notice,
  );
}

function isFile(path: string): boolean {
  return statOf(path)?.isFile() === true;
}

/** The files of a model that lie in a zip, in memory. */
async function filesInZip(path: string): Promise<ReadonlyMap<string, FileSource>> {
  const { files, close } = await openFolder(dirname(path), (name) => name === basename(path));
  try {
    const inside = await unzipped(files.get(basename(path))!, path, (name) => isModelFile(name) || isAdapterFile(name));
    if (inside.has(ADAPTER_CONFIG) && !inside.has("config.json"))
      userError(`${path}: holds corrections (LoRA); unpack it, and give the directory`);
    return new Map([...inside].map(([name, bytes]) => [name, bytesFile(bytes, name)]));
  } finally {
    await close();
  }
}

async function findModel(
  source: string,
  options: OpenModelOptions,
): Promise<{ folder: string; weights?: string; base: BaseModel }> {
  const info = statOf(source);
  if (info?.isDirectory()) {
    // A run keeps its model in a folder of its own; naming the run is enough.
    const inside = join(source, "model");
    const run = !existsSync(join(source, "config.json")) && existsSync(join(inside, "config.json"));
    const folder = run ? inside : source;
    return { folder, base: { name: resolve(folder) } };
  }
  if (info) {
    const folder = dirname(source);
    // The file itself, unless its folder is as good a name.
    const name = basename(source) === WEIGHTS ? folder : source;
    if (source.endsWith(".safetensors")) return { folder, weights: basename(source), base: { name: resolve(name) } };
    const advice = /\.(bin|pth?|ckpt)$/.test(source) ? `. ${PICKLE_ADVICE}` : "";
    return userError(`${source}: wanted a directory, a zip of one, or a .safetensors file${advice}`);
  }
  const { name, revision } = hubName(source);
  const base = { name, revision: revision === "main" ? undefined : revision };
  return { folder: await downloadModel({ name, revision }, options), base };
}

const URL_LIKE = /^[a-z][a-z\d+.-]*:\/\//i;

/** `gpt2` is `openai-community/gpt2`, at its branch main unless `@` says otherwise. */
function hubName(source: string): { name: string; revision: string } {
  if (URL_LIKE.test(source))
    userError(
      `${source}: a URL is for a page; download the files of its folder and give their path, or name a model of the hub`,
    );
  const [name = "", revision = "main", ...rest] = source.split("@");
  if (Object.hasOwn(GPT2_PRESETS, name) && rest.length === 0) return { name: `openai-community/${name}`, revision };
  const plain = /^[\w.-]+\/[\w.-]+$/.test(name) && !/(^|\/)\.|\.\.|--/.test(name);
  if (!plain || !/^[\w./-]+$/.test(revision) || revision.includes("..") || rest.length > 0) {
    const names = Object.keys(GPT2_PRESETS).join(", ");
    return userError(
      `${source}: there is no such file or directory; wanted one, or ${names}, or owner/name of the hub`,
    );
  }
  return { name, revision };
}

/** Throws `UserError` where what is not on the disk is no name of a model on the hub, either. */
export function requireModelName(source: string): void {
  hubName(source);
}

async function downloadModel(
  { name, revision }: { name: string; revision: string },
  { signal, notice, progress }: OpenModelOptions,
): Promise<string> {
  // The hub's client is for those who name a model of the hub.
  const { hubSettings, openHubModel } = await import("../platform/node/hub.ts");
  const model = await openHubModel(name, revision, { ...hubSettings(), signal }, notice);
  const bar = progress?.(revision === "main" ? name : `${name}@${revision}`);
  try {
    const texts = [...model.files].filter((file) => isModelFile(file) && !file.endsWith(".safetensors"));
    await model.fetch(texts);
    const index = texts.includes(INDEX) ? parseIndex(readFileSync(join(model.folder, INDEX), "utf8")) : undefined;
    await model.fetch(weightFileNames(model.files, index), bar?.update);
  } finally {
    bar?.stop();
  }
  return model.folder;
}
