/** The playground in headless Chromium: what a person does with it, held against the command line on the same data. */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { unzipSync, zipSync } from "fflate";
import type { BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { GPT2 } from "../support/build.ts";
import { hasChromium } from "../support/chromium.ts";
import { testAdapters } from "../support/gpu.ts";
import { openPage, type Served, servePlayground } from "./served.ts";

const LIMIT = 120_000;
const EMAILS = fileURLToPath(new URL("../../examples/emails.txt", import.meta.url));
const HOSTILE = `"><img src=x onerror=alert(1)><script>alert(2)</script>`;
const folder = mkdtempSync(join(tmpdir(), "gpt2-page-"));
afterAll(() => rmSync(folder, { recursive: true }));

const run = promisify(execFile);
const gpt2 = async (...args: string[]): Promise<string> =>
  (await run(process.execPath, [GPT2, ...args], { env: { ...process.env, GPT2_ADAPTER: "wasm", NO_COLOR: "1" } }))
    .stdout;

/** Before the page's own scripts: keeps of each message about tokens the samples that they are of. */
function hearTokens(): void {
  const told: number[][] = [];
  Object.assign(globalThis, { told });
  globalThis.Worker = class extends Worker {
    constructor(...given: ConstructorParameters<typeof Worker>) {
      super(...given);
      this.addEventListener("message", ({ data }) => {
        if (data.event === "tokens") told.push(data.tokens.map(({ sample }: { sample: number }) => sample));
      });
    }
  };
}

/** The newest file in the page's private files that is called so, by whatever path. */
function stored(page: Page, name: string): Promise<string> {
  return page.evaluate(async (wanted) => {
    const found: File[] = [];
    async function walk(directory: FileSystemDirectoryHandle): Promise<void> {
      const entries = (directory as unknown as { values(): AsyncIterable<FileSystemHandle> }).values();
      for await (const entry of entries) {
        if (entry.kind === "directory") await walk(entry as FileSystemDirectoryHandle);
        else if (entry.name.startsWith(`${wanted}~`)) found.push(await (entry as FileSystemFileHandle).getFile());
      }
    }
    await walk(await navigator.storage.getDirectory());
    const newest = found.sort((a, b) => b.lastModified - a.lastModified)[0];
    return newest ? newest.text() : "";
  }, name);
}

/** Numbers by step out of a metrics.jsonl, as its digits are. */
function numbersOf(metrics: string): Map<string, string> {
  const lines = metrics.split("\n").slice(0, -1);
  return new Map(
    lines.flatMap((line) => {
      const { kind, step, loss, eval_loss, grad_norm } = JSON.parse(line);
      return kind === "log" || kind === "evaluation" ? [[`${kind} ${step}`, `${loss ?? eval_loss} ${grad_norm}`]] : [];
    }),
  );
}

const loss = async (page: Page): Promise<number> => Number(await page.textContent("#tile-loss"));
const idle = (page: Page) => page.waitForSelector("#train:enabled");
const status = (page: Page) => page.locator(".stored li").first().getAttribute("data-status");

async function download(page: Page): Promise<Record<string, Uint8Array>> {
  const [file] = await Promise.all([
    page.waitForEvent("download"),
    page.locator(".stored li").first().getByRole("button", { name: "Download" }).click(),
  ]);
  return unzipSync(readFileSync(await file.path()));
}

async function greedy(page: Page, prompt: string): Promise<string> {
  await page.fill("#prompt", prompt);
  // Half typed while the page is drawn again, it stays as it was typed.
  await page.focus("#sample-temperature");
  await page.keyboard.press("ControlOrMeta+A");
  await page.keyboard.type("0.");
  await page.evaluate(() => {
    document.querySelector("#prompt")?.dispatchEvent(new Event("input"));
    return new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 50)));
  });
  await page.keyboard.type("0");
  expect(await page.inputValue("#sample-temperature")).toBe("0.0");
  await page.evaluate(() => document.querySelector("#results")?.setAttribute("data-stale", ""));
  await page.click("#generate");
  await page.waitForFunction(() => document.querySelectorAll("#results:not([data-stale]) li").length === 1);
  return (await page.locator("#results .sample").textContent())!;
}

describe.runIf(hasChromium)("the playground", () => {
  let served: Served;
  /** What one click has made, for the tests that look at it. */
  let context: BrowserContext;
  let page: Page;
  let problems: string[];

  const at = (settings: string): string => `${served.url}#${settings}`;
  const newContext = (options: Parameters<Served["browser"]["newContext"]>[0] = {}): Promise<BrowserContext> =>
    served.browser.newContext({ viewport: { width: 1280, height: 900 }, locale: "en", ...options });

  beforeAll(async () => {
    served = await servePlayground();
    context = await newContext();
    await context.addInitScript(hearTokens);
    ({ page, problems } = await openPage(
      context,
      at("size=tiny&max_steps=100&eval_steps=50&save_steps=50&logging_steps=10"),
    ));
  }, LIMIT);
  afterAll(() => served?.close());

  test(
    "one click trains on the example: the loss falls by half, 20 samples are marked, and nothing is asked of the network",
    async () => {
      await idle(page);
      // It has all files by then, and nothing more to ask for.
      await page.waitForSelector(".facts");
      await page.evaluate(() => navigator.serviceWorker.ready);
      const before = served.requests.length;
      await page.click("#train");
      await page.waitForFunction(() => Number(document.querySelector("#tile-loss")?.textContent) > 0);
      const first = Math.log(40);
      await idle(page);
      expect(await page.textContent(".outcome")).toContain("The run is finished");
      expect(await loss(page)).toBeLessThan(first / 2);
      expect(await page.locator("#run .samples li").count()).toBe(20);
      expect(await page.textContent("#run .counts")).toMatch(
        /^\s*20 samples: \d+ well-formed, \d+ ended by themselves, \d+ not in the data\s*$/,
      );
      await page.click("#twenty");
      await page.waitForSelector("#results li:nth-child(20)");
      expect(served.requests.slice(before)).toEqual([]);
      expect(problems).toEqual([]);
    },
    LIMIT,
  );

  test("what the page loads first is small, and its policy allows its own files alone", async () => {
    expect(await page.getAttribute("meta[http-equiv=Content-Security-Policy]", "content")).toMatch(
      /^default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; worker-src 'self'; base-uri 'none'/,
    );
    // Without the service worker, which fetches the rest for later.
    const fresh = await newContext({ serviceWorkers: "block" });
    const before = served.requests.length;
    await idle((await openPage(fresh, served.url)).page);
    await fresh.close();
    const names = new Set(
      served.requests.slice(before).map((path) => path.replace("/some/place/", "") || "index.html"),
    );
    expect([...names].filter((name) => name.endsWith(".js")).length).toBeGreaterThan(1);
    const sizes = [...names].map((name) => gzipSync(readFileSync(join(served.folder, name))).length);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(250_000);
  });

  test(
    "without a network it opens again, with its run, and samples it",
    async () => {
      await context.setOffline(true);
      const { page, problems } = await openPage(context, served.url);
      await page.locator(".stored li").first().getByRole("button", { name: "Show" }).click();
      await page.click("#twenty");
      await page.waitForSelector("#results li:nth-child(20)");
      expect(problems).toEqual([]);
      await page.close();
      await context.setOffline(false);
    },
    LIMIT,
  );

  test(
    "samples stream in, many at once, and each token tells its probability and its rivals, by pointer and by keys",
    async () => {
      await page.fill("#prompt", "ma");
      await page.fill("#sample-count", "100");
      await page.fill("#sample-minP", "0.02");
      await page.fill("#sample-repetitionPenalty", "1.1");
      await page.evaluate(() => (globalThis as unknown as { told: unknown[] }).told.splice(0));
      await page.click("#generate");
      await page.waitForSelector("#results li:nth-child(100)");
      // Told in several messages, and the last sample begins before the first one ends.
      const told = await page.evaluate(() => (globalThis as unknown as { told: number[][] }).told);
      expect(told.length).toBeGreaterThan(1);
      const order = told.flat();
      expect(new Set(order).size).toBe(100);
      expect(order.indexOf(99)).toBeLessThan(order.lastIndexOf(0));

      const first = page.locator("#results li").first();
      const whole = await first.locator(".sample").textContent();
      const pieces = await first.locator(".sample .token").allTextContents();
      expect(whole).toBe(`ma${pieces.join("")}`);
      const tip = page.locator("#rivals");
      await first.locator(".token").nth(1).hover();
      expect(await tip.isVisible()).toBe(true);
      expect(await tip.locator("li").count()).toBe(5);
      const numbers = [...(await tip.textContent())!.matchAll(/([\d.]+) %/g)].map(([, number]) => Number(number));
      expect(numbers).toHaveLength(6);
      expect(numbers.reduce((sum, number) => sum + number, 0)).toBeLessThanOrEqual(100.1);
      expect(numbers.slice(1)).toEqual([...numbers.slice(1)].sort((a, b) => b - a));
      await page.mouse.move(1, 1);
      expect(await tip.isVisible()).toBe(false);
      await first.locator(".token").first().focus();
      await page.keyboard.press("ArrowRight");
      expect(await tip.isVisible()).toBe(true);
      const focused = page.locator(":focus");
      expect(await focused.getAttribute("aria-label")).toMatch(/^.+, [\d.]+ %$/);
      expect(await focused.getAttribute("aria-describedby")).toBe("rivals");
      await page.keyboard.press("Escape");
      expect(await tip.isVisible()).toBe(false);
      await page.fill("#sample-count", "1");
      await page.fill("#sample-minP", "0");
      await page.fill("#sample-repetitionPenalty", "1");
      expect(problems).toEqual([]);
    },
    LIMIT,
  );

  test(
    "looks inside: a step's ops, attention, tokens that are alike, the checks, and all of it as one report",
    async () => {
      const before = served.requests.length;
      await page.click("#open-inside");
      await page.click("#profile");
      await page.waitForSelector("#step-ops");
      expect(await page.textContent("#step-says")).toMatch(/\d+ ops, [\d.,]+ ms in all: the mean of \d+ steps/);
      const shares = (await page.locator("#step-ops td.bar").allTextContents()).map((text) => Number.parseFloat(text));
      expect(Math.abs(shares.reduce((sum, share) => sum + share, 0) - 100)).toBeLessThan(0.5);
      expect(await page.locator("#step-ops th[scope=row]").allTextContents()).toContain("attentionBackward");

      await page.focus("#tab-step");
      await page.keyboard.press("ArrowRight");
      await page.fill("#sentence", "ana@uc.cl");
      await page.keyboard.press("Enter");
      await page.waitForSelector(".heat");
      await page.selectOption("#head", { value: "1" });
      const cells = page.locator(".heat td[data-to]");
      // The start, and nine tokens.
      expect(await cells.count()).toBe(55);
      await cells.first().focus();
      for (const key of ["ArrowDown", "ArrowDown", "ArrowRight", "ArrowRight", "ArrowLeft", "ArrowUp"])
        await page.keyboard.press(key);
      const focused = page.locator(":focus");
      expect([await focused.getAttribute("data-from"), await focused.getAttribute("data-to")]).toEqual(["1", "1"]);
      expect(await focused.getAttribute("aria-label")).toMatch(/^a looks at a: [\d.]+ %$/);
      expect(await page.textContent(".readout")).toBe(await focused.getAttribute("aria-label"));

      await page.click("#tab-tokens");
      await page.fill("#token", "ab");
      await page.click("#find-nearest");
      await page.waitForSelector("#inside .problem");
      expect(await page.textContent("#inside .problem")).toContain('"ab" is 2 tokens ("a", "b"); wanted one, or an id');
      await page.fill("#token", "a");
      await page.click("#find-nearest");
      await page.waitForSelector("#nearest");
      expect(await page.locator("#nearest tbody tr").count()).toBe(12);

      await page.click("#tab-checks");
      await page.click("#verify");
      await page.waitForSelector("#verified");
      expect(await page.textContent("#verified caption")).toMatch(/Verify: (\d+) of \1 passed/);
      await page.evaluate(async () => {
        document.querySelector<HTMLElement>("#gradcheck")!.click();
        while (!document.querySelector("#stop-check")) await new Promise(requestAnimationFrame);
        document.querySelector<HTMLElement>("#stop-check")!.click();
      });
      await page.waitForSelector("#gradcheck:enabled");
      expect(await page.locator("#gradchecked .mark.bad").count()).toBe(0);

      const [file] = await Promise.all([page.waitForEvent("download"), page.click("#download-report")]);
      const report = JSON.parse(readFileSync(await file.path(), "utf8"));
      expect(report).toMatchObject({
        format: 1,
        version: "0.1.0",
        device: { kind: "wasm" },
        traits: { f16: false },
        attention: { text: "ana@uc.cl", head: 1 },
        gradcheck: null,
      });
      // Each token looks at itself and at those before it, once in all.
      for (const [i, row] of report.attention.weights.entries()) {
        expect(row.reduce((sum: number, p: number) => sum + p, 0)).toBeCloseTo(1, 3);
        expect(row.slice(i + 1).every((p: number) => p === 0)).toBe(true);
      }
      expect(report.step.nodes.length).toBeGreaterThan(30);
      expect(report.verify.checks.length).toBeGreaterThan(50);
      expect(served.requests.slice(before)).toEqual([]);
      expect(problems).toEqual([]);
    },
    LIMIT,
  );

  test(
    "its zip is opened by gpt2 generate, to the same greedy text",
    async () => {
      const files = await download(page);
      const model = join(folder, "model");
      mkdirSync(model);
      for (const [name, bytes] of Object.entries(files)) writeFileSync(join(model, name), bytes);
      const text = await greedy(page, "ma");
      expect(text.length).toBeGreaterThan(4);
      const said = await gpt2(
        "generate",
        "--model",
        model,
        "--prompt",
        "ma",
        "--temperature",
        "0",
        "--json",
        "--log-probabilities",
      );
      expect(said).toContain(JSON.stringify(text).slice(1, -1));
      const shown = (await page.locator("#results .token").first().getAttribute("aria-label"))!;
      expect(Number.parseFloat(shown.split(", ").at(-1)!)).toBeCloseTo(
        100 * Math.exp(JSON.parse(said).logProbabilities[0]),
        1,
      );
    },
    LIMIT,
  );

  test(
    "a zip of a model is opened: sampled as it is, and trained on, whole or by corrections",
    async () => {
      const text = await greedy(page, "ma");
      const other = await newContext();
      const { page: second, problems } = await openPage(
        other,
        at("size=tiny&max_steps=3&eval_steps=3&save_steps=3&samples=1&lora_rank=2&learning_rate=0.01"),
      );
      await idle(second);
      const files = Object.fromEntries(
        readdirSync(join(folder, "model")).map((name) => [`../../${name}`, readFileSync(join(folder, "model", name))]),
      );
      const choose = (name: string, bytes: Uint8Array) =>
        second.setInputFiles("#model-files", { name, mimeType: "application/zip", buffer: Buffer.from(bytes) });
      const zip = zipSync(files, { level: 0 });
      const bomb = zipSync({ "model.safetensors": new Uint8Array(100) });
      const central = Buffer.from(bomb).indexOf(Buffer.from([0x50, 0x4b, 1, 2]));
      new DataView(bomb.buffer).setUint32(central + 24, 0xf0000000, true);
      for (const [name, bytes, message] of [
        ["cut.zip", zip.slice(0, zip.length - 100), /cut\.zip: is no zip that can be read/],
        ["bomb.zip", bomb, /bomb\.zip: unpacks to more than 2\.00 GiB/],
        ["twice.zip", zipSync({ "a/config.json": zip, "b/config.json": zip }), /config\.json: is there twice/],
        ["none.zip", zipSync({ "readme.md": zip }), /none\.zip: no weights among them/],
      ] as const) {
        await choose(name, bytes);
        await expect.poll(() => second.locator(".problem").textContent({ timeout: 5000 })).toMatch(message);
      }
      await choose("model.zip", zip);
      await idle(second);
      await second.click("#keep-model");
      await expect.poll(() => status(second)).toBe("opened");
      expect(await greedy(second, "ma")).toBe(text);
      await second.click("#train");
      await second.waitForSelector("#pause");
      await idle(second);
      expect(await second.locator(".alert").allTextContents()).toEqual([]);
      expect(await second.textContent(".outcome")).toContain("finished");
      await expect.poll(() => status(second)).toBe("finished");
      expect((await greedy(second, "ma")).length).toBeGreaterThan(2);
      expect(Object.keys(await download(second))).toContain("model.safetensors");
      expect(problems).toEqual([]);
      await other.close();
    },
    LIMIT,
  );

  test(
    "a reload and a worker that ends cost nothing: the same losses and the same model as the command line's, bit for bit",
    async () => {
      const other = await newContext();
      const settings = "size=tiny&max_steps=24&eval_steps=12&save_steps=4&logging_steps=1&samples=2";
      const { page, problems } = await openPage(other, at(settings));
      await idle(page);
      await page.click("#train");
      await page.waitForFunction(() => Number(document.querySelector("progress")?.value) >= 6);
      await page.reload();
      await page.click("#go-on");
      await page.waitForFunction(() => Number(document.querySelector("progress")?.value) >= 14);
      await Promise.race([page.workers()[0]!.evaluate(() => self.close()), page.waitForSelector(".alert")]);
      await page.waitForSelector(".alert");
      expect(await page.textContent(".alert")).toContain("goes on from its last checkpoint");
      await page.click("#go-on");
      await page.waitForSelector("#pause");
      await idle(page);
      await expect.poll(() => status(page)).toBe("finished");

      const config = join(folder, "settings.json");
      const about = JSON.parse(await stored(page, "about.json"));
      writeFileSync(config, JSON.stringify(about.said));
      const output = join(folder, "run");
      await gpt2("train", "--config", config, "--data", EMAILS, "--output-dir", output);
      const whole = numbersOf(readFileSync(join(output, "metrics.jsonl"), "utf8"));
      expect(whole.size).toBe(26);
      expect(numbersOf(await stored(page, "metrics.jsonl"))).toEqual(whole);
      const files = await download(page);
      const weights = readFileSync(join(output, "model", "model.safetensors"));
      expect(Buffer.compare(Buffer.from(files["model.safetensors"]!), weights)).toBe(0);
      expect(problems).toEqual([]);
      await other.close();
    },
    LIMIT,
  );

  test.runIf(testAdapters.includes("embedded"))(
    "on WebGPU it trains to the bits of the command line on the same driver",
    async () => {
      const other = await newContext();
      const settings =
        "size=tiny&device=webgpu&max_steps=4&eval_split=0&logging_steps=1&samples=0&n_embd=16&n_positions=16";
      const { page, problems } = await openPage(other, at(settings));
      await idle(page);
      expect(await page.textContent("header .hint")).toMatch(/Computing on .*swiftshader.* by WebGPU/);
      await page.click("#train");
      await page.waitForSelector("#pause");
      await idle(page);
      const config = join(folder, "gpu.json");
      writeFileSync(config, JSON.stringify(JSON.parse(await stored(page, "about.json")).said));
      const output = join(folder, "gpu");
      await gpt2("train", "--config", config, "--data", EMAILS, "--output-dir", output, "--device", "embedded");
      const whole = numbersOf(readFileSync(join(output, "metrics.jsonl"), "utf8"));
      expect(whole.size).toBe(4);
      expect(numbersOf(await stored(page, "metrics.jsonl"))).toEqual(whole);
      expect(problems).toEqual([]);
      await other.close();
    },
    LIMIT,
  );

  test(
    "a second tab says where a run trains, cannot touch it, and sees it end",
    async () => {
      const other = await newContext();
      const settings = "size=tiny&max_steps=100000&eval_steps=100000&save_steps=100000&logging_steps=1000&samples=2";
      const { page: first, problems } = await openPage(other, at(settings));
      await idle(first);
      await first.click("#train");
      await first.waitForFunction(() => Number(document.querySelector("progress")?.value) >= 2);
      const { page: second, problems: others } = await openPage(other, at(settings));
      await second.waitForSelector("#run .warning");
      expect(await second.textContent("#run .warning")).toContain("trains in another tab");
      expect(await status(second)).toBe("running");
      const remove = second.locator(".stored li").first().getByRole("button", { name: "Delete" });
      expect(await remove.isDisabled()).toBe(true);
      await first.click("#pause");
      await idle(first);
      expect(await first.textContent(".outcome")).toContain("paused");
      await second.waitForSelector("#run .warning", { state: "detached" });
      await expect.poll(() => status(second)).toBe("paused");
      await remove.click();
      await remove.click();
      await expect.poll(() => second.locator(".stored li").count()).toBe(0);
      // The tab that trained has it no more, and says so.
      await first.click("#go-on");
      await first.waitForSelector(".alert");
      expect([...problems, ...others]).toEqual([]);
      await other.close();
    },
    LIMIT,
  );

  test(
    "hostile names, texts and links stay what they are",
    async () => {
      const other = await newContext();
      const { page, problems } = await openPage(other, at(`size=tiny&n_layer=1e9&${encodeURIComponent(HOSTILE)}=1`));
      await page.waitForSelector(".alert");
      expect(await page.textContent(".alert")).toContain("cannot be used");
      const lines = Array.from({ length: 40 }, (_, i) => `${HOSTILE}${i}`).join("\n");
      await page.goto("about:blank");
      await page.goto(at("size=tiny&max_steps=4&n_positions=128&samples=2&eval_steps=2"));
      const choose = (name: string, text: string | Buffer) =>
        page.setInputFiles("input[type=file]", { name, mimeType: "text/plain", buffer: Buffer.from(text) });
      for (const [name, text, message] of [
        ["empty.txt", "", /no characters|empty|no records/i],
        ["not.json", "{}", /\.json files are not read/],
        ["broken.jsonl", '{"text": "a"}\n{"text"', /broken\.jsonl/],
        ["latin.txt", Buffer.from([0x61, 0xe9, 0x0a]), /UTF-8/],
        ["rubbish.parquet", "PAR1 nothing", /rubbish\.parquet/],
        ["x.zip", "PK", /\.zip files are not read/],
      ] as const) {
        await choose(name, text);
        await expect
          .poll(() => page.locator(".problem").textContent({ timeout: 5000 }), { message: name })
          .toMatch(message);
      }
      await choose(`${HOSTILE}.txt`.replaceAll("/", "_"), lines);
      await page.waitForSelector(".facts");
      await idle(page);
      await page.click("#train");
      await page.waitForSelector("#pause");
      await idle(page);
      expect(await page.textContent("#run-title")).toContain("<img src=x onerror=alert(1)>");
      await page.fill("#prompt", "<img");
      await page.click("#generate");
      await page.waitForSelector("#results .sample");
      expect(await page.locator("img, section script").count()).toBe(0);
      expect(problems).toEqual([]);
      await other.close();
    },
    LIMIT,
  );

  test(
    "without private files it trains in memory, and says so; stopped and kept, it has a model",
    async () => {
      const other = await newContext();
      const { page, problems } = await openPage(
        other,
        `${served.bareUrl}#size=tiny&max_steps=100000&samples=2&eval_steps=3`,
      );
      await page.waitForSelector("header .warning");
      expect(await page.textContent("header .warning")).toContain("until the tab is closed");
      await idle(page);
      await page.click("#measure");
      await page.waitForSelector("#time");
      expect(await page.textContent("#time")).toMatch(/about \d.* \(\d+\.\d\d steps\/s, the median of 5 steps/);
      await page.click("#train");
      await page.waitForSelector("#run .samples");
      await page.click("#keep");
      await idle(page);
      await expect.poll(() => status(page)).toBe("kept");
      expect(Object.keys(await download(page))).toContain("model.safetensors");
      expect(problems).toEqual([]);
      await other.close();
    },
    LIMIT,
  );

  test(
    "axe finds nothing, and nothing is wider than the screen, by day and by night, in English and in Spanish",
    async () => {
      const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
      // As the debugger does it: the page's policy allows no scripts but its own.
      await page.evaluate(axe);
      await page.evaluate(() => {
        for (const details of document.querySelectorAll("details")) details.open = true;
      });
      for (const colorScheme of ["light", "dark"] as const) {
        for (const [width, language, tab] of [
          [360, "es", colorScheme === "light" ? "step" : "checks"],
          [768, "en", "attention"],
          [1280, "en", colorScheme === "light" ? "tokens" : "step"],
        ] as const) {
          await page.click(`#tab-${tab}`);
          await page.emulateMedia({ colorScheme });
          await page.setViewportSize({ width, height: 800 });
          await page.selectOption(".language select", language);
          await expect.poll(() => page.evaluate(() => document.documentElement.lang)).toBe(language);
          expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
          if (language === "es") expect(await page.textContent("body")).not.toContain("lo dice en inglés");
          if (process.env.GPT2_SCREENS)
            await page.screenshot({
              path: join(process.env.GPT2_SCREENS, `${width}-${colorScheme}.png`),
              fullPage: true,
            });
          const found = await page.evaluate(async () => {
            const { axe } = globalThis as unknown as { axe: { run(): Promise<{ violations: unknown[] }> } };
            return (await axe.run()).violations.map((violation) => JSON.stringify(violation).slice(0, 600));
          });
          expect(found, `${width}, ${colorScheme}`).toEqual([]);
        }
      }
    },
    LIMIT,
  );
});
