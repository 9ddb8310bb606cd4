import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { historyOf, type RunHistory } from "../../src/report/history.ts";
import { lineListener, type RunLine } from "../../src/report/lines.ts";
import { reportPage } from "../../src/report/page.ts";
import { clock, description, log, tell } from "../report/run.ts";
import { hasChromium, launch, lookAtFile } from "../support/chromium.ts";

const HOSTILE = "</script><script>alert(1)</script><!--<img src=http://localhost:9/x onerror=alert(2)>\"'`\u2028";
const folder = mkdtempSync(join(tmpdir(), "gpt2-report-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** A run whose every text is meant to break out of the page. */
async function hostileRun(name: string): Promise<RunHistory> {
  const lines: RunLine[] = [];
  const listener = lineListener((line) => lines.push(line), clock());
  await tell(listener, 0, 60);
  listener.sampled({ step: 60, samples: [{ prompt: HOSTILE, text: HOSTILE, ended: false }] });
  listener.noticed({ step: 55, kind: "spike", message: HOSTILE });
  return historyOf(name, lines, description({ adapter: HOSTILE, settings: { data: HOSTILE, [HOSTILE]: 1 } }));
}

/** How many pixels of each chart's canvas have a colour that is not grey: curves, not axes. */
function colouredPixels(page: Page): Promise<number[]> {
  return page.evaluate(() =>
    Array.from(document.querySelectorAll("canvas"), (canvas) => {
      const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
      let coloured = 0;
      for (let at = 0; at < data.length; at += 4) {
        const [red, green, blue, alpha] = data.subarray(at, at + 4) as unknown as [number, number, number, number];
        if (alpha > 128 && Math.max(red, green, blue) - Math.min(red, green, blue) > 60) coloured++;
      }
      return coloured;
    }),
  );
}

function written(name: string, runs: readonly RunHistory[]): string {
  const path = join(folder, name);
  writeFileSync(path, reportPage(runs));
  return pathToFileURL(path).href;
}

describe.runIf(hasChromium)("a report opened from the disk", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser.close());

  test.each([
    ["a desk", { width: 1280, height: 800 }],
    ["a phone in the dark", { width: 360, height: 740, dark: true }],
    ["Chromium in the POSIX locale", { width: 1280, height: 800, language: "en-US@posix" }],
  ])("on %s: curves are drawn, nothing is asked of the network, and hostile texts are texts", async (_, viewport) => {
    const url = written("one.html", [await hostileRun(HOSTILE)]);
    await lookAtFile(browser, url, viewport, async (page) => {
      expect(await page.title()).toContain("<script>alert(1)");
      expect(await page.locator("h1").textContent()).toBe(HOSTILE);
      expect(await page.locator(".sample").first().textContent()).toBe(HOSTILE + HOSTILE);
      expect(await page.locator("script").count(), "the data and the page's own").toBe(2);
      expect(await page.locator("img").count()).toBe(0);
      const pixels = await colouredPixels(page);
      expect(pixels).toHaveLength(4);
      for (const count of pixels) expect(count).toBeGreaterThan(50);
      expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
    });
  });

  test("the axis changes, the loss may be logarithmic, and the pointer is told the numbers and the notice there", async () => {
    const url = written("two.html", [await hostileRun("run")]);
    await lookAtFile(browser, url, { width: 1000, height: 800 }, async (page) => {
      const legend = page.locator(".u-legend").first();
      expect(await legend.textContent()).toContain("evaluation");
      for (const [x, label] of [
        ["tokens", "tokens"],
        ["seconds", "time"],
        ["step", "step"],
      ]) {
        await page.check(`input[value=${x}]`);
        expect(await legend.locator("th").first().textContent()).toBe(label);
      }
      await page.check("#log");
      for (const count of await colouredPixels(page)) expect(count).toBeGreaterThan(50);
      // The run goes from step 10 to 60; the spike is at 55.
      const box = (await page.locator(".u-over").first().boundingBox())!;
      await page.mouse.move(box.x + (box.width * 45) / 50, box.y + 50);
      await expect.poll(() => page.locator(".message").textContent()).toBe(`spike, step 55: ${HOSTILE}`);
      expect(await legend.textContent()).toMatch(/training3\.[45]000/);
    });
  });

  test("several runs lie over each other", async () => {
    const url = written("three.html", [await hostileRun("a"), await hostileRun("b")]);
    await lookAtFile(browser, url, { width: 1000, height: 800 }, async (page) => {
      expect(await page.locator(".u-legend").first().locator(".u-series").count()).toBe(5);
      expect(await page.locator("tbody tr").first().textContent()).toContain("ainterrupted60");
    });
  });

  test.each([
    ["without a single step", 0, []],
    ["with a single one", 1, [10]],
    ["whose loss was never finite", 0, [10, 20, 30]],
  ])("a run %s, and whether it goes on", async (_, curves, steps) => {
    const lines: RunLine[] = [];
    const listener = lineListener((line) => lines.push(line), clock("2020-01-01T00:00:00.000Z"));
    listener.started(description());
    for (const step of steps) listener.logged(log(step, steps.length > 1 ? { loss: Number.NaN } : {}));
    const url = written("few.html", [historyOf("few", lines, description())]);
    await lookAtFile(browser, url, { width: 1000, height: 800 }, async (page) => {
      expect(await page.locator(".badge").textContent()).toBe("running, or killed");
      expect(await page.locator("header").textContent()).toMatch(/nothing new for \d+:\d\d:\d\d/);
      expect(await page.locator("#reload").isVisible()).toBe(true);
      await page.check("#log");
      const pixels = await colouredPixels(page);
      expect(pixels).toHaveLength(4);
      expect(pixels[0]! > 0 ? 1 : 0).toBe(curves);
    });
  });
});
