/**
 * How soon the page answers while each step takes a second. Keys are typed and buttons pressed, as a person does, at random moments
 * of a run. An answer is the frame that follows the handler, as the browser's own Event Timing has it: from the input to the next paint.
 */
import type { Page } from "playwright-core";
import { randomFrom } from "../support/device-loss.ts";
import { begin, paste, ready } from "./person.ts";

/** The most that 95 of 100 answers may take. */
export const MOST_MS = 50;
/** What takes less is not told by browsers. */
const LEAST_MS = 16;

export type Device = "wasm" | "webgpu";

/** A run with steps of a second or more where two cores are busy with other work. */
const HEAVY: Readonly<Record<Device, string>> = {
  wasm: "size=medium&per_device_train_batch_size=64&n_positions=128",
  webgpu: "size=small&per_device_train_batch_size=32&n_positions=128",
};
const LINES = Array.from({ length: 400 }, (_, i) => `${"abcdefgh"[i % 8]}${i * 7919}`.repeat(12)).join("\n");

export function heavyRun(device: Device): string {
  return `${HEAVY[device]}&device=${device}&max_steps=100000&eval_split=0&save_steps=100000&logging_steps=1&samples=0`;
}

export interface Answers {
  readonly device: Device;
  /** Of a step meanwhile; where none ended, so long at least. */
  readonly secondsPerStep: number;
  /** Milliseconds, of each input; what takes less than `LEAST_MS` is that. */
  readonly durations: readonly number[];
}

/** Begins a run on a page that was opened with `heavyRun`'s settings, and gives it some inputs. */
export async function answersOf(page: Page, device: Device, inputs: number): Promise<Answers> {
  await ready(page);
  await paste(page, LINES);
  await begin(page);
  await watchInputs(page);
  const random = randomFrom(1);
  const [from, began] = [await stepOf(page), performance.now()];
  for (let i = 0; i < inputs; i++) {
    await page.waitForTimeout(50 + 100 * random());
    if (i % 4 === 0) await page.locator(".columns details summary").first().click();
    else {
      await page.focus("#pasted");
      await page.keyboard.press("abcdefgh"[i % 8]!);
    }
  }
  const seconds = (performance.now() - began) / 1000;
  const steps = (await stepOf(page)) - from;
  // An answer is told some time after its frame.
  await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
  await page.waitForTimeout(200);
  const told = await page.evaluate(() => (globalThis as unknown as { durations: number[] }).durations);
  const untold = Math.max(0, inputs - told.length);
  return {
    device,
    secondsPerStep: seconds / Math.max(1, steps),
    durations: [...Array.from({ length: untold }, () => LEAST_MS), ...told],
  };
}

/** What was measured, as a sentence. */
export function describeAnswers({ device, secondsPerStep, durations }: Answers): string {
  const longer = durations.filter((duration) => duration > LEAST_MS).toSorted((a, b) => b - a);
  return (
    `${device}: a step takes ${secondsPerStep.toFixed(2)} s; of ${durations.length} inputs ${longer.length} took more than ` +
    `${LEAST_MS} ms to the next frame (${longer.join(", ")}), median ${percentile(durations, 0.5)} ms, ` +
    `p95 ${percentile(durations, 0.95)} ms`
  );
}

/** The value that so large a share is not above. */
export function percentile(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.ceil(share * values.length) - 1] ?? 0;
}

/** Gathers from now on what the browser says of each input that it has answered. */
async function watchInputs(page: Page): Promise<void> {
  await page.evaluate((durationThreshold) => {
    const durations: number[] = [];
    Object.assign(globalThis, { durations });
    new PerformanceObserver((list) => {
      for (const { name, duration } of list.getEntries())
        if (name === "keydown" || name === "click") durations.push(duration);
    }).observe({ type: "event", durationThreshold } as PerformanceObserverInit);
  }, LEAST_MS);
}

async function stepOf(page: Page): Promise<number> {
  return page.evaluate(() => Number(document.querySelector("progress")?.value ?? 0));
}
