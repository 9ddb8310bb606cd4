/**
 * How fast a large text is tokenised, and in how much memory: `npx tsx scripts/measure-data.ts [GB] [tokenizer] [words a line]
 * [folder]`, after `npm run build`. Makes a text of that size in the folder (default: that of temporary files; as much again and more is needed for
 * the ids), opens it twice as `gpt2 train` does, reads records at random, and says the most memory that was resident. Fails
 * where that is more than 200 MB. Linux only: the figure is VmHWM of /proc/self/status.
 */
import { fork } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** A generator of 32 random bits (Marsaglia's xorshift), quick and the same every time. */
function createRandom(): () => number {
  let state = 0x2545f491;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/** Text of words by Zipf's law out of 200,000, so that a tokenizer's memory for words is of as much use as with real text. */
function writeText(path: string, size: number, wordsALine: number): void {
  const random = createRandom();
  const syllables = "ba con de ing ter al pre so mu ti ver ly st ound re e qui o na th er the an in is".split(" ");
  const words = Array.from({ length: 200_000 }, (_, rank) => {
    const count = 1 + Math.floor(Math.log10(rank + 1) / 1.7) + (random() % 2);
    return Array.from({ length: count }, () => syllables[random() % syllables.length]).join("");
  });
  const file = openSync(path, "w");
  for (let written = 0; written < size; ) {
    let block = "";
    while (block.length < 1 << 20) {
      const count = 1 + (random() % (2 * wordsALine - 1));
      for (let i = 0; i < count; i++) {
        // e to the power of a uniform number: rank r is drawn about as often as 1 / r
        const rank = Math.floor(Math.exp((random() / 2 ** 32) * Math.log(words.length)));
        block += `${i === 0 ? "" : " "}${words[rank - 1]}`;
      }
      block += random() % 8 === 0 ? ".\n" : "\n";
    }
    // Each block many times over: making it takes longer than reading it.
    const bytes = Buffer.from(block);
    for (let i = 0; i < 16 && written < size; i++) written += writeSync(file, bytes);
  }
  closeSync(file);
}

const [first = "2", tokenizer = "gpt2", words = "12", parent = tmpdir()] = process.argv.slice(2);
const folder = mkdtempSync(join(parent, "measure-data-"));
try {
  const path = join(folder, "text.txt");
  writeText(path, Number(first) * 1e9, Number(words));
  console.log(`${first} GB of text, about ${words} words a line, tokenizer ${tokenizer}`);
  const env = { ...process.env, GPT2_CACHE: folder };
  const worker = fileURLToPath(new URL("measure-data-worker.mjs", import.meta.url));
  for (const time of ["first", "again"]) {
    console.log(`\nopened ${time}`);
    const child = fork(worker, [path, tokenizer, time === "again" ? "last" : ""], { env, execArgv: [] });
    const code = await new Promise<number>((resolve) => child.on("exit", (exit) => resolve(exit ?? 1)));
    process.exitCode = Math.max(Number(process.exitCode ?? 0), code);
  }
} finally {
  rmSync(folder, { recursive: true });
}
