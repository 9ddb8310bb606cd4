/** What scripts/measure-data.ts measures, run by Node alone, as `gpt2` is. */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { openDataFiles } from "../dist/cli/open-data.js";
import { byteTokenizer } from "../dist/text/byte.js";
import { charTokenizerOf } from "../dist/text/char.js";
import { gpt2Tokenizer } from "../dist/text/gpt2.js";

const MOST_RESIDENT = 200e6;
const RANDOM_READS = 100_000;

/** A generator of 32 random bits (Marsaglia's xorshift), quick and the same every time. */
function createRandom() {
  let state = 0x2545f491;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

const tokenizers = {
  gpt2: gpt2Tokenizer,
  byte: async () => byteTokenizer(),
  char: async (alphabet) => charTokenizerOf(await alphabet()),
};

/** The most memory that was ever resident, in bytes. */
function mostResident() {
  return 1024 * Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"))[1]);
}

const megabytes = (bytes) => `${(bytes / 1e6).toLocaleString("en-US", { maximumFractionDigits: 0 })} MB`;

/** Seconds: of the clock, and of processors, which other work on the machine changes less. */
function now() {
  const { user, system } = process.cpuUsage();
  return { clock: performance.now() / 1000, busy: (user + system) / 1e6 };
}

const [path, tokenizer, last] = process.argv.slice(2);
const size = statSync(path).size;
console.log(`resident before  ${megabytes(mostResident())}: Node ${process.version}`);
const options = { files: [path], maskPrompt: false, stream: false, evalSplit: 0.01, seed: 1, contextLength: 1024 };
const marks = new Map();
const began = now();
const data = await openDataFiles(options, tokenizers[tokenizer], { progress: (what) => marks.set(what, now()) });
marks.set("indexing", now());
let from = began;
for (const [what, to] of marks) {
  const [clock, busy] = [to.clock - from.clock, to.busy - from.busy];
  const rates = `${(size / 1e6 / clock).toFixed(0)} MB/s, ${(size / 1e6 / busy).toFixed(0)} MB a second of processor`;
  console.log(`${what.padEnd(16)} ${clock.toFixed(1)} s${what === "indexing" ? "" : `, ${rates}`}`);
  from = to;
}
if (last) {
  const { sequences } = data.train;
  const { records, tokens, cache } = data.report;
  const bytes = ["ids.bin", "index.bin"].map((name) => statSync(join(cache, name)).size);
  const grouped = (value) => value.toLocaleString("en-US");
  console.log(`data             ${grouped(records)} records to train on, ${grouped(tokens)} ids`);
  console.log(`cache            ids ${megabytes(bytes[0])}, index ${megabytes(bytes[1])}`);
  const random = createRandom();
  const start = now();
  let read = 0;
  for (let i = 0; i < RANDOM_READS; i++) read += sequences.read(random() % sequences.count).ids.length;
  const end = now();
  const each = (end.clock - start.clock) / RANDOM_READS;
  const busy = (end.busy - start.busy) / RANDOM_READS;
  console.log(
    `random reads     ${(1e6 * each).toFixed(0)} us a record of ${Math.round(read / RANDOM_READS)} ids, ${(1e6 * busy).toFixed(0)} us of processor`,
  );
}
await data.close();
const most = mostResident();
console.log(`most resident    ${megabytes(most)}, allowed ${megabytes(MOST_RESIDENT)}`);
if (most > MOST_RESIDENT) process.exitCode = 1;
