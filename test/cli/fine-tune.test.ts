import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { resolveSettings } from "../../src/run/settings/resolve.ts";
import { gpt2 as run } from "../support/commands.ts";
import { modelFiles } from "../support/models.ts";

let folder = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "fine-tune-"));
  for (const [name, bytes] of modelFiles()) {
    // Training shows what it starts from, so that it must be numbers.
    if (name !== "model.safetensors") writeFileSync(join(folder, name), bytes);
    else writeFileSync(join(folder, name), withoutNaN(bytes));
  }
  writeFileSync(join(folder, "data.txt"), "ab\nabc\nba\n");
});
afterAll(() => rmSync(folder, { recursive: true }));

function withoutNaN(file: Uint8Array): Uint8Array {
  const bytes = Buffer.from(file);
  for (let at = bytes.length % 4; at < bytes.length; at += 4) {
    if (!Number.isFinite(bytes.readFloatLE(at))) bytes.writeFloatLE(0.1, at);
  }
  return bytes;
}

const gpt2 = (...args: string[]) => run(args);

test("gpt2 train --model goes on from a model, with its tokenizer, sizes and dropout, and saves one like it", async () => {
  const output = join(folder, "run");
  const data = ["--data", join(folder, "data.txt"), "--device", "cpu", "--samples", "0"];
  const done = await gpt2("train", "--model", folder, ...data, "--max-steps", "2", "--output-dir", output);
  expect(done).toMatchObject({ code: 0, stderr: "" });
  expect(done.stdout).toMatch(/1 head, 64 wide, 4 places, 10 tokens \(char\)/);
  const { settings } = JSON.parse(readFileSync(join(output, "run.json"), "utf8"));
  expect(settings).toMatchObject({ model: folder, learning_rate: 5e-5, dropout: 0.1 });
  expect(settings).not.toHaveProperty("n_embd");
  const [before, after] = [folder, join(output, "model")].map((path) => readFileSync(join(path, "model.safetensors")));
  expect(after!.length).toBe(before!.length);
  expect(after!.equals(before!)).toBe(false);
}, 60_000);

test.each([
  ["--tokenizer", { tokenizer: "gpt2" }],
  ["--n-embd", { nEmbd: 64 }],
  ["--n-layer", { nLayer: 2 }],
  ["--n-head", { nHead: 1 }],
  ["--n-positions", { nPositions: 4 }],
] as const)("gpt2 train --model refuses %s, which the model says", (option, given) => {
  expect(() => resolveSettings({ typed: { ...given, model: "gpt2" } })).toThrow(
    `train: --model gpt2 brings its own tokenizer and sizes; leave out ${option}, or --model`,
  );
  expect(() => resolveSettings({ typed: given })).not.toThrow();
});
