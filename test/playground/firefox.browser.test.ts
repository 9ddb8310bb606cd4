/** The playground in Firefox: as it comes, in WebAssembly; and on WebGPU where its settings have it, on lavapipe. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { testAdapters } from "../support/gpu.ts";
import { hasFirefox, hasFirefoxGpu, launchFirefox, type Page } from "../tools/firefox.ts";
import { commandLineOf } from "./command-line.ts";
import { eventually, LIST, numbersOf, QUICK } from "./person.ts";
import { type Host, hostPlayground } from "./served.ts";

const LIMIT = 240_000;
const folder = mkdtempSync(join(tmpdir(), "gpt2-firefox-"));
afterAll(() => rmSync(folder, { recursive: true }));

interface Trained {
  /** What the page computes on, as it says. */
  readonly device: string;
  readonly problems: readonly string[];
  readonly metrics: ReadonlyMap<string, string>;
  readonly about: string;
  /** Of the run, and asked for. */
  readonly samples: readonly [run: number, asked: number];
}

/** Opens the page, pastes the list, presses Train, and has it sampled. */
async function trainInFirefox(host: Host, settings: string, prefs: Record<string, boolean>): Promise<Trained> {
  const browser = await launchFirefox(prefs);
  try {
    const page = await browser.newPage();
    page.setDefaultTimeout(LIMIT);
    const problems: string[] = [];
    page.on("pageerror", (error) => problems.push(String(error)));
    page.on("console", (message) => {
      if (["error", "warn"].includes(message.type())) problems.push(message.text());
    });
    await page.goto(`${host.place().url}#${QUICK}&${settings}`);
    await page.waitForSelector("#train:not([disabled])");
    await page.evaluate((text) => {
      document.querySelector<HTMLTextAreaElement>("#pasted")!.value = text;
    }, LIST);
    // Not by the pointer: what is said of the data moves the buttons, and the driver aims once.
    const press = (selector: string) => page.$eval(selector, (button) => (button as HTMLButtonElement).click());
    await press("#pasted ~ button");
    await page.waitForFunction(() => document.querySelector(".chosen")?.textContent?.includes("pasted text"));
    const device = await textOf(page, "header .hint");
    await press("#train");
    // Asked anew each time: one call that waits for minutes is given up by the driver.
    await eventually(
      () => page.$$eval(".alert, .problem, .outcome", (found) => found.map(({ textContent }) => textContent).join()),
      /./,
      LIMIT,
    );
    for (const text of await page.$$eval(".alert, .problem", (found) => found.map(({ textContent }) => textContent)))
      problems.push(text ?? "");
    expect(problems).toEqual([]);
    await page.waitForSelector("#twenty:not([disabled])");
    await press("#twenty");
    await page.waitForSelector("#results li:nth-child(20)");
    const count = (selector: string) => page.$$eval(selector, ({ length }) => length);
    const [about, metrics] = await page.evaluate(async () => {
      const found: Record<string, string> = {};
      const left = [await navigator.storage.getDirectory()];
      for (let directory = left.pop(); directory; directory = left.pop()) {
        const entries = (directory as unknown as { values(): AsyncIterable<FileSystemHandle> }).values();
        for await (const entry of entries) {
          if (entry.kind === "directory") left.push(entry as FileSystemDirectoryHandle);
          else if (/^(about|metrics)\./.test(entry.name))
            found[entry.name.split("~")[0]!] = await (await (entry as FileSystemFileHandle).getFile()).text();
        }
      }
      return [found["about.json"]!, found["metrics.jsonl"]!] as const;
    });
    const samples = [await count("#run .samples li"), await count("#results li")] as const;
    return { device, problems, metrics: numbersOf(metrics), about, samples };
  } finally {
    await browser.close();
  }
}

async function textOf(page: Page, selector: string): Promise<string> {
  return (await page.$eval(selector, ({ textContent }) => textContent)) ?? "";
}

/** How far the losses of two runs are apart at most, as a share. */
function farthest(got: ReadonlyMap<string, string>, wanted: ReadonlyMap<string, string>): number {
  const lossOf = (line: string): number => Number(line.split(" ")[0]);
  return Math.max(...[...wanted].map(([key, line]) => Math.abs(lossOf(got.get(key)!) / lossOf(line) - 1)));
}

describe.runIf(hasFirefox)("the playground in Firefox", () => {
  let host: Host;
  beforeAll(async () => {
    host = await hostPlayground();
  }, LIMIT);
  afterAll(() => host?.close());

  test.concurrent(
    "as it comes trains in WebAssembly to the command line's bits, and samples",
    async () => {
      const settings = "max_steps=12&eval_steps=6&save_steps=6&logging_steps=1";
      const { device, metrics, about, samples } = await trainInFirefox(host, settings, {});
      expect(device).toMatch(/Computing on the CPU, in WebAssembly/);
      expect(metrics).toEqual((await commandLineOf(about, LIST, join(folder, "wasm"))).metrics);
      expect(samples).toEqual([2, 20]);
    },
    LIMIT,
  );

  test.runIf(hasFirefoxGpu && testAdapters.includes("system")).concurrent(
    "with WebGPU trains on lavapipe to the losses of the command line there, and samples",
    async () => {
      const settings = "device=webgpu&max_steps=6&eval_steps=6&save_steps=6&logging_steps=1";
      const { device, metrics, about, samples } = await trainInFirefox(host, settings, { webgpu: true });
      expect(device).toMatch(/by WebGPU/);
      const node = (await commandLineOf(about, LIST, join(folder, "gpu"), "system")).metrics;
      expect(metrics.size).toBe(7);
      // Two compilers of shaders, and kernels that are chosen by names that Firefox does not tell: every digit is the same by luck.
      expect(farthest(metrics, node)).toBeLessThan(1e-5);
      expect(samples).toEqual([2, 20]);
    },
    LIMIT,
  );
});
