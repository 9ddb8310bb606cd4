import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test, vi } from "vitest";
import { type DataFileOptions, openDataFiles } from "../../src/cli/open-data.ts";
import { createDigest } from "../../src/data/digest.ts";
import type { TokenizerOf } from "../../src/data/open.ts";
import { byteTokenizer } from "../../src/text/byte.ts";
import { charTokenizerOf } from "../../src/text/char.ts";

const folder = mkdtempSync(join(tmpdir(), "gpt2-digest-"));
vi.stubEnv("GPT2_CACHE", join(folder, "cache"));
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

const charOf: TokenizerOf = async (alphabet) => charTokenizerOf(await alphabet());
let files = 0;

/** The digest of files of these contents. */
async function digestOf(
  contents: readonly (string | Uint8Array)[],
  more: Partial<DataFileOptions> & { extension?: string } = {},
  tokenizer: TokenizerOf | ReturnType<typeof byteTokenizer> = byteTokenizer(),
): Promise<string> {
  const { extension = "txt", ...options } = more;
  const paths = contents.map((text) => {
    const path = join(folder, `${files++}.${extension}`);
    writeFileSync(path, text);
    return path;
  });
  const given = { files: paths, maskPrompt: false, stream: false, evalSplit: 0, seed: 1, contextLength: 4, ...options };
  const { report, close } = await openDataFiles(given, tokenizer);
  await close();
  return report.digest;
}

test("numbers in any pieces have one digest, others have others", () => {
  const numbers = fc.array(fc.nat(60_000), { maxLength: 20 });
  fc.assert(
    fc.property(numbers, fc.nat(20), numbers, (values, cut, others) => {
      const of = (...pieces: number[][]) => {
        const digest = createDigest();
        for (const piece of pieces) digest.add(piece);
        return digest.finish();
      };
      expect(of(values.slice(0, cut), values.slice(cut))).toBe(of(values));
      expect(of(others) === of(values)).toBe(JSON.stringify(others) === JSON.stringify(values));
    }),
    { numRuns: 500 },
  );
});

test("is that of what is learnt: not of files, formats, caches or pieces of reading, nor of context and split", async () => {
  const wanted = await digestOf(["ab\nb\nabab\n"]);
  expect(wanted).toMatch(/^[0-9a-f]{48}-[0-9a-f]{16}$/);
  expect(await digestOf(["ab\n", "b\n\nabab"])).toBe(wanted);
  expect(await digestOf(["ab\nb\nabab\n"], { cached: { from: 0 }, contextLength: 9 })).toBe(wanted);
  expect(await digestOf(["ab\nb\nabab\n"], { evalSplit: 0.5, seed: 7 })).toBe(wanted);
  expect(await digestOf(['{"text": "ab"}\n{"text": "b"}\n{"text": "abab"}\n'], { extension: "jsonl" })).toBe(wanted);
  expect(await digestOf(["<|endoftext|>ab<|endoftext|>\nb\nabab\n"])).toBe(wanted);
});

test("is another for other contents, another order, other cuts between records and other characters", async () => {
  const digests = [
    await digestOf(["ab\nb\nabab\n"]),
    await digestOf(["ab\na\nabab\n"]),
    await digestOf(["b\nab\nabab\n"]),
    await digestOf(["ab\nb\nabab\n"], { stream: true, contextLength: 2 }),
    await digestOf(['{"prompt": "a", "completion": "b"}\n'], { extension: "jsonl" }),
    await digestOf(['{"prompt": "", "completion": "ab"}\n'], { extension: "jsonl" }),
    // The same ids, of other characters.
    await digestOf(["ab\nb\n"], {}, charOf),
    await digestOf(["xy\ny\n"], {}, charOf),
    await digestOf([Uint8Array.of(1, 0, 2, 0, 3, 0)], { extension: "bin", contextLength: 2 }),
    await digestOf([Uint8Array.of(1, 0, 3, 0, 2, 0)], { extension: "bin", contextLength: 2 }),
  ];
  expect(new Set(digests).size).toBe(digests.length);
});

test("covers the files that are evaluated on, too", async () => {
  const held = (text: string): string => {
    const path = join(folder, `held-${files++}.txt`);
    writeFileSync(path, text);
    return path;
  };
  const [one, other] = [
    await digestOf(["ab\n"], { evalFiles: [held("a\n")] }),
    await digestOf(["ab\n"], { evalFiles: [held("b\n")] }),
  ];
  expect(one).not.toBe(other);
});
