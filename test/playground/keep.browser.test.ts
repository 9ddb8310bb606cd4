/** Runs of the playground that are interrupted, and looked at by several tabs: nothing is lost, and no bit is another. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, expect } from "vitest";
import { testAdapters } from "../support/gpu.ts";
import { commandLineOf } from "./command-line.ts";
import { destroyDevices, endWorker, watchDevices } from "./faults.ts";
import {
  begin,
  download,
  eventually,
  greedy,
  LIST,
  numbersOf,
  outcome,
  paste,
  press,
  QUICK,
  ready,
  statusOf,
  step,
  stored,
} from "./person.ts";
import { describePlayground } from "./visits.ts";

const folder = mkdtempSync(join(tmpdir(), "gpt2-keep-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** That the newest run came to the bits of one that never stopped, of the command line on the same kind of device. */
async function expectWhole(page: Page, device: string): Promise<void> {
  await eventually(() => statusOf(page), "finished");
  const [about = ""] = await stored(page, "about.json");
  const whole = await commandLineOf(about, LIST, join(folder, device), device);
  expect(whole.metrics.size).toBe(JSON.parse(about).said.max_steps + 2);
  expect(numbersOf((await stored(page, "metrics.jsonl"))[0]!)).toEqual(whole.metrics);
  const { "model.safetensors": weights } = await download(page);
  expect(Buffer.compare(Buffer.from(weights!), whole.weights)).toBe(0);
}

describePlayground("a run of the playground", (visit) => {
  visit("loses nothing by a reload and a worker that ends", async ({ open }) => {
    const page = await open(`${QUICK}&max_steps=24&eval_steps=12&save_steps=5&logging_steps=1`);
    await paste(page);
    await begin(page);
    await step(page, 7);
    await page.reload();
    await page.click("#go-on");
    await step(page, 13);
    await endWorker(page);
    await page.waitForSelector(".alert");
    expect(await page.textContent(".alert")).toContain("goes on from its last checkpoint");
    await page.click("#go-on");
    expect(await outcome(page)).toMatch(/finished/);
    await expectWhole(page, "wasm");
  });

  visit.runIf(testAdapters.includes("embedded"))(
    "on WebGPU it goes on by itself when its device is lost, to the bits of the command line on the same driver",
    async ({ open }) => {
      const page = await open(`${QUICK}&device=webgpu&max_steps=20&eval_steps=10&save_steps=5&logging_steps=1`);
      await paste(page);
      expect(await page.textContent("header .hint")).toMatch(/Computing on .*swiftshader.* by WebGPU/);
      await watchDevices(page);
      await begin(page);
      await step(page, 7);
      await destroyDevices(page);
      expect(await outcome(page)).toMatch(/finished/);
      expect(await page.textContent(".notices")).toMatch(/the device was lost.*going on from step \d+/s);
      await expectWhole(page, "embedded");
      // What samples has a device of its own, and another when that is lost.
      const text = await greedy(page, "a");
      await destroyDevices(page);
      expect(await greedy(page, "a")).toBe(text);
    },
  );

  visit(
    "is seen by a second tab, which cannot touch it, and goes on with it when the first is closed",
    async ({ context, open }) => {
      const settings = `${QUICK}&max_steps=100000&eval_steps=100000&save_steps=50&logging_steps=1000`;
      const first = await open(settings);
      await paste(first);
      await begin(first);
      await step(first, 51);
      const second = await open(settings);
      await second.waitForSelector("#run .warning");
      expect(await second.textContent("#run .warning")).toContain("trains in another tab");
      expect(await statusOf(second)).toBe("running");
      const remove = second.locator(".stored li").first().getByRole("button", { name: "Delete" });
      expect(await remove.isDisabled()).toBe(true);
      await first.click("#pause");
      expect(await outcome(first)).toContain("paused");
      await second.waitForSelector("#run .warning", { state: "detached" });
      await eventually(() => statusOf(second), "paused");
      await begin(first, "#go-on");
      await second.waitForSelector("#run .warning");
      // It has no time to say that it ends.
      await first.close();
      await second.waitForSelector("#run .warning", { state: "detached" });
      await eventually(() => statusOf(second), "paused");
      await press(second, "Go on");
      await step(second, 51);
      await second.click("#pause");
      expect(await outcome(second)).toContain("paused");
      await context.addInitScript(() => {
        Object.defineProperty(BroadcastChannel.prototype, "onmessage", { set() {} });
      });
      const third = await open(settings);
      await third.waitForSelector("#go-on");
      await press(second, "Delete");
      await press(second, "Really delete");
      await eventually(() => second.locator(".stored li").count(), 0);
      // A tab that has not heard of it, and still lists it, is told.
      await third.click("#go-on");
      await third.waitForSelector(".alert");
      expect(await third.textContent(".alert")).toMatch(/does not exist/);
      await eventually(() => third.locator(".stored li").count(), 0);
    },
  );

  visit(
    "that was stopped is set up again with its data and settings, one of which is then another",
    async ({ open }) => {
      const page = await open(
        `${QUICK}&max_steps=9&eval_steps=3&save_steps=3&logging_steps=1&sample_prompts=ax&sample_prompts=b`,
      );
      await paste(page);
      await page.click("#train");
      await outcome(page);
      // Whoever comes back has neither its data nor its settings before them.
      const other = await open("size=large");
      await ready(other);
      await other.locator(".stored li").first().getByRole("button", { name: "Set up again" }).focus();
      await other.keyboard.press("Enter");
      await eventually(() => other.evaluate(() => document.activeElement?.id ?? ""), "set-up");
      expect(await other.textContent("#set-up")).toContain("those of pasted text");
      expect(await other.textContent(".chosen")).toContain("pasted text");
      expect(await other.textContent(".dial strong")).toBe("tiny");
      await other.keyboard.press("Tab");
      expect(await other.evaluate(() => document.activeElement?.id)).toBe("train");
      await other.fill("#setting-n_embd", "24");
      await other.keyboard.press("Tab");
      await ready(other);
      await other.click("#train");
      expect(await outcome(other)).toContain("is finished");
      const [again, first] = (await stored(other, "about.json")).map((json) => JSON.parse(json));
      expect(again).toMatchObject({ title: first.title, inputs: first.inputs });
      expect(again.said).toEqual({ ...first.said, n_embd: 24 });
      expect(numbersOf((await stored(other, "metrics.jsonl"))[0]!).size).toBe(12);
    },
  );

  visit("is seen to its end by a tab that looks at it", async ({ open }) => {
    const settings = `${QUICK}&max_steps=400&eval_steps=100&save_steps=100&logging_steps=5`;
    const first = await open(settings);
    await paste(first);
    await begin(first);
    const second = await open(settings);
    await second.waitForSelector("#run .warning");
    await press(second, "Show");
    await second.waitForSelector("#run .tile");
    expect(await outcome(first)).toContain("is finished");
    await eventually(() => statusOf(second), "finished");
    const loss = await first.textContent("#tile-eval_loss");
    await eventually(() => second.textContent("#tile-eval_loss"), loss);
    expect(await second.getAttribute("[data-chart=loss]", "aria-label")).toMatch(/at step 400$/);
    expect(await second.locator("#run .samples li").count()).toBe(2);
  });

  visit("and another, begun in two tabs at once, are two runs", async ({ open }) => {
    const settings = `${QUICK}&max_steps=16&eval_steps=8&save_steps=4&logging_steps=2`;
    const tabs = [await open(settings), await open(settings)];
    await Promise.all(tabs.map((tab) => paste(tab)));
    await Promise.all(tabs.map((tab) => tab.click("#train")));
    for (const tab of tabs) expect(await outcome(tab)).toMatch(/finished/);
    const logs = await stored(tabs[0]!, "metrics.jsonl");
    expect(logs).toHaveLength(2);
    expect(numbersOf(logs[0]!)).toEqual(numbersOf(logs[1]!));
    expect(numbersOf(logs[0]!).size).toBe(10);
    await tabs[0]!.reload();
    await eventually(() => tabs[0]!.locator(".stored li[data-status=finished]").count(), 2);
    expect(await greedy(tabs[1]!, "a")).not.toBe("");
  });

  visit("that is opened in two tabs trains in one of them", async ({ open }) => {
    const settings = `${QUICK}&max_steps=100000&eval_steps=100000&save_steps=20&logging_steps=4&samples=0`;
    const first = await open(settings);
    await paste(first);
    await begin(first);
    await first.click("#pause");
    await outcome(first);
    const tabs = [first, await open(settings)] as const;
    await Promise.all(tabs.map((tab) => tab.waitForSelector("#go-on:enabled")));
    await Promise.all(tabs.map((tab) => tab.click("#go-on")));
    const refused = await Promise.any(
      tabs.map(async (tab) => {
        await tab.waitForSelector(".alert");
        return tab;
      }),
    );
    expect(await refused.textContent(".alert")).toMatch(/another tab or worker is at work there/);
    const trains = tabs.find((tab) => tab !== refused)!;
    await step(trains, 100);
    await trains.click("#pause");
    expect(await outcome(trains)).toContain("paused");
    // One line after another, each of its own steps; a pause may have cut some short.
    const steps = [...numbersOf((await stored(trains, "metrics.jsonl"))[0]!).keys()].map((key) => Number(key.slice(4)));
    expect(steps.length).toBeGreaterThan(24);
    steps.forEach((step, i) => {
      const summed = step - (steps[i - 1] ?? 0);
      expect(summed > 0 && summed <= 4, `a line at step ${step}`).toBe(true);
    });
    await ready(refused);
    await eventually(() => statusOf(refused), "paused");
  });
});
