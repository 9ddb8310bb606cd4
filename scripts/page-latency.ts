/**
 * How soon the playground answers while each step takes a second, and how soon it trains: `npx tsx scripts/page-latency.ts [inputs]`.
 * Fails where 95 of 100 inputs take more than 50 ms, in WebAssembly or on WebGPU; `test/playground/latency.ts` says how they are measured.
 */
import { answersOf, describeAnswers, heavyRun, MOST_MS, percentile } from "../test/playground/latency.ts";
import { begin, ready } from "../test/playground/person.ts";
import { servePlayground } from "../test/playground/served.ts";

const [inputs = "100"] = process.argv.slice(2);
const MOST_OPENING = 5;

const served = await servePlayground();
try {
  for (const device of ["wasm", "webgpu"] as const) {
    await served.visit(async ({ open }) => {
      const answers = await answersOf(await open(heavyRun(device)), device, Number(inputs));
      console.log(describeAnswers(answers));
      if (percentile(answers.durations, 0.95) > MOST_MS) process.exitCode = 1;
    });
  }
  await served.visit(async ({ open, context }) => {
    const first = await open();
    await ready(first);
    await first.evaluate(() => navigator.serviceWorker.ready);
    await first.close();
    const seconds: number[] = [];
    for (let i = 0; i < 5; i++) {
      const page = await context.newPage();
      const began = performance.now();
      await page.goto(first.url());
      await begin(page);
      seconds.push((performance.now() - began) / 1000);
      await page.close();
    }
    console.log(
      `from opening, with everything in the browser's cache, to the first step after one click: ` +
        `${seconds.map((one) => one.toFixed(2)).join(", ")} s`,
    );
    if (percentile(seconds, 0.5) > MOST_OPENING) process.exitCode = 1;
  });
} finally {
  await served.close();
}
