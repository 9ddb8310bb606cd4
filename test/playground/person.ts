/** What a person does on the page, and what there is then to be seen and in the browser's private files. */
import { readFileSync } from "node:fs";
import { unzipSync } from "fflate";
import type { Page } from "playwright-core";

/** A list that is learnt at once, and whose settings take hardly any time. */
export const LIST = Array.from({ length: 48 }, (_, i) => `${"abc"[i % 3]}${"xyz"[(i >> 2) % 3]}${i % 7}`).join("\n");
export const QUICK = "size=tiny&n_embd=16&n_positions=8&per_device_train_batch_size=8&samples=2";

/** Until a run may be begun. */
export async function ready(page: Page): Promise<void> {
  await page.waitForSelector("#train:enabled");
}

/** Has a text used as the data. */
export async function paste(page: Page, text = LIST): Promise<void> {
  await page.fill("#pasted", text);
  await page.locator("form button[type=submit]").first().click();
  await page.waitForFunction(() => document.querySelector(".chosen")?.textContent?.includes("pasted text"));
  await ready(page);
}

/** Presses a button that has the run train, and waits for its first step. */
export async function begin(page: Page, button = "#train"): Promise<void> {
  await page.click(button);
  await step(page, 1);
}

/** Until the run has come so far; what the page says instead is thrown, since nothing more would come. */
export async function step(page: Page, wanted: number): Promise<void> {
  const said = await page.waitForFunction(
    (least) =>
      Number(document.querySelector("progress")?.value) >= least ||
      document.querySelector(".outcome:not(:empty)") !== null ||
      document.querySelector(".alert")?.textContent,
    wanted,
  );
  const alert = await said.jsonValue();
  if (typeof alert === "string") throw new Error(`the page says: ${alert}`);
}

/** What became of a run, once it has ended. */
export async function outcome(page: Page): Promise<string> {
  await page.waitForSelector(".outcome:not(:empty)");
  await ready(page);
  return (await page.textContent(".outcome"))!;
}

/** Looks again and again until there is what is wanted: the same, or a text that matches. Vitest's own has no concurrent tests. */
export async function eventually<T>(look: () => Promise<T>, wanted: T | RegExp, limitMs = 60_000): Promise<void> {
  const began = performance.now();
  const fits = (found: T): boolean => (wanted instanceof RegExp ? wanted.test(String(found)) : found === wanted);
  for (;;) {
    const found = await look();
    if (fits(found)) return;
    if (performance.now() - began > limitMs) throw new Error(`there is ${String(found)}; wanted ${String(wanted)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** How the first run of the list stands. */
export function statusOf(page: Page): Promise<string | null> {
  return page.locator(".stored li").first().getAttribute("data-status", { timeout: 5000 });
}

export function press(page: Page, name: string): Promise<void> {
  return page.locator(".stored li").first().getByRole("button", { name }).click();
}

/** The files of the zip that the first run of the list is downloaded as. */
export async function download(page: Page): Promise<Record<string, Uint8Array>> {
  const [file] = await Promise.all([page.waitForEvent("download"), press(page, "Download")]);
  return unzipSync(readFileSync(await file.path()));
}

/** Chooses a file of data. */
export async function choose(page: Page, name: string, bytes: string | Uint8Array): Promise<void> {
  await page.setInputFiles("input[type=file]", { name, mimeType: "text/plain", buffer: Buffer.from(bytes) });
}

/** Chooses what a model is in. */
export async function chooseModel(page: Page, name: string, bytes: Uint8Array): Promise<void> {
  await page.setInputFiles("#model-files", { name, mimeType: "application/zip", buffer: Buffer.from(bytes) });
}

/** The one text that the shown run's model continues a prompt with, always the most likely token. */
export async function greedy(page: Page, prompt: string): Promise<string> {
  await page.fill("#prompt", prompt);
  await page.fill("#sample-temperature", "0");
  await page.evaluate(() => document.querySelector("#results")?.setAttribute("data-stale", ""));
  await page.click("#generate");
  await page.waitForFunction(() => document.querySelectorAll("#results:not([data-stale]) li").length === 1);
  return (await page.locator("#results .sample").textContent())!;
}

/** The files in the page's private files that are called so, by whatever path, the newest first. */
export function stored(page: Page, name: string): Promise<string[]> {
  return page.evaluate(async (wanted) => {
    const found: File[] = [];
    // No function has a name here: scripts are compiled so that those with one would not be known in the page.
    const left = [await navigator.storage.getDirectory()];
    for (let directory = left.pop(); directory; directory = left.pop()) {
      const entries = (directory as unknown as { values(): AsyncIterable<FileSystemHandle> }).values();
      for await (const entry of entries) {
        if (entry.kind === "directory") left.push(entry as FileSystemDirectoryHandle);
        else if (entry.name.startsWith(`${wanted}~`)) found.push(await (entry as FileSystemFileHandle).getFile());
      }
    }
    return Promise.all(found.sort((a, b) => b.lastModified - a.lastModified).map((file) => file.text()));
  }, name);
}

/** Numbers by step out of a metrics.jsonl, as its digits are. */
export function numbersOf(metrics: string): Map<string, string> {
  const lines = metrics.split("\n").slice(0, -1);
  return new Map(
    lines.flatMap((line) => {
      const { kind, step, loss, eval_loss, grad_norm } = JSON.parse(line);
      return kind === "log" || kind === "evaluation" ? [[`${kind} ${step}`, `${loss ?? eval_loss} ${grad_norm}`]] : [];
    }),
  );
}
