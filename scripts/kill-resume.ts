/**
 * `gpt2 train` killed at random moments and gone on with: `npm run build && npx tsx scripts/kill-resume.ts [kills] [seed]`.
 * Each run is killed (kill -9) and resumed again and again until it is done; then every checkpoint that it ever had, every loss
 * that it logged and its model must have the bits of a run that nobody touched. Moments: before any op of a step (between two
 * batches of an accumulated step as well), before or after any call to the file system while saving or restoring, or by time.
 */
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { randomFrom } from "../test/support/device-loss.ts";
import { compare, contentsOf, gpt2 as program, TINY_FLAGS, writeRecords } from "../test/support/killed-run.ts";

const [kills = "500", seed = "1", device = "cpu"] = process.argv.slice(2);
const random = randomFrom(Number(seed));
const below = (n: number): number => Math.floor(random() * n);
const main = fileURLToPath(new URL("../dist/bundle/gpt2.js", import.meta.url));
const parent = mkdtempSync(join(tmpdir(), "kill-resume-"));
const data = join(parent, "data.txt");
writeRecords(data);
const gpt2 = (args: string, killAt: string, afterStart?: Parameters<typeof program>[3]) =>
  program(main, args, killAt, afterStart);

const COMMON = `--data ${data} --device ${device} --max-steps 48 ${TINY_FLAGS}`;
/** What is trained: 3 steps a pass over the data, the last one with too few records; packed rows; windows of one text. */
const RUNS = [
  { name: "records, 2 batches a step", flags: "--batch-size 4 --gradient-accumulation-steps 2", perEpoch: 3 },
  {
    name: "packed rows, 3 batches a step",
    flags: "--packing --batch-size 1 --gradient-accumulation-steps 3",
    perEpoch: 4,
  },
  { name: "windows of a text", flags: "--stream --batch-size 2", perEpoch: 4 },
];

const counts = new Map<string, number>();
const count = (what: string): void => void counts.set(what, (counts.get(what) ?? 0) + 1);
const wrong: string[] = [];
const fail = (line: string): void => {
  wrong.push(line);
  console.error(`WRONG ${line}`);
};
let [killed, finished, compared] = [0, 0, 0];
try {
  const references = [];
  for (const [i, { flags }] of RUNS.entries()) {
    const directory = join(parent, `whole-${i}`);
    const { code, output } = await gpt2(
      `train ${COMMON} ${flags} --save-total-limit 99 --output-dir ${directory}`,
      "none",
    );
    if (code !== 0) throw new Error(output);
    references.push(contentsOf(directory));
  }
  console.log(`not touched: ${references.map(({ size }) => `${size} hashes and losses`).join(", ")}`);

  for (let chain = 0; killed < Number(kills); chain++) {
    const [which, wanted] = [chain % RUNS.length, references[chain % RUNS.length]!];
    const { flags, perEpoch } = RUNS[which]!;
    const directory = join(parent, `run-${chain}`);
    const limit = chain % 2 === 0 ? "--save-total-limit 2" : "";
    for (;;) {
      // A run that has no run.json yet has done no step: it is begun again, as it would be by hand.
      const begun = existsSync(join(directory, "run.json"));
      if (!begun) rmSync(directory, { recursive: true, force: true });
      const args = begun
        ? `train --resume ${directory} --device ${device}`
        : `train ${COMMON} ${flags} ${limit} --output-dir ${directory}`;
      const kind = ["op", "op", "op", "file", "file", "time"][below(6)]!;
      const enough = killed >= Number(kills);
      const killAt = enough
        ? "none"
        : kind === "op"
          ? `op:${1 + below(1500)}`
          : `file:${1 + below(300)}${below(2) ? ":after" : ""}`;
      const { code, output, where } = await (kind === "time" && !enough
        ? gpt2(args, "none", (child) => {
            const timer = setTimeout(() => child.kill("SIGKILL"), below(4000));
            child.once("close", () => clearTimeout(timer));
          })
        : gpt2(args, killAt));
      // Where the kill came after the last file was written, resuming says so.
      const done = code === 0 || (code === 1 && output.includes("all 48 steps are done"));
      const differences = existsSync(directory) ? compare(directory, wanted, done) : [];
      compared += existsSync(directory) ? contentsOf(directory).size : 0;
      for (const difference of differences) fail(`chain ${chain}, after ${killAt}: ${difference}`);
      if (done) break;
      if (code !== null) {
        fail(`chain ${chain}: ended with ${code}: ${output}`);
        break;
      }
      killed++;
      const saving =
        existsSync(directory) && readdirSync(directory).some((name) => /^checkpoint-\d+\.(partial|trash)-/.test(name));
      if (saving) count("inside a save");
      if (where?.kind === "op") {
        const from = Number(/going on from step (\d+)|resumed from step (\d+)/.exec(output)?.[1] ?? 0);
        if (where.ops! > 0) count("inside a step");
        if (where.backward! > 0) count("between two batches of a step or before its update");
        if ((from + where.steps!) % perEpoch === 0) count("in the first step of a pass over the data");
      }
      if (where === undefined) count("by time");
      if (begun) count("in a run that had been resumed");
      if (killed % 50 === 0) console.error(`${killed} kills, ${wrong.length} differences`);
    }
    finished++;
    rmSync(directory, { recursive: true, force: true });
  }
} finally {
  rmSync(parent, { recursive: true });
}
console.log(
  `${killed} kills in ${finished} runs of 48 steps, seed ${seed}, ${device}; ${compared} hashes and losses compared`,
);
for (const [what, times] of counts) console.log(`  ${what}: ${times}`);
for (const line of wrong) console.log(`WRONG ${line}`);
console.log(`${wrong.length} differences`);
if (wrong.length > 0 || killed === 0) process.exitCode = 1;
