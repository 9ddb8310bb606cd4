/**
 * Runs of the playground that are interrupted at random moments, and gone on with: `npx tsx scripts/page-faults.ts [faults] [seed]`.
 * Its tab is reloaded, closed or crashes, its worker ends, its devices are destroyed, its browser is killed. Fails unless every
 * loss, norm and evaluation, after each fault, and the last weights have the bits of a run of the command line that nobody touched.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import { commandLineOf } from "../test/playground/command-line.ts";
import { crash, destroyDevices, endWorker, watchDevices } from "../test/playground/faults.ts";
import {
  download,
  eventually,
  LIST,
  numbersOf,
  paste,
  QUICK,
  ready,
  statusOf,
  stored,
} from "../test/playground/person.ts";
import { hostPlayground } from "../test/playground/served.ts";
import { chromiumOptions } from "../test/support/chromium.ts";
import { randomFrom } from "../test/support/device-loss.ts";
import { processesOf } from "../test/support/processes.ts";

const [faults = "50", seed = "1"] = process.argv.slice(2);
const random = randomFrom(Number(seed));
const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;

const SETTINGS = "max_steps=60&eval_steps=20&save_steps=4&logging_steps=1&dropout=0.1";
const KINDS = ["reload", "tab closed", "tab crashed", "worker ended", "device destroyed", "browser killed"] as const;
type Kind = (typeof KINDS)[number];

const scratch = mkdtempSync(join(tmpdir(), "gpt2-page-faults-"));
const host = await hostPlayground();
const place = host.place();
const began = performance.now();

/** A browser whose files outlast it. */
async function openBrowser(profile: string): Promise<BrowserContext> {
  const context = await chromium.launchPersistentContext(profile, { ...chromiumOptions(), locale: "en" });
  context.setDefaultTimeout(120_000);
  return context;
}

function fail(message: string): never {
  console.error(message);
  process.exit(1);
}

interface Whole {
  readonly metrics: ReadonlyMap<string, string>;
  readonly weights: Buffer;
}

const wholes = new Map<string, Whole>();
let compared = 0;

/** That nothing that is logged is another than in a run that nobody touched. */
async function compare(page: Page, whole: Whole): Promise<void> {
  const [metrics] = await stored(page, "metrics.jsonl");
  if (metrics === undefined) return;
  for (const [key, value] of numbersOf(metrics)) {
    compared++;
    if (whole.metrics.get(key) !== value) fail(`${key}: ${value}, wanted ${whole.metrics.get(key)}`);
  }
}

const counts = new Map<string, number>();
const count = (what: string): void => void counts.set(what, (counts.get(what) ?? 0) + 1);

/** One run from its beginning to its end, with faults until there have been enough; gives how many. */
async function interruptedRun(device: "wasm" | "webgpu", left: number): Promise<number> {
  const profile = mkdtempSync(join(scratch, "profile-"));
  let context = await openBrowser(profile);
  let page = await context.newPage();
  const url = `${place.url}#${QUICK}&device=${device}&${SETTINGS}`;
  const progress = (): Promise<number> => page.evaluate(() => Number(document.querySelector("progress")?.value ?? -1));
  let whole: Whole | undefined;
  let done = 0;
  await page.goto(url);
  for (let first = true; ; first = false) {
    // Where it stands: not begun, paused, or at its end.
    await page.waitForSelector(first ? "#train:enabled" : ".stored li, #train:enabled");
    // What is stored is listed when it was read, and the device may be there before: no run is there once none has come.
    if (!first) await page.waitForSelector(".stored li", { timeout: 5000 }).catch(() => undefined);
    const status = first ? null : await settled(page);
    if (status === null) await paste(page);
    else {
      whole ??= await wholeOf(page, device);
      await compare(page, whole);
    }
    if (status === "finished") break;
    if (device === "webgpu") await watchDevices(page);
    await page.click(status === null ? "#train" : "#go-on");
    if (done === left) {
      await page.waitForSelector(".outcome:not(:empty)");
      continue;
    }
    // A time, or some steps and a moment, so that saves are met, too.
    const from = Math.max(0, await progress());
    if (random() < 0.4) await sleep(2500 * random());
    else {
      const steps = 1 + Math.floor(8 * random());
      await page.waitForFunction(
        (wanted) => Number(document.querySelector("progress")?.value) >= wanted || !document.querySelector("#pause"),
        from + steps,
      );
      await sleep(200 * random());
    }
    const kind = pick(KINDS.filter((one) => device === "webgpu" || one !== "device destroyed"));
    const active = (await page.locator("#pause").count()) > 0;
    count(`${kind}${active ? "" : ", after its end"}`);
    done++;
    await befall(kind);
  }
  const { "model.safetensors": weights } = await download(page);
  if (Buffer.compare(Buffer.from(weights!), whole!.weights) !== 0) fail("the model differs");
  if ((await page.locator(".stored li").count()) !== 1) fail("there is more than one run");
  if (numbersOf((await stored(page, "metrics.jsonl"))[0]!).size !== whole!.metrics.size) fail("lines are missing");
  await context.close();
  rmSync(profile, { recursive: true, force: true });
  return done;

  async function befall(kind: Kind): Promise<void> {
    if (kind === "reload") await page.reload();
    else if (kind === "worker ended") {
      await endWorker(page);
      await page.waitForSelector(".alert");
    } else if (kind === "device destroyed") {
      const steps = await progress();
      const lost = await destroyDevices(page);
      if (lost === 0) count("of them before a device was open");
      // It goes on by itself: until it does, or ends.
      await page.waitForFunction(
        (before) => !document.querySelector("#pause") || Number(document.querySelector("progress")?.value) > before,
        Math.max(steps, 0),
      );
      await page.reload();
    } else if (kind === "browser killed") {
      process.kill(processesOf(profile)[0]!.pid, "SIGKILL");
      await context.close().catch(() => {});
      context = await openBrowser(profile);
      page = await context.newPage();
      await page.goto(url);
    } else {
      if (kind === "tab crashed") await crash(page);
      const old = page;
      page = await context.newPage();
      await old.close();
      await page.goto(url);
    }
  }
}

/** How the run stands once its worker has given back its lock; null where it was never kept. */
async function settled(page: Page): Promise<string | null> {
  await ready(page);
  await eventually(async () => {
    const listed = await page.locator(".stored li").count();
    return listed === 0 ? "none" : await statusOf(page);
  }, /none|paused|finished/);
  return (await page.locator(".stored li").count()) === 0 ? null : statusOf(page);
}

async function wholeOf(page: Page, device: string): Promise<Whole> {
  const known = wholes.get(device);
  if (known) return known;
  const [about = ""] = await stored(page, "about.json");
  const whole = await commandLineOf(about, LIST, join(scratch, device), device === "wasm" ? "wasm" : "embedded");
  wholes.set(device, whole);
  return whole;
}

let befallen = 0;
let runs = 0;
while (befallen < Number(faults)) {
  const device = runs++ % 2 === 0 ? "webgpu" : "wasm";
  const done = await interruptedRun(device, Math.min(10, Number(faults) - befallen));
  befallen += done;
  console.log(
    `run ${runs}, ${device}: ${done} faults, the same bits; ${((performance.now() - began) / 1000).toFixed(0)} s`,
  );
}
console.log(
  `seed ${seed}: ${befallen} faults in ${runs} runs (${[...counts].map(([what, n]) => `${what}: ${n}`).join("; ")}); ` +
    `${compared} losses, norms and evaluations compared, and ${runs} models: no bit differs`,
);
host.close();
rmSync(scratch, { recursive: true, force: true });
