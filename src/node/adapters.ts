import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { userError } from "../core/errors.ts";
import { parseAdapterConfig } from "../io/adapter.ts";
import { ADAPTER_CONFIG } from "../io/adapter-config.ts";
import { notDirectory } from "../platform/node/directories.ts";
import { readText } from "./files.ts";

/** The PEFT directory that `source` is, or that the run it names has; undefined where it is something else. */
export function adapterFolder(source: string): string | undefined {
  const folders = [source, join(source, "model")];
  if (existsSync(join(source, "config.json"))) return undefined;
  return folders.find((folder) => existsSync(join(folder, ADAPTER_CONFIG)));
}

/** Throws `UserError` where `source` holds no corrections. */
export function requireAdapter(source: string): string {
  const what = notDirectory(source) ?? `has no ${ADAPTER_CONFIG}`;
  return adapterFolder(source) ?? userError(`${source}: ${what}; wanted a PEFT directory, or a run that trained LoRA`);
}

/** Far more than any has. */
const MAX_CONFIG_BYTES = 2 ** 20;

/** The model that a PEFT directory says it corrects, as `--model` takes it. */
export function baseOf(folder: string): string {
  const file = join(folder, ADAPTER_CONFIG);
  const { size } = statSync(file);
  if (size > MAX_CONFIG_BYTES) userError(`${file}: ${size} bytes; wanted at most ${MAX_CONFIG_BYTES}`);
  const { name, revision } = parseAdapterConfig(readText(file)).base ?? {};
  if (name === undefined)
    return userError(`${folder}: does not say which model it corrects; give that as --model, and this as --adapter`);
  const beside = join(folder, name);
  if (!existsSync(name) && existsSync(beside)) return beside;
  return revision === undefined ? name : `${name}@${revision}`;
}
