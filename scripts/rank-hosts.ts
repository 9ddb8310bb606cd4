/**
 * What two hosts on a network of 1 Gbit/s take, beside what the bytes say: `npm run build && npx tsx scripts/rank-hosts.ts [result.json]`, as root on
 * Linux with MPICH. The hosts are network namespaces (scripts/rank-hosts.sh). Prints the tables of docs/notes/ranks.md.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { stepSize } from "../src/bench/step-sizes.ts";
import { exposed, trainedOf } from "./rank-overlap.ts";

const [result] = process.argv.slice(2);
const hosts = fileURLToPath(new URL("rank-hosts.sh", import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), "rank-hosts-"));
const RANKS = 2;
/** Bytes a millisecond: of 1514 bytes of a frame 1448 are TCP's. */
const RATE = (1e9 / 8 / 1000) * (1448 / 1514);

interface Row {
  readonly work: string;
  readonly median_ms: number;
  readonly best_ms?: number;
  readonly alone_ms?: number;
  readonly reduce_ms?: number;
}

function bench(words: string): readonly Row[] {
  const out = join(scratch, "out.json");
  execFileSync("bash", [hosts, "bench", ...words.split(" "), "--collective-timeout", "120", "--out", out], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  return JSON.parse(readFileSync(out, "utf8")).rows;
}

/** Each rank sends, and gets, so much of a vector twice. */
const predicted = (elements: number): number => (8 * elements * ((RANKS - 1) / RANKS)) / RATE;
const rounded = (milliseconds: number): number => Number(milliseconds.toPrecision(3));

try {
  const sums = bench("reduce --most 3.2e7");
  const reduces = sums
    .filter(({ work }) => work.startsWith("reduce in order"))
    .map((ordered) => {
      const size = ordered.work.split(" ").at(-1)!;
      const fast = sums.find((row) => row.work === `reduce anyhow ${size}`)!;
      return {
        elements: size,
        predicted_ms: rounded(predicted(1e6 * Number.parseFloat(size))),
        ordered_ms: rounded(ordered.median_ms),
        ordered_best_ms: rounded(ordered.best_ms!),
        fast_ms: rounded(fast.median_ms),
        fast_best_ms: rounded(fast.best_ms!),
      };
    });
  const steps = (["nanogpt", "gpt2"] as const).map((name) => {
    const [row] = bench(`step --size ${name} --device wasm:1 --quick`);
    const { work, median_ms, alone_ms = 0, reduce_ms = 0 } = row!;
    const trained = trainedOf(stepSize(name, "software").config);
    const sum = predicted(trained.parameters);
    return {
      step: work.replace("step ", ""),
      alone_ms: rounded(alone_ms),
      sum_predicted_ms: rounded(sum),
      sum_ms: rounded(reduce_ms),
      predicted_hiding_nothing_ms: rounded(alone_ms + sum),
      predicted_ms: rounded(alone_ms + exposed(trained, sum, alone_ms)),
      measured_ms: rounded(median_ms),
    };
  });
  for (const rows of [reduces, steps] as readonly (readonly object[])[]) {
    const names = Object.keys(rows[0]!);
    console.log(`\n| ${names.join(" | ")} |\n| ${names.map(() => "---").join(" | ")} |`);
    for (const row of rows) console.log(`| ${Object.values(row).join(" | ")} |`);
  }
  const report = { command: "npx tsx scripts/rank-hosts.ts", network: "1 Gbit/s", ranks: RANKS, reduces, steps };
  if (result) writeFileSync(result, `${JSON.stringify(report, null, 2)}\n`);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
