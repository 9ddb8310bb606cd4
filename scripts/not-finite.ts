/**
 * Values that turn NaN or infinite inside a training step: `npx tsx scripts/not-finite.ts [on the CPU] [on each driver] [seed]`.
 * Each time one result of one op, up to the gradients, is overwritten in up to 64 elements. Fails unless the step is left out,
 * with every bit of weights and moments as before and the next step what it would have been; or all stays finite, where the
 * value met nothing that it could spoil.
 */
import { defaultSystemAdapter } from "../src/platform/node/adapters.ts";
import { embeddedDriverExists } from "../src/platform/node/embedded.ts";
import { openGpu } from "../src/platform/node.ts";
import { createCpuRuntime } from "../src/runtime/cpu.ts";
import { createGpuRuntime } from "../src/runtime/gpu.ts";
import type { Runtime } from "../src/runtime/runtime.ts";
import { randomFrom } from "../test/support/device-loss.ts";
import { drawPoison, type Poison, preparePoisonTest } from "../test/support/poison.ts";

const [onCpu = "1000", onDrivers = "50", seed = "1"] = process.argv.slice(2);
let failures = 0;

async function measure(name: string, runtime: Runtime, injections: number): Promise<void> {
  const random = randomFrom(Number(seed));
  const tests = [await preparePoisonTest(runtime, false), await preparePoisonTest(runtime, true)];
  const results = { "left out": 0, absorbed: 0 };
  const ops = new Set<string>();
  const absorbed = new Map<string, number>();
  for (let i = 0; i < injections; i++) {
    const poison: Poison = drawPoison(i % 2 === 1, random);
    const { op, result, wrong } = await tests[i % 2]!.inject(poison);
    ops.add(op);
    results[result]++;
    if (result === "absorbed") absorbed.set(op, (absorbed.get(op) ?? 0) + 1);
    if (!wrong) continue;
    failures++;
    console.log(`WRONG ${name}: ${op} ${JSON.stringify({ ...poison, value: String(poison.value) })}: ${wrong}`);
  }
  console.log(
    `${name}, seed ${seed}: ${injections} values in ${ops.size} ops, half of them in steps of two batches: ${results["left out"]} ` +
      `steps left out, ${results.absorbed} absorbed (${[...absorbed].map(([op, count]) => `${op} ${count}`).join(", ")}); ${failures} failures`,
  );
}

await measure("CPU", createCpuRuntime(), Number(onCpu));
const adapters = [
  ...(embeddedDriverExists() ? ["embedded"] : []),
  ...((await defaultSystemAdapter()) ? ["system"] : []),
];
for (const adapter of Number(onDrivers) > 0 ? adapters : []) {
  const gpu = await openGpu({ adapter });
  const runtime = createGpuRuntime(gpu);
  await measure(gpu.driver, runtime, Number(onDrivers));
  runtime.close();
  gpu.close();
}
if (failures > 0) process.exitCode = 1;
