/** What a person sees of a model that the page has trained: texts token by token, and what is inside. */
import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { begin, outcome, ready } from "./person.ts";
import { describePlayground } from "./visits.ts";

/** Of the example, no more than has a model. */
const BRIEF = "size=tiny&max_steps=4&eval_steps=4&samples=2";

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

describePlayground("a model in the page", (visit) => {
  visit(
    "samples stream in, many at once, and each token tells its probability and its rivals, by pointer and by keys",
    async ({ context, open }) => {
      await context.addInitScript(hearTokens);
      const page = await open(BRIEF);
      await ready(page);
      await begin(page);
      await outcome(page);
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
      // Those that end at once have no token.
      const order = told.flat();
      const begun = [...new Set(order)].sort((a, b) => a - b);
      expect(begun.length).toBeGreaterThan(50);
      expect(order.indexOf(begun.at(-1)!)).toBeLessThan(order.lastIndexOf(begun[0]!));

      const first = page.locator("#results li").first();
      const whole = await first.locator(".sample").textContent();
      const pieces = await first.locator(".sample .token").allTextContents();
      expect(whole).toBe(`ma${pieces.join("")}`);
      const tip = page.locator("#tip");
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
      expect(await focused.getAttribute("aria-describedby")).toBe("tip");
      await page.keyboard.press("Escape");
      expect(await tip.isVisible()).toBe(false);
    },
  );

  visit(
    "looks inside: a step's ops, attention, tokens that are alike, the checks, and all of it as one report",
    async ({ open, requests }) => {
      const page = await open(BRIEF);
      await ready(page);
      await begin(page);
      await outcome(page);
      await page.evaluate(() => navigator.serviceWorker.ready);
      const before = requests.length;
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
      // Browsers look for a new service worker by themselves, when they have time.
      expect(requests.slice(before).filter((name) => name !== "sw.js")).toEqual([]);
    },
    { serviceWorkers: "allow" },
  );
});
