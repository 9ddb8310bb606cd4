/** The playground in headless Chromium: one click, what it loads, and how it looks. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, expect } from "vitest";
import { commandLineOf } from "./command-line.ts";
import {
  begin,
  choose,
  download,
  eventually,
  numbersOf,
  outcome,
  paste,
  press,
  QUICK,
  ready,
  statusOf,
  stored,
} from "./person.ts";
import { describePlayground } from "./visits.ts";

const folder = mkdtempSync(join(tmpdir(), "gpt2-page-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Before the page's own scripts: keeps each height at which the button that trains could be pressed. */
function watchTrain(): void {
  const tops = new Set<number>();
  Object.assign(globalThis, { tops });
  requestAnimationFrame(function look() {
    const button = document.querySelector("#train:enabled");
    if (button) tops.add(button.getBoundingClientRect().top);
    requestAnimationFrame(look);
  });
}

interface Axe {
  readonly axe: { run(options: { readonly resultTypes: readonly string[] }): Promise<{ violations: unknown[] }> };
}

describePlayground("the playground", (visit) => {
  visit(
    "one click trains on the example to the command line's losses, bit for bit; 20 samples are marked, and nothing is asked of the network",
    async ({ open, requests }) => {
      const page = await open("size=tiny&max_steps=100&eval_steps=50&save_steps=50&logging_steps=5");
      await ready(page);
      // It has all files by then, and nothing more to ask for.
      await page.waitForSelector(".facts");
      await page.evaluate(() => navigator.serviceWorker.ready);
      const before = requests.length;
      await page.click("#train");
      expect(await outcome(page)).toContain("The run is finished");
      // The alphabet has some 40 characters.
      expect(Number(await page.textContent("#tile-loss"))).toBeLessThan(Math.log(40) / 2);
      expect(await page.locator("#run .samples li").count()).toBe(20);
      expect(await page.locator("[data-chart] canvas").count()).toBe(4);
      expect(await page.textContent("#run .counts")).toMatch(
        /^\s*20 samples: \d+ well-formed, \d+ ended by (?:itself|themselves), \d+ not in the data\s*$/,
      );
      await page.click("#twenty");
      await page.waitForSelector("#results li:nth-child(20)");
      // Browsers look for a new service worker by themselves, when they have time.
      expect(requests.slice(before).filter((name) => name !== "sw.js")).toEqual([]);
      expect(await stored(page, "report.html")).toEqual([]);
      const [about = ""] = await stored(page, "about.json");
      const { metrics, weights } = await commandLineOf(about, undefined, join(folder, "click"));
      expect([...metrics.keys()].filter((key) => key.startsWith("log"))).toHaveLength(20);
      expect(numbersOf((await stored(page, "metrics.jsonl"))[0]!)).toEqual(metrics);
      expect(Buffer.compare(Buffer.from((await download(page))["model.safetensors"]!), weights)).toBe(0);
    },
    { serviceWorkers: "allow" },
  );

  visit(
    "what it loads first is small, its policy allows its own files alone, and its button stays where it is",
    async ({ context, open, requests, folder }) => {
      await context.addInitScript(watchTrain);
      const page = await open();
      await ready(page);
      // Who presses it as soon as that can be hits it, whatever comes meanwhile.
      await page.waitForSelector(".facts");
      const tops = page.evaluate(
        () =>
          new Promise((tell) =>
            requestAnimationFrame(() =>
              requestAnimationFrame(() => tell((globalThis as unknown as { tops: Set<number> }).tops.size)),
            ),
          ),
      );
      expect(await tops).toBe(1);
      expect(await page.getAttribute("meta[http-equiv=Content-Security-Policy]", "content")).toMatch(
        /^default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; worker-src 'self'; base-uri 'none'/,
      );
      // Safari runs a worker's first file once more for those that import from it.
      const assets = join(folder, "assets");
      const texts = readdirSync(assets).map((name) => readFileSync(join(assets, name), "utf8"));
      expect(texts.filter((text) => /(from|import) ?\(?["']\.\/worker-/.test(text))).toEqual([]);
      const names = [...new Set(requests)];
      expect(names.filter((name) => name.endsWith(".js")).length).toBeGreaterThan(1);
      const sizes = names.map((name) => gzipSync(readFileSync(join(folder, name))).length);
      expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(250_000);
    },
  );

  visit(
    "without a network it opens again, with its run, and samples it",
    async ({ context, open }) => {
      const first = await open(`${QUICK}&max_steps=2&eval_steps=2&save_steps=2`);
      await paste(first);
      await first.click("#train");
      await outcome(first);
      await first.evaluate(() => navigator.serviceWorker.ready);
      await first.close();
      await context.setOffline(true);
      const page = await open();
      await press(page, "Show");
      await page.click("#twenty");
      await page.waitForSelector("#results li:nth-child(20)");
    },
    { serviceWorkers: "allow" },
  );

  visit(
    "without private files it trains in memory, and says so; stopped and kept, it has a model, without which nobody leaves unasked",
    async ({ open, problems }) => {
      const page = await open(`${QUICK}&max_steps=100000&eval_steps=20&save_steps=100000`);
      await page.waitForSelector("header .warning");
      expect(await page.textContent("header .warning")).toContain("until the tab is closed");
      await paste(page);
      await page.click("#measure");
      await page.waitForSelector("#time");
      expect(await page.textContent("#time")).toMatch(/about \d.* \(\d+\.\d\d steps\/s, the median of 5 steps/);
      await page.click("#train");
      await page.waitForSelector("#run .samples");
      await page.click("#keep");
      expect(await outcome(page)).toContain("its best model kept");
      await eventually(() => statusOf(page), "kept");
      // Dialogs are problems, which the visitor dismisses: the page stays.
      await page.close({ runBeforeUnload: true });
      await eventually(async () => problems.splice(0).length, 1);
      expect(Object.keys(await download(page))).toContain("model.safetensors");
      await page.close({ runBeforeUnload: true });
      await eventually(async () => page.isClosed(), true);
    },
    { before: "if (self.StorageManager) delete StorageManager.prototype.getDirectory" },
  );

  visit(
    "from another machine without https it says what that takes away, and trains, samples and gives away all the same",
    async ({ open }) => {
      const page = await open(`${QUICK}&max_steps=4`);
      expect(await page.evaluate(() => isSecureContext)).toBe(false);
      await page.waitForSelector("header .warning");
      await page.click("header summary");
      const said = async (): Promise<string> => (await page.textContent("header"))!.replace(/\s+/g, " ");
      expect(await said()).toContain("keeps no files for the page (this page is not on https or localhost)");
      await page.selectOption(".language select", "es");
      await eventually(said, /no guarda archivos para la página \(esta página no está en https ni en localhost\)/);
      await page.selectOption(".language select", "en");
      await paste(page);
      await begin(page);
      expect(await outcome(page)).toContain("The run is finished");
      await page.click("#generate");
      await page.waitForSelector("#results li");
      expect(Object.keys(await download(page))).toContain("model.safetensors");
      // Nothing may be copied there: the report is shown.
      await page.click("#open-inside");
      await page.click("#copy-report");
      await page.waitForSelector("#inside textarea[readonly]");
    },
    { host: "lan.test" },
  );

  visit(
    "a browser whose language is none, as Chromium's in the POSIX locale, shows the page",
    async ({ open }) => {
      const page = await open(`${QUICK}&max_steps=2`);
      await paste(page);
      await begin(page);
      expect(await outcome(page)).toContain("The run is finished");
      expect(await page.locator("[data-chart] canvas").count()).toBe(4);
    },
    {
      before:
        'Object.defineProperty(Object.getPrototypeOf(navigator), "language", { get: () => "en-US@posix", configurable: true })',
    },
  );

  visit(
    "axe finds nothing, and nothing is wider than the screen, by day and by night, in English and in Spanish",
    async ({ open }) => {
      // The example as it comes, whose samples have all marks that there are.
      const page = await open(`${QUICK}&max_steps=2&max_eval_samples=8`);
      await ready(page);
      await page.click("#train");
      await outcome(page);
      // Each token is an element to look at, and all are alike.
      await page.fill("#sample-count", "2");
      await page.click("#generate");
      await page.waitForSelector("#results li:nth-child(2)");
      await page.click("#open-inside");
      await page.click("#profile");
      await page.waitForSelector("#step-ops");
      await page.click("#tab-attention");
      await page.fill("#sentence", "ana@x");
      await page.keyboard.press("Enter");
      await page.waitForSelector(".heat");
      await page.click("#tab-tokens");
      await page.fill("#token", "a");
      await page.click("#find-nearest");
      await page.waitForSelector("#nearest");
      await page.click("#tab-checks");
      await page.click("#verify");
      await page.waitForSelector("#verified");
      // What is told of a prompt that is too long, of a text that looks like a table, and what went wrong.
      await page.fill("#pasted", '{"text":"ab"}\n{"text":"ba"}\n{"text":"abc"}\n');
      await page.waitForSelector("#shape");
      await page.fill("#prompt", "?");
      await page.click("#generate");
      await page.waitForSelector(".alert");
      await page.fill("#prompt", "anamariaperez");
      await eventually(() => page.textContent("#prompt-cut"), /Only the last 3 are seen/);
      const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
      // As the debugger does it: the page's policy allows no scripts but its own.
      await page.evaluate(axe);
      await page.evaluate(() => {
        for (const details of document.querySelectorAll("details")) details.open = true;
      });
      // In an order in which little changes from one to the next.
      for (const [colorScheme, width, language, tab] of [
        ["light", 360, "es", "step"],
        ["light", 768, "en", "attention"],
        ["light", 1280, "en", "tokens"],
        ["dark", 1280, "en", "step"],
        ["dark", 768, "en", "attention"],
        ["dark", 360, "es", "checks"],
      ] as const) {
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize({ width, height: 800 });
        await page.evaluate((id) => document.getElementById(id)!.click(), `tab-${tab}`);
        if (language !== (await page.inputValue(".language select"))) {
          await page.selectOption(".language select", language);
          await eventually(() => page.evaluate(() => document.documentElement.lang), language);
        }
        // With what a field is for told beside it.
        await page.focus("#setting-weight_decay");
        await page.keyboard.press("Tab");
        expect(await page.isVisible("#tip")).toBe(true);
        expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
        if (language === "es") expect(await page.textContent("body")).not.toContain("lo dice en inglés");
        if (process.env.GPT2_SCREENS)
          await page.screenshot({
            path: join(process.env.GPT2_SCREENS, `${width}-${colorScheme}.png`),
            fullPage: true,
          });
        const found = await page.evaluate(async () => {
          const { axe } = globalThis as unknown as Axe;
          // What passes is not listed, element by element.
          const { violations } = await axe.run({ resultTypes: ["violations"] });
          return violations.map((violation) => JSON.stringify(violation).slice(0, 600));
        });
        expect(found, `${width}, ${colorScheme}`).toEqual([]);
      }
    },
  );

  visit(
    "runs lie over each other, with the settings that differ, and a tab tells how far its run is",
    async ({ open }) => {
      const page = await open(`${QUICK}&max_steps=4`);
      await paste(page);
      await page.click("#train");
      await outcome(page);
      await page.fill("#setting-learning_rate", "0.0025");
      await page.keyboard.press("Tab");
      await page.fill("#setting-max_steps", "100000");
      await page.keyboard.press("Tab");
      await ready(page);
      await begin(page);
      await eventually(() => page.title(), /^\d+ % \u00b7 pasted text$/);
      await page.locator(".stored input[type=checkbox]").last().check();
      await page.waitForSelector(".differing");
      await page.click("#keep");
      await outcome(page);
      await eventually(() => page.title(), "Train a GPT-2 on your own list");
      await page.selectOption(".language select", "es");
      await eventually(
        () =>
          page
            .locator(".differing tbody tr")
            .allTextContents()
            .then((rows) => rows.join().replace(/\s+/g, " ")),
        / learning_rate 0,00250,015 .* max_steps 1000004 /,
      );
      expect(await page.locator("#run .u-legend").first().textContent()).toMatch(
        /texto pegado|pasted text, .*validaci/,
      );
    },
  );

  visit(
    "data that were looked at are not read again, for another setting or when their run is set up again",
    async ({ open }) => {
      const page = await open(`${QUICK}&max_steps=2&max_eval_samples=4`);
      await ready(page);
      const text = Array.from({ length: 30_000 }, (_, i) => `${"abc"[i % 3]}${i % 1000}`).join("\n");
      await choose(page, "list.txt", text);
      await eventually(() => page.textContent(".prospect"), /27,000 records/);
      /** By the worker, since this was asked last. */
      const read = (): Promise<number> =>
        page.workers()[0]!.evaluate(() => (globalThis as unknown as { takeBytes(): number }).takeBytes());
      expect(await read()).toBeGreaterThan(2 ** 16);
      const plan = (): Promise<string | null> => page.locator(".facts").textContent();
      await page.fill("#setting-max_steps", "3");
      await page.keyboard.press("Tab");
      await eventually(plan, /3 steps/);
      // The one by which a browser is asked whether a file has changed.
      expect(await read()).toBe(1);
      await page.click("#train");
      await outcome(page);
      await read();
      await press(page, "Set up again");
      await eventually(() => page.textContent("#set-up"), /are those of list\.txt/);
      await page.waitForSelector(".facts");
      await eventually(() => page.getAttribute(".prospect", "aria-busy"), "false");
      // Once: for its copy, which is the page's from then on.
      expect(await read()).toBeLessThan(1.5 * text.length);
    },
    {
      before: `if (!self.takeBytes) {
        const { arrayBuffer } = Blob.prototype;
        let bytes = 0;
        Blob.prototype.arrayBuffer = function () {
          bytes += this.size;
          return arrayBuffer.call(this);
        };
        self.takeBytes = () => [bytes, (bytes = 0)][0];
      }`,
    },
  );

  visit("a curve tells its newest numbers where nobody points, and those that one points at", async ({ open }) => {
    const page = await open(`${QUICK}&max_steps=40&logging_steps=10&eval_steps=20`);
    await paste(page);
    await page.click("#train");
    await outcome(page);
    const told = (): Promise<string | null> => page.locator("[data-chart=loss] .u-legend").textContent();
    const newest = `step40training${await page.textContent("#tile-loss")}validation${await page.textContent("#tile-eval_loss")}`;
    await eventually(told, newest);
    const plot = page.locator("[data-chart=loss] .u-over");
    await plot.scrollIntoViewIfNeeded();
    await plot.hover({ position: { x: 2, y: 20 } });
    await eventually(told, /^step10training\d\.\d+validation\d\.\d+$/, 5000);
    await page.mouse.move(1, 1);
    await eventually(told, newest);
  });

  visit("a field keeps what is half typed while the page is drawn again", async ({ open }) => {
    const page = await open(`${QUICK}&max_steps=2`);
    await paste(page);
    await begin(page);
    await outcome(page);
    await page.focus("#sample-temperature");
    await page.keyboard.press("ControlOrMeta+A");
    await page.keyboard.type("0.");
    await page.evaluate(() => {
      document.querySelector("#prompt")?.dispatchEvent(new Event("input"));
      return new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 50)));
    });
    await page.keyboard.type("0");
    expect(await page.inputValue("#sample-temperature")).toBe("0.0");
  });
});
