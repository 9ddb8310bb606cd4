/**
 * Headers of 100 MB made to fill a reader's memory, each read by a process of its own: `npx tsx scripts/hostile-headers.ts`.
 * Fails where one is accepted that should not be, and where reading takes more than 64 MiB beyond the file itself.
 */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { UserError } from "../src/core/errors.ts";
import { parseSafetensors } from "../src/io/safetensors.ts";

const MOST_MEMORY = 64 * 2 ** 20;
const MOST_HEADER = 100_000_000;

const EMPTY = `{"dtype":"U8","shape":[0${",1".repeat(7)}],"data_offsets":[0,0]}`;

/** How a header begins, what is repeated up to 100 MB (`#`: a counter) or so many times, how it ends. */
const CASES: Readonly<Record<string, readonly [begin: string, repeated: string, end: string, times?: number]>> = {
  "brackets in brackets": ['{"a":', "[", "}"],
  "braces in braces": ["{", '"a":{', "}"],
  "empty tensors": [
    "{",
    '"#":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},',
    '"z":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}',
  ],
  "empty tensors, equal names": ["{", '"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},', "}"],
  "one shape of millions of numbers": ['{"a":{"dtype":"U8","shape":[', "1,", '1],"data_offsets":[0,0]}}'],
  "one name": ['{"', "x", '":{}}'],
  "one name of escapes": ['{"', "\\u0100", '":{}}'],
  "one string that does not end": ['{"', "x", ""],
  "metadata of millions of entries": ['{"__metadata__":{', '"#":"",', '"z":""}}'],
  "metadata of one long entry": ['{"__metadata__":{"a":"', "é", '"}}'],
  "one number of millions of digits": ['{"a":{"shape":[', "1", "]}}"],
  "white space": ["{", " ", "}"],
  commas: ["{", ",", "}"],
  "as much as is taken": ["{", `"Ā#${"x".repeat(40)}":${EMPTY},`, `"z":${EMPTY}}`, 49_999],
  "zero bytes": ["{", "\0", "}"],
};

const LEGAL = ["white space", "as much as is taken"];

function fileOf(name: string): Uint8Array {
  const [begin, repeated, end, times = Number.POSITIVE_INFINITY] = CASES[name]!;
  const file = Buffer.alloc(8 + MOST_HEADER, 0x20);
  file.writeBigUInt64LE(BigInt(MOST_HEADER));
  let at = 8 + file.write(begin, 8);
  const last = file.length - Buffer.byteLength(end);
  if (repeated.includes("#")) {
    for (let n = 0; n < times && at + repeated.length + 10 < last; n++)
      at += file.write(repeated.replace("#", String(n)), at);
  } else {
    const piece = Buffer.from(repeated);
    const room = Math.floor((last - at) / piece.length) * piece.length;
    file.fill(piece, at, at + room);
    at += room;
  }
  file.write(end, at);
  if (times < Number.POSITIVE_INFINITY) {
    file.writeBigUInt64LE(BigInt(at + Buffer.byteLength(end) - 8));
    return file.subarray(0, at + Buffer.byteLength(end));
  }
  return file;
}

function measure(name: string): string {
  const file = fileOf(name);
  globalThis.gc?.();
  const before = process.memoryUsage.rss();
  const peakBefore = process.resourceUsage().maxRSS * 1024;
  const began = performance.now();
  let verdict = "accepted";
  try {
    parseSafetensors(file);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    verdict = error.message;
  }
  const ms = performance.now() - began;
  const peak = process.resourceUsage().maxRSS * 1024;
  // Where making the file took more than reading it, all that is known is that reading took no more than that.
  const grown = peak > peakBefore ? peak - before : process.memoryUsage.rss() - before;
  return JSON.stringify({ verdict, ms, grown });
}

const asked = process.argv[2];
if (asked !== undefined) {
  console.log(measure(asked));
} else {
  for (const name of Object.keys(CASES)) {
    const args = [...process.execArgv, "--expose-gc", fileURLToPath(import.meta.url), name];
    const { verdict, ms, grown } = JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" }));
    console.log(`${name}: ${Math.round(ms)} ms, ${(grown / 2 ** 20).toFixed(1)} MiB; ${verdict}`);
    if (grown > MOST_MEMORY || (verdict === "accepted" && !LEGAL.includes(name))) process.exitCode = 1;
  }
}
