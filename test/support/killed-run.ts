/** `gpt2 train` in a process of its own that is killed at a moment one chooses, and what its directory then holds. */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const hook = new URL("kill-hook.mjs", import.meta.url).href;

/** Records that make three steps of a pass over the data, the last one with too few, where a step takes eight. */
export function writeRecords(path: string): void {
  const records = Array.from({ length: 23 }, (_, i) =>
    "abcdefgh".slice(i % 5, (i % 5) + 1 + (i % 4)).repeat(1 + (i % 3)),
  );
  writeFileSync(path, `${records.join("\n")}\n`);
}

/** A tiny model that saves every fourth step and logs every step. */
export const TINY_FLAGS =
  "--n-embd 8 --n-layer 1 --n-head 2 --n-positions 16 --dropout 0.1 --save-steps 4 --logging-steps 1 --samples 0 --warmup-steps 5";

export interface Ended {
  readonly code: number | null;
  readonly output: string;
  /** What the hook says of the moment. */
  readonly where:
    | { kind: string; steps?: number; ops?: number; backward?: number; next?: string; after?: string }
    | undefined;
}

/** Runs the program at `main`; `killAt`: see kill-hook.mjs, or "none". */
export function gpt2(
  main: string,
  args: string,
  killAt: string,
  afterStart?: (child: ChildProcess) => void,
): Promise<Ended> {
  const env = { ...process.env, GPT2_KILL_AT: killAt, NO_COLOR: "1" };
  const typescript = main.endsWith(".ts") ? ["--import", "tsx"] : [];
  const imports = killAt === "none" ? typescript : [...typescript, "--import", hook];
  const child = spawn(process.execPath, [...imports, main, ...args.trim().split(/\s+/)], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  const listen = (chunk: Buffer): void => {
    output += chunk;
  };
  child.stdout.on("data", listen);
  child.stderr.on("data", listen);
  afterStart?.(child);
  return new Promise((resolve) =>
    child.on("close", (code) => {
      const where = /^killed (\{.*\})$/m.exec(output)?.[1];
      resolve({ code, output, where: where === undefined ? undefined : JSON.parse(where) });
    }),
  );
}

/** SHA-256 of weights and moments of every checkpoint and of the model, and each logged number of a run's directory. */
export function contentsOf(directory: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const folder of readdirSync(directory).filter((name) => /^(checkpoint-\d+|model)$/.test(name))) {
    for (const file of ["model.safetensors", "adapter_model.safetensors", "optimizer.safetensors"]) {
      const path = join(directory, folder, file);
      if (existsSync(path))
        found.set(`${folder}/${file}`, createHash("sha256").update(readFileSync(path)).digest("hex"));
    }
  }
  const metrics = join(directory, "metrics.jsonl");
  const lines = existsSync(metrics) ? readFileSync(metrics, "utf8").split("\n").slice(0, -1) : [];
  for (const line of lines) {
    const { kind, step, loss, grad_norm } = JSON.parse(line);
    if (loss !== undefined) found.set(`${kind} ${step}`, `${loss} ${grad_norm}`);
  }
  return found;
}

/** What differs from a run that nobody touched; `whole`: what is missing as well, old checkpoints apart. */
export function compare(directory: string, wanted: ReadonlyMap<string, string>, whole: boolean): string[] {
  const got = contentsOf(directory);
  const wrong = [...got].filter(([name, value]) => wanted.get(name) !== value).map(([name]) => `${name} differs`);
  if (whole)
    for (const name of wanted.keys())
      if (!got.has(name) && !name.startsWith("checkpoint-")) wrong.push(`${name} is missing`);
  return wrong;
}
