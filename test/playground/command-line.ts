/** The command line with what the page was told. */
import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { GPT2 } from "../support/build.ts";
import { numbersOf } from "./person.ts";

const EMAILS = fileURLToPath(new URL("../../examples/emails.txt", import.meta.url));
const run = promisify(execFile);

/** What it prints; in WebAssembly unless it says otherwise. */
export async function gpt2(...args: string[]): Promise<string> {
  const env = { ...process.env, GPT2_ADAPTER: "wasm", NO_COLOR: "1" };
  return (await run(process.execPath, [GPT2, ...args], { env })).stdout;
}

/** Trains as a stored run's about.json says, in a new folder; `data`: the pasted list, or the example where absent. */
export async function commandLineOf(about: string, data: string | undefined, folder: string, device = "wasm") {
  mkdirSync(folder, { recursive: true });
  const [config, output] = [join(folder, "settings.json"), join(folder, "run")];
  writeFileSync(config, JSON.stringify(JSON.parse(about).said));
  const list = join(folder, "pasted.txt");
  if (data !== undefined) writeFileSync(list, data);
  const file = data === undefined ? EMAILS : list;
  await gpt2("train", "--config", config, "--data", file, "--output-dir", output, "--device", device);
  return {
    output,
    metrics: numbersOf(readFileSync(join(output, "metrics.jsonl"), "utf8")),
    weights: readFileSync(join(output, "model", "model.safetensors")),
  };
}
