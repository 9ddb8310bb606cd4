/** Models that leave the page and come to it: the command line's, transformers' and other pages'. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unzipSync, zipSync } from "fflate";
import { afterAll, expect, test } from "vitest";
import { loadModel } from "../../src/node.ts";
import { commandLineOf, gpt2 } from "./command-line.ts";
import reference from "./fixtures/page-model.json" with { type: "json" };
import { chooseModel, download, eventually, greedy, LIST, outcome, paste, QUICK, statusOf, stored } from "./person.ts";
import { describePlayground } from "./visits.ts";

/** A zip that the page gave, which transformers opened: see scripts/page-model.py. */
const REFERENCE = new Uint8Array(readFileSync(new URL("fixtures/page-model.zip", import.meta.url)));
/** The run that it is of. */
const SETTINGS = `${QUICK}&max_steps=60&eval_steps=60&save_steps=60`;
const folder = mkdtempSync(join(tmpdir(), "gpt2-page-models-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Unpacked, as a person does it. */
function unpacked(name: string, files: Readonly<Record<string, Uint8Array>>): string {
  const directory = join(folder, name);
  mkdirSync(directory);
  for (const [file, bytes] of Object.entries(files)) writeFileSync(join(directory, file), bytes);
  return directory;
}

/** What lies before the weights in a safetensors file: names, types, shapes and places. */
function headerOf(file: Uint8Array): unknown {
  const length = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  return JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length)));
}

async function greedyByCommandLine(model: string, prompt: string): Promise<string> {
  const said = await gpt2("generate", "--model", model, "--prompt", prompt, "--temperature", "0", "--json");
  return JSON.parse(said.split("\n")[0]!).text;
}

describePlayground("a model of the playground", (visit) => {
  visit(
    "is a zip that gpt2 generate continues in the same way, made as the one that transformers opened",
    async ({ open }) => {
      const page = await open(SETTINGS);
      await paste(page);
      await page.click("#train");
      await outcome(page);
      const files = await download(page);
      const text = await greedy(page, "b");
      expect(text).not.toBe("");
      expect(await greedyByCommandLine(unpacked("trained", files), "b")).toBe(text);
      // All but the bits of the weights, which are those of the kernels of the day.
      const { "model.safetensors": weights, ...others } = files;
      const { "model.safetensors": referenceWeights, ...wanted } = unzipSync(REFERENCE);
      expect(headerOf(weights!)).toEqual(headerOf(referenceWeights!));
      const texts = (of: Record<string, Uint8Array>) =>
        Object.entries(of).map(([name, bytes]) => [name, new TextDecoder().decode(bytes)]);
      expect(texts(others)).toEqual(texts(wanted));
    },
  );

  visit("that was opened says what transformers says, and is given away as it came", async ({ open }) => {
    const page = await open(QUICK);
    await chooseModel(page, "page-model.zip", REFERENCE);
    await page.click("#keep-model");
    await eventually(() => statusOf(page), "opened");
    await page.click("text=From scratch again");
    await page.getByRole("button", { name: "Train on from it: page-model.zip" }).click();
    await eventually(() => page.textContent("#set-up"), /^It trains on from page-model\.zip/);
    expect(await page.locator("#keep-model").count()).toBe(1);
    // It has no curves, and those of another run are none of its.
    expect(await page.textContent("#run")).toContain("A model that was opened");
    expect(await page.locator("#run :is(.tile, .chart)").count()).toBe(0);
    for (const [prompt, text] of Object.entries(reference.greedy))
      expect(await greedy(page, prompt)).toBe(prompt + text);
    const files = await download(page);
    expect(files).toEqual(unzipSync(REFERENCE));
  });

  test("has the losses and the ids that transformers gives", async () => {
    const model = await loadModel(unpacked("reference", unzipSync(REFERENCE)), { device: "cpu" });
    for (const [text, wanted] of Object.entries(reference.losses)) {
      expect(Math.abs((await model.loss(text)).loss - wanted), text).toBeLessThan(1e-5);
      const [start, ...ids] = reference.ids[text as keyof typeof reference.ids];
      expect(model.tokenizer.startIds).toEqual([start]);
      expect([...model.tokenizer.encode(text)]).toEqual(ids);
    }
    await model.close();
  });

  visit(
    "of the command line is opened, folder or zip, continued in the same way, and trained on, whole or by corrections",
    async ({ open }) => {
      const said = {
        n_layer: 1,
        n_head: 4,
        n_embd: 16,
        n_positions: 8,
        max_steps: 30,
        learning_rate: 0.015,
        samples: 0,
      };
      const { output } = await commandLineOf(JSON.stringify({ said }), LIST, join(folder, "cli"));
      const model = join(output, "model");
      const text = await greedyByCommandLine(model, "c");
      const page = await open(
        `${QUICK}&max_steps=3&eval_steps=3&save_steps=3&samples=1&lora_rank=2&learning_rate=0.01`,
      );
      await paste(page);
      await page.setInputFiles("input[webkitdirectory]", model);
      await page.click("#keep-model");
      await eventually(() => statusOf(page), "opened");
      expect(await greedy(page, "c")).toBe(text);
      await page.click("#train");
      expect(await outcome(page)).toContain("finished");
      await eventually(() => statusOf(page), "finished");
      expect(await page.locator(".alert").allTextContents()).toEqual([]);
      const files = await download(page);
      expect(await greedyByCommandLine(unpacked("corrected", files), "c")).toBe(await greedy(page, "c"));
      // All of it, out of a zip whose names would lead out of a folder.
      const escaping = Object.entries(files).map(([name, bytes]) => [`../../${name}`, bytes] as const);
      const whole = await open(`${QUICK}&max_steps=3&eval_steps=3&save_steps=3&samples=1`);
      await paste(whole);
      await chooseModel(whole, "escaping.zip", zipSync(Object.fromEntries(escaping), { level: 0 }));
      await whole.waitForSelector("#keep-model");
      await whole.click("#train");
      expect(await outcome(whole)).toContain("finished");
      expect(await whole.locator(".alert").allTextContents()).toEqual([]);
      const [about = ""] = await stored(page, "about.json");
      expect(JSON.parse(about).base.files.sort()).toEqual(Object.keys(files).sort());
      expect(Object.keys(await download(whole)).sort()).toEqual(Object.keys(files).sort());
    },
  );
});
