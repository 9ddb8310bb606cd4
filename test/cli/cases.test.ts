/** What must come of data that went wrong for people: the inputs are described beside them. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { openScoredData } from "../../src/cli/eval-data.ts";
import { type PromptFlags, readPrompts } from "../../src/cli/generate-prompts.ts";
import { openDataFiles } from "../../src/cli/open-data.ts";
import { openPlan } from "../../src/cli/train/plan.ts";
import { describePlan } from "../../src/cli/train/print.ts";
import { userError } from "../../src/core/errors.ts";
import { encodePrompt, encodePrompts } from "../../src/generate/prompts.ts";
import { gpt2Config } from "../../src/model/config.ts";
import { sampleRequest } from "../../src/run/sample.ts";
import { resolveSettings } from "../../src/run/settings/resolve.ts";
import type { TrainSettings } from "../../src/run/settings/table.ts";
import { byteTokenizer } from "../../src/text/byte.ts";
import { gpt2Tokenizer } from "../../src/text/gpt2.ts";
import { ALONE_TEAM } from "../../src/train/alone.ts";
import { CASES, hasCase } from "../support/cases.ts";
import { hearTerminal } from "../support/terminal.ts";

const folder = mkdtempSync(join(tmpdir(), "gpt2-cases-"));
afterAll(() => rmSync(folder, { recursive: true }));

const byte = byteTokenizer();
const END = "<|endoftext|>";

function fileOf(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

/** What `gpt2 train` would learn from a file, what it says of it, and its plan. */
async function planned(path: string, more: Partial<TrainSettings> = {}) {
  const said: string[] = [];
  const restore = hearTerminal((line) => said.push(line));
  try {
    const typed = { data: [path], tokenizer: "byte" as const, nEmbd: 8, nLayer: 1, nHead: 2, nPositions: 64, ...more };
    const { plan } = await openPlan(resolveSettings({ typed }), { team: ALONE_TEAM });
    const { train } = plan.data;
    if (train.kind !== "records") throw new Error("no records");
    const texts = Array.from({ length: train.sequences.count }, (_, i) => {
      const ids = Array.from(train.sequences.read(i).ids);
      expect([ids[0], ids.at(-1), ids.slice(1, -1).includes(byte.endId!)]).toEqual([byte.endId, byte.endId, false]);
      return byte.decode(ids.slice(1, -1));
    });
    const data = describePlan(plan, "adapter").find((line) => line.startsWith("data"))!;
    const notices = said.map((line) => line.replaceAll(CASES, "").replaceAll(`${folder}/`, ""));
    return { texts, data, notices, plan };
  } finally {
    restore();
  }
}

describe.runIf(hasCase("end-token-in-lines"))("records that carry end tokens", () => {
  const lines = `${CASES}end-token-in-lines/`;

  test.each([
    ["end.txt", "<|endoftext|> in the data (400 behind a record) taken for the record's own"],
    ["both.txt", "<|endoftext|> in the data (400 before, 400 behind a record) taken for the record's own"],
  ])("%s: none is doubled, the data line says so, and what is in the data is known", async (name, found) => {
    const { texts, data, notices, plan } = await planned(lines + name);
    expect(texts).toHaveLength(400);
    expect(texts.slice(0, 3)).toEqual(["big house", "red star", "small fox"]);
    expect(data).toContain("400 records, 4,209 tokens, 400 end in the end token");
    expect(data).toContain(found);
    expect(notices).toEqual([]);
    const known = ["big house", `${END}big house`, "big horse", ""].map((text) => plan.data.has!(text));
    expect(known).toEqual([true, true, false, false]);
    // The same records without a word of end tokens are the same data.
    const plain = await planned(fileOf("plain.txt", `${texts.join("\n")}\n`));
    expect(plan.data.report.digest).toBe(plain.plan.data.report.digest);
    await Promise.all([plan.data.close(), plain.plan.data.close()]);
  });

  test("start-and-end.txt: a hint says what becomes of <|startoftext|>", async () => {
    const { texts, data, notices, plan } = await planned(`${lines}start-and-end.txt`);
    expect(texts[0]).toBe("<|startoftext|>big house");
    expect(data).toContain("(400 behind a record)");
    expect(notices).toEqual([expect.stringMatching(/^400 records begin with <\|startoftext\|>.*leave it out/)]);
    await plan.data.close();
  });

  test("between.txt: records of several lines, one per separator", async () => {
    const { texts, data, plan } = await planned(`${lines}between.txt`);
    expect(texts).toHaveLength(50);
    expect(texts.slice(0, 2)).toEqual(["big house\nand a fox", "red star\nand a bird"]);
    expect(data).toContain("records between 50 lines of <|endoftext|>");
    expect(plan.data.has!("big house\nand a fox")).toBe(true);
    await plan.data.close();
    const char = await planned(`${lines}between.txt`, { tokenizer: "byte", evalSplit: 0.2 });
    expect(char.plan.data.evaluation?.kind === "records" && char.plan.data.evaluation.sequences.count).toBe(10);
    await char.plan.data.close();
  });

  test.each(["end.txt", "both.txt"])("%s is evaluated like records that do not carry them", async (name) => {
    const said: string[] = [];
    const options = { records: true, contextLength: 64, stride: 32 };
    const [own, plain] = await Promise.all(
      [lines + name, fileOf("scored.txt", "big house\nred star\nsmall fox\n")].map((path) =>
        openScoredData([path], {}, byte, options, { notice: (line) => said.push(line) }),
      ),
    );
    for (const i of [0, 1, 2]) expect(own!.windows.at(i)).toEqual(plain!.windows.at(i));
    expect(said).toEqual([expect.stringMatching(/^data: <\|endoftext\|> in the data \(.*400 behind a record\)/)]);
    await Promise.all([own!.close(), plain!.close()]);
  });
});

describe("texts that begin with the end token", () => {
  const config = gpt2Config({ vocabSize: 257, contextLength: 8, width: 8, layers: 1, heads: 2 });
  const encode = (text: string, startToken: boolean, window = false) =>
    encodePrompt(text, { config, startToken }, byte, window, 4);

  test("as prompts, they do not start twice, at the end of a window either", () => {
    const end = byte.endId!;
    for (const startToken of [true, false]) expect(encode(END, startToken)).toEqual([end]);
    expect(encode("", true)).toEqual([end]);
    expect(encode(`${END}ab`, true)).toEqual([end, 97, 98]);
    expect(encode(`${END}ab`, false)).toEqual([end, 97, 98]);
    expect(encode("ab", true)).toEqual([end, 97, 98]);
    expect(encode("ab", false)).toEqual([97, 98]);
    expect(encode(`${END}abcdefghij`, true, true)).toEqual([end, ...[..."hij"].map((c) => c.charCodeAt(0))]);
  });

  test("as prompts of a run's samples, and as a text to score, they are begun once", async () => {
    const path = fileOf("names.txt", "ab\nb\n");
    const { plan } = await planned(path, { samplePrompts: [END, `${END}a`, "a", ""] });
    expect(sampleRequest(plan, 4).prompts).toEqual([[256], [256, 97], [256, 97], [256]]);
    await plan.data.close();
    const options = { records: false, contextLength: 8, stride: 4 };
    for (const text of [`${END}abc`, "abc"]) {
      const scored = await openScoredData([fileOf("one.txt", text)], {}, byte, options, {});
      expect(scored.windows.at(0).ids).toEqual([256, 97, 98, 99]);
      await scored.close();
    }
  });

  test("pairs are known as texts: tokenised apart, they may have other ids than in one piece", async () => {
    const path = fileOf("pairs.jsonl", '{"prompt": "the", "completion": "rapist"}\n');
    const options = { files: [path], maskPrompt: false, stream: false, evalSplit: 0, seed: 0, contextLength: 64 };
    const gpt2 = await gpt2Tokenizer();
    expect([...gpt2.encode("therapist")]).not.toEqual([...gpt2.encode("the"), ...gpt2.encode("rapist")]);
    const { has, close } = await openDataFiles(options, gpt2);
    expect(["therapist", `${END}therapist`, "the rapist"].map(has!)).toEqual([true, true, false]);
    await close();
  });
});

async function promptsOf(path: string, flags: PromptFlags = {}) {
  const said: string[] = [];
  const { texts: prompts } = await readPrompts({ promptFile: path, ...flags }, (line) => said.push(line));
  return { prompts, said: said.map((line) => line.replaceAll(CASES, "").replaceAll(`${folder}/`, "")) };
}

describe.runIf(hasCase("tables"))("tables that are not as they should be", () => {
  const tables = `${CASES}tables/`;
  const texts = ["Hallo Welt", "Guten Morgen"];

  test.each([
    ["semicolons.csv", "tables/semicolons.csv, line 1: columns are separated by semicolons, not commas; read so"],
    ["tabs.csv", "tables/tabs.csv, line 1: columns are separated by tabs, not commas; read so"],
    ["sep-line.csv", "tables/sep-line.csv: columns are separated by semicolons, as its first line says"],
  ])("%s is read, with a line that says how", async (name, line) => {
    const { plan, ...got } = await planned(tables + name);
    expect(got).toMatchObject({ texts, notices: [line] });
    await plan.data.close();
    expect(await promptsOf(tables + name)).toEqual({ prompts: texts, said: [line] });
  });

  test("two-columns-of-one-name.csv and nan.jsonl: one line names the cause and the remedy", async () => {
    for (const read of [planned, promptsOf]) {
      await expect(read(`${tables}two-columns-of-one-name.csv`)).rejects.toThrow(
        /two-columns-of-one-name.csv, line 1: 2 columns are called "text", numbers 1 and 3; give each a name of its own$/,
      );
      await expect(read(`${tables}nan.jsonl`)).rejects.toThrow(
        /nan.jsonl, line 2: has NaN, as Python writes it, which is no JSON; write null instead/,
      );
    }
  });

  test("white-space.txt: lines of white space are counted and left out", async () => {
    const { plan, texts, data } = await planned(`${tables}white-space.txt`);
    expect(texts).toEqual(["one", "two"]);
    expect(data).toContain("2 records");
    expect(data).toContain("3 of white space left out");
    await plan.data.close();
  });

  test("prompts.jsonl: each row gives an answer, and those without a prompt are named", async () => {
    expect(await promptsOf(`${tables}prompts.jsonl`)).toEqual({
      prompts: ["old", "", "", "new"],
      said: ["tables/prompts.jsonl: 2 of 4 prompts are empty: line 2, line 3; each starts a new text"],
    });
  });
});

describe("prompts", () => {
  test("lines without text count, but for those at a file's end; an end token is a prompt, and separates nothing", async () => {
    const path = fileOf("prompts.txt", `a\n\n \n${END}\nb\n\n\n`);
    expect(await promptsOf(path)).toEqual({
      prompts: ["a", "", " ", END, "b"],
      said: ["prompts.txt: 1 of 5 prompts is empty: line 2; each starts a new text"],
    });
    const csv = fileOf("prompts.csv", 'prompt,n\n"",1\na,2\n');
    expect((await promptsOf(csv)).prompts).toEqual(["", "a"]);
  });

  test("columns are prompt, or text, or as they are called; what is not there is said in the words of the command", async () => {
    const path = fileOf("columns.jsonl", '{"text": "a", "prompt": "b", "q": "c"}\n');
    expect((await promptsOf(path)).prompts).toEqual(["b"]);
    expect((await promptsOf(path, { promptColumn: "q" })).prompts).toEqual(["c"]);
    expect((await promptsOf(fileOf("texts.jsonl", '{"text": "a"}\n'))).prompts).toEqual(["a"]);
    await expect(promptsOf(path, { promptColumn: "body" })).rejects.toThrow(
      /line 1: no column "body"; got "text", "prompt", "q"; say which: --prompt-column$/,
    );
    await expect(promptsOf(fileOf("raw.csv", "id;q\n1;a\n"), { promptColumn: "id;q" })).rejects.toThrow(
      /is one column by commas, but 2 by semicolons: "id", "q"; say which is the text: --prompt-column$/,
    );
  });

  test("of several, the one that cannot be encoded is named", () => {
    const fail = (text: string): number[] => (text === "b" ? userError("no such character") : [1]);
    expect(() => encodePrompts(["a", "b"], fail)).toThrow("prompt 2: no such character");
    expect(() => encodePrompts(["b"], fail)).toThrow(/^no such character$/);
    expect(() => encodePrompts(["b"], fail, () => "--prompt")).toThrow(/^--prompt: no such character$/);
  });
});
