import { createHash } from "node:crypto";
import fc from "fast-check";
import { encode as referenceEncode } from "gpt-tokenizer/encoding/gpt2";
import { describe, expect, test } from "vitest";
import { gpt2Tokenizer } from "../../src/text/gpt2.ts";
import { loadTokenizer } from "../../src/text/load.ts";
import { END_OF_TEXT } from "../../src/text/tokenizer.ts";

const gpt2 = await gpt2Tokenizer();
const files = gpt2.files(1024);
const text = (name: string) => new TextDecoder().decode(files.get(name));
const sha256 = (content: string) => createHash("sha256").update(content).digest("hex");
const anyText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 60 }),
  fc.string({ unit: "grapheme", maxLength: 40 }),
  fc.string({ unit: fc.constantFrom(" ", "\n", "a", "'s", "B", "9", "!", "é", "\u00a0"), maxLength: 40 }),
);

// What Hugging Face's tokenizers 0.23.2 gives with GPT-2's tokenizer.json.
const GOLDEN: [string, number[]][] = [
  ["", []],
  ["hello world", [31373, 995]],
  [" the", [262]],
  ["  two  spaces", [220, 734, 220, 9029]],
  ["tab\tand\n\nnewlines \n x", [8658, 197, 392, 198, 198, 3605, 6615, 220, 198, 2124]],
  ["don't we'll THEY'RE I'D", [9099, 470, 356, 1183, 33302, 6, 2200, 314, 6, 35]],
  ["a\u0085b", [64, 126, 227, 65]],
  ["a\ufeff b", [64, 171, 119, 123, 275]],
  ["\ufeffstart", [171, 119, 123, 9688]],
  ["x\u00a0\u00a0y", [87, 1849, 1849, 88]],
  ["x\u2028\u3000 z", [87, 447, 101, 5099, 222, 1976]],
  ["1234567890 ½ ²٣", [10163, 2231, 30924, 3829, 25208, 1587, 110, 149, 96]],
  ["naïve café e\u0301", [2616, 38776, 40304, 304, 136, 223]],
  ["日本語のテキスト", [33768, 98, 17312, 105, 45739, 252, 5641, 24336, 25084, 43302]],
  ["👨\u200d👩\u200d👧 ok", [41840, 101, 447, 235, 41840, 102, 447, 235, 41840, 100, 12876]],
  ["\x00\x01\x1c\x1f\x7f", [188, 189, 216, 219, 221]],
  ["a<|endoftext|>b<|endoftext|>", [64, 50256, 65, 50256]],
  ["<|endoftext|", [27, 91, 437, 1659, 5239, 91]],
  ["trailing   ", [9535, 4386, 220, 220, 220]],
  ["'s's 's", [338, 338, 705, 82]],
  ["\u180e\u200b\u2060x", [157, 254, 236, 9525, 46256, 254, 87]],
  ["______ ==== //", [25947, 796, 18604, 3373]],
  ["ŝȳ\u0378\u{e0001}", [129, 251, 132, 111, 137, 116, 175, 254, 222, 223]],
  ["maría.perez_23@usach.cl", [3876, 29690, 13, 431, 21107, 62, 1954, 31, 385, 620, 13, 565]],
];

describe("GPT-2's tokenizer", () => {
  test.each(GOLDEN)("encodes %j as Hugging Face does", (given, ids) => {
    expect([...gpt2.encode(given)]).toEqual(ids);
  });

  test("decodes what it encoded, whatever the text", () => {
    fc.assert(fc.property(anyText, (given) => gpt2.decode(gpt2.encode(given)) === given));
  });

  test("agrees with gpt-tokenizer's own encoder on any text without an end token", () => {
    // \s is not White_Space for these two, where Hugging Face's reading is followed.
    const plain = anyText.filter((given) => !/[\u0085\ufeff]/.test(given));
    const wanted = (given: string) => referenceEncode(given, { disallowedSpecial: new Set() });
    fc.assert(
      fc.property(plain, (given) => {
        expect([...gpt2.encode(given)]).toEqual(wanted(given));
      }),
    );
  });

  test("reads half a surrogate pair as U+FFFD", () => {
    expect(gpt2.decode(gpt2.encode("a\ud800b"))).toBe("a\ufffdb");
  });

  test("decodes bytes that are no whole character without spilling into the next call", () => {
    const half = [...gpt2.encode("日")].slice(0, 1);
    expect(gpt2.decode(half)).toBe("\ufffd");
    expect(gpt2.decode([64])).toBe("a");
    expect(gpt2.bytes(half[0]!)).toEqual(Uint8Array.of(0xe6, 0x97));
  });

  test("keeps a byte-order mark", () => {
    expect(gpt2.decode(gpt2.encode("\ufeffa"))).toBe("\ufeffa");
  });

  test("refuses an id outside the vocabulary", () => {
    expect(() => gpt2.decode([50257])).toThrow(/id 50257 is outside the vocabulary, 0 to 50256/);
    expect(() => gpt2.decode([-1])).toThrow(/id -1/);
  });

  // The plain algorithm is quadratic, and takes several times as long as is allowed here.
  test.each(["a", " ", "é", "0"])("encodes half a mebibyte of %j in seconds", { timeout: 10_000 }, (character) => {
    const given = character.repeat(2 ** 19);
    const ids = gpt2.encode(given);
    expect(gpt2.decode(ids)).toBe(given);
  });

  test("refuses a piece that the pattern matcher cannot hold, in one line", () => {
    expect(() => gpt2.encode("😀".repeat(2 ** 23))).toThrow(/millions of characters without a space/);
  });
});

describe("its files", () => {
  test("hold OpenAI's own merges and vocabulary", () => {
    // The hashes that openai/tiktoken (tiktoken_ext/openai_public.py) checks vocab.bpe and encoder.json against.
    expect(sha256(text("merges.txt"))).toBe("1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5");
    expect(sha256(text("vocab.json"))).toBe("196139668be63f3b5d6574427317ae82f612a97c5d1cdaf36ed2256dbf636783");
    // In the order of ids there, too.
    expect(text("tokenizer.json")).toContain('"\\u00bb":119');
    expect(text("tokenizer.json")).toMatch(/"vocab":\{"!":0,"\\"":1,.*"<\|endoftext\|>":50256\}/);
  });

  test("have the counts that GPT-2 has", () => {
    const { model, added_tokens } = JSON.parse(text("tokenizer.json"));
    expect(Object.keys(model.vocab)).toHaveLength(50257);
    expect(model.merges).toHaveLength(50000);
    expect(added_tokens).toMatchObject([{ id: 50256, content: END_OF_TEXT, special: true }]);
    expect(JSON.parse(text("tokenizer_config.json"))).toMatchObject({ eos_token: END_OF_TEXT, model_max_length: 1024 });
  });

  const ways: [title: string, names: string[]][] = [
    ["tokenizer.json", ["tokenizer.json"]],
    ["vocab.json and merges.txt", ["vocab.json", "merges.txt"]],
  ];
  test.each(ways)("give the same tokenizer back through %s", (_title, names) => {
    const read = loadTokenizer(new Map(names.map((name) => [name, files.get(name)!])));
    expect(read).toMatchObject({ kind: "gpt2", vocabSize: 50257, endId: 50256 });
    for (const [given, ids] of GOLDEN) expect([...read.encode(given)]).toEqual(ids);
    for (const [name, bytes] of read.files(1024)) expect(Buffer.compare(bytes, files.get(name)!), name).toBe(0);
  });

  test("may have tokens added, as fine-tuning with a pad token does", () => {
    const json = JSON.parse(text("tokenizer.json"));
    json.added_tokens.push({ id: 50257, content: "[PAD]", special: true });
    json.model.merges = json.model.merges.map((merge: string) => merge.split(" ")); // as tokenizers >= 0.20 writes them
    const read = loadTokenizer(new Map([["tokenizer.json", new TextEncoder().encode(JSON.stringify(json))]]));
    expect(read.vocabSize).toBe(50258);
    expect([...read.encode("a[PAD]b")]).toEqual([64, 50257, 65]);
    expect(read.decode([50257])).toBe("[PAD]");
    expect([...loadTokenizer(read.files()).encode("a[PAD]b")]).toEqual([64, 50257, 65]);
  });
});
