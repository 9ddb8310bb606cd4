import { parquetWriteBuffer } from "hyparquet-writer";
import { openData } from "../../src/data/open.ts";
import type { DataSource } from "../../src/data/source.ts";
import { byteTokenizer } from "../../src/text/byte.ts";
import { charTokenizerOf } from "../../src/text/char.ts";

const LINES = Array.from({ length: 500 }, (_, i) => `record ${i}, ünicode 😀`);
const utf8 = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

/** Files that a person may drop on a page. */
export const DROPPED: readonly (readonly [name: string, bytes: Uint8Array<ArrayBuffer>])[] = [
  ["long.txt", utf8(LINES.join("\n").repeat(100))],
  ["pairs.jsonl", utf8(LINES.map((text) => JSON.stringify({ prompt: "say", completion: text })).join("\n"))],
  ["table.csv", utf8(`n,text\n${LINES.map((text, i) => `${i},"${text}"`).join("\r\n")}`)],
  ["t.parquet", new Uint8Array(parquetWriteBuffer({ columnData: [{ name: "text", data: LINES, type: "STRING" }] }))],
  ["ids.bin", new Uint8Array(Uint16Array.from({ length: 70_001 }, (_, i) => i % 257).buffer)],
];

/** Opens each by itself, and one that is none: what is reported of it, and some of its ids. */
export async function openDropped(sourceOf: (name: string, bytes: Uint8Array<ArrayBuffer>) => DataSource) {
  const options = { maskPrompt: true, stream: false, evalSplit: 0.1, seed: 3, contextLength: 24 };
  const found: unknown[] = [];
  for (const [name, bytes] of DROPPED) {
    const sources = [sourceOf(name, bytes)];
    const { report, train, close } = await openData({ ...options, sources }, async (alphabet) =>
      name === "ids.bin" ? byteTokenizer() : charTokenizerOf(await alphabet()),
    );
    const ids = train.kind === "stream" ? train.stream.read(60_000, 100) : train.sequences.read(400).ids;
    found.push({ report, ids: Array.from(ids) });
    await close();
  }
  const bad = sourceOf("bad.txt", Uint8Array.of(0x61, 0x0a, 0xff));
  found.push(await openData({ ...options, sources: [bad] }, byteTokenizer()).catch((error) => error.message));
  return found;
}
