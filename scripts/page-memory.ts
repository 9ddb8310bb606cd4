/**
 * What the playground holds after 100 steps and after many: `npx tsx scripts/page-memory.ts [steps] [settings]`. Of page and worker, after
 * a collection of garbage: JavaScript's heap and array buffers; WebAssembly's memories; and what the
 * browser's processes have resident. Fails where heaps and buffers together grow by more than equal runs differ by, or a memory of
 * WebAssembly at all. V8 interprets: machine code would count as heap, and comes until every function that is often called has some.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CDPSession, chromium, type Page } from "playwright-core";
import { LIST, paste, QUICK, step } from "../test/playground/person.ts";
import { hostPlayground } from "../test/playground/served.ts";
import { chromiumOptions } from "../test/support/chromium.ts";
import { processesOf } from "../test/support/processes.ts";

const [steps = "10000", more = "device=wasm&logging_steps=50&eval_steps=50&save_steps=50"] = process.argv.slice(2);
const MIB = 2 ** 20;
/** Two equal runs told of growths that were 0.32 MiB apart (docs/notes/playground-proof.md); none is what is wanted. */
const MOST_GROWTH = 0.25 * MIB;
const MOMENTS = 5;
const INTERPRETED = "--js-flags=--no-opt --no-maglev --no-sparkplug";

/** Asks the debugger of the page, or of its worker. */
type Ask = (method: string, params?: object) => Promise<Record<string, unknown>>;

async function debuggersOf(page: Page): Promise<{ page: Ask; worker: Ask }> {
  const session: CDPSession = await page.context().newCDPSession(page);
  let calls = 0;
  const waiting = new Map<number, (result: Record<string, unknown>) => void>();
  const attached = new Promise<string>((resolve) => {
    session.on("Target.attachedToTarget", ({ sessionId, targetInfo }) => {
      if (targetInfo.type === "worker") resolve(sessionId);
    });
  });
  session.on("Target.receivedMessageFromTarget", ({ message }) => {
    const { id, result } = JSON.parse(message);
    waiting.get(id)?.(result);
  });
  await session.send("Target.setAutoAttach", { autoAttach: true, waitForDebuggerOnStart: false, flatten: false });
  const sessionId = await attached;
  return {
    page: (method, params = {}) => session.send(method as "Runtime.getHeapUsage", params as never) as never,
    worker: (method, params = {}) =>
      new Promise((resolve) => {
        waiting.set(++calls, resolve);
        const message = JSON.stringify({ id: calls, method, params });
        void session.send("Target.sendMessageToTarget", { sessionId, message });
      }),
  };
}

interface Held {
  readonly step: number;
  readonly pageHeap: number;
  readonly pageBuffers: number;
  readonly workerHeap: number;
  readonly workerBuffers: number;
  readonly wasm: number;
  /** Resident bytes of the browser's processes, by what they are. */
  readonly processes: Readonly<Record<string, number>>;
}

function sum({ pageHeap, pageBuffers, workerHeap, workerBuffers }: Held): number {
  return pageHeap + pageBuffers + workerHeap + workerBuffers;
}

async function heapOf(ask: Ask): Promise<{ heap: number; buffers: number }> {
  for (let i = 0; i < 3; i++) await ask("HeapProfiler.collectGarbage");
  const { usedSize, backingStorageSize } = await ask("Runtime.getHeapUsage");
  return { heap: Number(usedSize), buffers: Number(backingStorageSize) };
}

const host = await hostPlayground();
// As people have it: what a browser keeps for a window without a history, it keeps in memory.
const profile = mkdtempSync(join(tmpdir(), "gpt2-page-memory-"));
const { args = [], ...options } = chromiumOptions();
const context = await chromium.launchPersistentContext(profile, {
  ...options,
  args: [...args, INTERPRETED],
  locale: "en",
});
try {
  const page = await context.newPage();
  page.setDefaultTimeout(0);
  await page.goto(`${host.place().url}#${QUICK}&max_steps=${Math.ceil(1.1 * Number(steps))}&${more}`);
  await page.waitForSelector("#train:enabled");
  await page.workers()[0]!.evaluate(() => {
    const memories: WebAssembly.Memory[] = [];
    const { Memory } = WebAssembly;
    Object.assign(globalThis, { memories });
    WebAssembly.Memory = new Proxy(Memory, {
      construct(made, args) {
        const memory = Reflect.construct(made, args);
        memories.push(memory);
        return memory;
      },
    });
  });
  const debuggers = await debuggersOf(page);
  await paste(page, LIST);

  /** Of some moments the one with the least, since an evaluation, a save or samples may be under way. */
  async function held(): Promise<Held> {
    let least: Held | undefined;
    for (let i = 0; i < MOMENTS; i++) {
      const now = await heldNow();
      if (!least || sum(now) < sum(least)) least = now;
      await page.waitForTimeout(100);
    }
    return least!;
  }

  async function heldNow(): Promise<Held> {
    const [ofPage, ofWorker] = [await heapOf(debuggers.page), await heapOf(debuggers.worker)];
    const wasm = await page
      .workers()[0]!
      .evaluate(() =>
        (globalThis as unknown as { memories: WebAssembly.Memory[] }).memories.reduce(
          (sum, { buffer }) => sum + buffer.byteLength,
          0,
        ),
      );
    const resident: Record<string, number> = {};
    for (const { type, resident: bytes } of processesOf(profile)) resident[type] = (resident[type] ?? 0) + bytes;
    return {
      step: Number(await page.evaluate(() => document.querySelector("progress")?.value)),
      pageHeap: ofPage.heap,
      pageBuffers: ofPage.buffers,
      workerHeap: ofWorker.heap,
      workerBuffers: ofWorker.buffers,
      wasm,
      processes: resident,
    };
  }

  const began = performance.now();
  await page.click("#train");
  await step(page, 100);
  // Whatever is done between steps has been done once.
  await page.waitForSelector("#run .samples li");
  const first = await held();
  await step(page, Number(steps));
  const last = await held();
  const mib = (bytes: number): string => `${(bytes / MIB).toFixed(2)} MiB`;
  for (const { step: at, pageHeap, pageBuffers, workerHeap, workerBuffers, wasm, processes: resident } of [first, last])
    console.log(
      `step ${at}: page ${mib(pageHeap)} and buffers ${mib(pageBuffers)}, worker ${mib(workerHeap)} and buffers ` +
        `${mib(workerBuffers)}, WebAssembly ${mib(wasm)}; resident: ` +
        Object.entries(resident)
          .map(([type, bytes]) => `${type} ${mib(bytes)}`)
          .join(", "),
    );
  const grown = sum(last) - sum(first);
  console.log(
    `heaps and buffers: ${grown < 0 ? "" : "+"}${mib(grown)} in ${last.step - first.step} steps (${more}), ` +
      `${((performance.now() - began) / 1000).toFixed(0)} s`,
  );
  if (last.step < Number(steps) || grown > MOST_GROWTH || last.wasm > first.wasm) process.exitCode = 1;
} finally {
  await context.close();
  host.close();
  rmSync(profile, { recursive: true, force: true });
}
