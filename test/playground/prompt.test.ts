/** How much of a prompt is seen, as the page tells it before anything is generated. */
import { expect, test } from "vitest";
import { charTokenizer, createModel } from "../../src/node.ts";
import { END_OF_TEXT } from "../../src/text/tokenizer.ts";
import { EN } from "../../web/playground/texts/en.ts";
import { ES } from "../../web/playground/texts/es.ts";
import { PROMPT_OPTIONS, type PromptReader, readPrompt } from "../../web/playground/worker/prompt.ts";

const CONTEXT = 16;
const LETTERS = "abcdefghijklmnopqrst";

/** `likely`: how likely what follows a text is, which the last bit of what is seen changes. */
async function withModel(act: (reader: PromptReader, likely: (text: string) => Promise<number>) => Promise<void>) {
  const config = { nEmbd: 16, nLayer: 2, nHead: 2, nPositions: CONTEXT, seed: 3 };
  const model = await createModel(config, charTokenizer(LETTERS), { device: "cpu" });
  const likely = async (text: string): Promise<number> => {
    const options = { ...PROMPT_OPTIONS, maxNewTokens: 4, logProbabilities: true };
    const [generated] = await model.generateIds([text], options);
    return generated!.logProbabilities![0]!;
  };
  try {
    await act({ tokenizer: model.tokenizer, config: model.config, startToken: true }, likely);
  } finally {
    await model.close();
  }
}

test.each<[string, number, number, { tokens: number; seen: number }]>([
  // The start token has a place, too, and so has what is generated: 16 - 1 - 4.
  ["a short one", 5, 4, { tokens: 5, seen: 5 }],
  ["one that leaves a place", 14, 4, { tokens: 14, seen: 14 }],
  ["one that leaves none", 15, 4, { tokens: 15, seen: 11 }],
  ["a long one", 20, 4, { tokens: 20, seen: 11 }],
  ["a long one and many new tokens", 20, 4096, { tokens: 20, seen: 7 }],
])("%s", async (_, length, maxNewTokens, wanted) => {
  await withModel(async (reader) => {
    expect(readPrompt(reader, LETTERS.slice(0, length), maxNewTokens)).toEqual({ ...wanted, context: CONTEXT });
  });
});

test("what is told to be seen is all that a sample depends on", async () => {
  await withModel(async (reader, likely) => {
    const { seen } = readPrompt(reader, LETTERS, 4);
    const end = LETTERS.slice(-seen);
    const found = await likely(LETTERS);
    expect(await likely(`ttttttttt${end}`)).toBe(found);
    expect(await likely(`ttttttttta${end.slice(1)}`)).not.toBe(found);
  });
});

test("the start token is no token of the prompt, and where it is typed it is not there twice", async () => {
  await withModel(async (reader) => {
    expect(readPrompt(reader, `${END_OF_TEXT}abc`, 4)).toMatchObject({ tokens: 3, seen: 3 });
    expect(readPrompt({ ...reader, startToken: false }, "abc", 4)).toMatchObject({ tokens: 3, seen: 3 });
    expect(readPrompt({ ...reader, startToken: false }, LETTERS.slice(0, 15), 4)).toMatchObject({ seen: 15 });
    expect(() => readPrompt(reader, "xyz", 4)).toThrow(/"x"/);
  });
});

test("it is told with the language's own numbers, and one is one", () => {
  expect([EN.promptTokens(1), EN.promptTokens(12_345)]).toEqual(["1 token.", "12,345 tokens."]);
  expect(EN.promptRoom(1024)).toBe("The model's context has 1,024 places.");
  expect(EN.promptCut(960, 1024)).toBe("Only the last 960 are seen: the model's context has 1,024 places.");
  expect(EN.promptCut(1, 2)).toMatch(/^Only the last is seen:/);
  expect([ES.promptTokens(1), ES.promptTokens(12_345)]).toEqual(["1 token.", "12.345 tokens."]);
  expect(ES.promptRoom(1024)).toBe("El contexto del modelo tiene 1024 posiciones.");
  expect(ES.promptCut(960, 1024)).toBe("Solo se ven los últimos 960: el contexto del modelo tiene 1024 posiciones.");
  expect(ES.promptCut(1, 2)).toMatch(/^Solo se ve el último:/);
});
