/**
 * A run whose devices are destroyed at random moments, and that goes on by itself on a new one each time:
 * `npx tsx scripts/device-loss.ts [losses] [seed] [adapters]`. Fails unless every loss, repeated steps among them, and the
 * last weights and moments have the bits of a run whose device was never lost.
 */
import { defaultSystemAdapter } from "../src/platform/node/adapters.ts";
import { difference, drawMoments, randomFrom, trainThroughLosses } from "../test/support/device-loss.ts";

const [losses = "100", seed = "1", adapters = "embedded,system"] = process.argv.slice(2);
const maxSteps = 10 * Number(losses);
for (const adapter of adapters.split(",")) {
  if (adapter === "system" && !(await defaultSystemAdapter())) {
    console.log("system: this machine has no such adapter");
    continue;
  }
  const began = performance.now();
  const seconds = () => (performance.now() - began) / 1000;
  await trainThroughLosses(adapter, 1, []);
  const compileMs = 1000 * seconds();
  const whole = await trainThroughLosses(adapter, maxSteps, []);
  const cut = await trainThroughLosses(
    adapter,
    maxSteps,
    drawMoments(Number(losses), randomFrom(Number(seed)), compileMs),
  );
  const wrong = difference(cut, whole);
  const kinds = new Map<string, number>();
  for (const kind of cut.lost) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  const list = [...kinds].map(([kind, count]) => `${kind} ${count}`).join(", ");
  console.log(
    `${adapter}: ${maxSteps} steps, seed ${seed}: ${cut.lost.length} devices lost (${list}), ${cut.repeated} steps computed ` +
      `again with the same loss; ${wrong ?? "no bit of weights, moments and losses differs"}; ${seconds().toFixed(0)} s`,
  );
  if (wrong || cut.lost.length === 0) process.exitCode = 1;
}
