/** What one press mends of a run that cannot be: each is of what the library says, and is taken by it. */
import { expect, test } from "vitest";
import { textSource } from "../../src/data/memory-source.ts";
import { openData } from "../../src/data/open.ts";
import { dataOptionsOf, tokenizerOf } from "../../src/run/data.ts";
import { checkFit } from "../../src/train/fit.ts";
import type { SaidSettings } from "../../web/playground/protocol.ts";
import { remediesOf } from "../../web/playground/remedies.ts";
import { settingsOf } from "../../web/playground/worker/check.ts";

/** Why such data are refused with such settings; undefined where they are taken. */
async function refusalOf(name: string, text: string, said: SaidSettings): Promise<string | undefined> {
  try {
    const { settings } = settingsOf(said, { data: [name] });
    const source = textSource(name, text);
    const data = await openData({ sources: [source], ...dataOptionsOf(settings) }, tokenizerOf(settings), {});
    await data.close();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

const LONG = "lorem ipsum dolor sit amet ".repeat(400);

test.each<[string, string, string, SaidSettings, string[]]>([
  [
    "a table without the usual columns",
    "a.csv",
    'name,"e, ""mail"""\na,b\nc,d\n',
    {},
    ["column name", 'column e, "mail"'],
  ],
  ["one column by commas", "a.csv", "name;mail\na;b\nc;d\n", {}, ["column name", "column mail"]],
  [
    "a column that is not there",
    "a.csv",
    "name,mail\na,b\nc,d\n",
    { text_column: "x" },
    ["column name", "column mail"],
  ],
  ["a column of no table", "a.txt", "a\nb\n", { text_column: "x" }, ["leaveOut text_column"]],
  ["one line", "a.txt", "a line", { eval_split: 0.1 }, ["noValidation "]],
  ["one long line", "a.txt", LONG, { eval_split: 0.1, n_positions: 64 }, ["asText ", "noValidation "]],
  ["what nothing helps", "a.txt", "", {}, []],
])("%s", async (_, name, text, said, wanted) => {
  const refusal = (await refusalOf(name, text, said))!;
  const remedies = remediesOf(refusal, text.length);
  expect(
    remedies.map(({ kind, what }) => `${kind} ${what}`),
    refusal,
  ).toEqual(wanted);
  for (const { settings } of remedies) {
    const mended = Object.entries({ ...said, ...settings }).filter(([, value]) => value !== undefined);
    expect(await refusalOf(name, text, Object.fromEntries(mended))).toBeUndefined();
  }
});

test("settings that fit are those that the library names", () => {
  const refuse = () =>
    checkFit({
      wanted: { batchSize: 8, accumulationSteps: 1, recompute: false },
      need: ({ batchSize, recompute }) => ({ bytes: batchSize * (recompute ? 2 ** 28 : 2 ** 30) }),
      device: "WebAssembly",
      budget: { bytes: 2 ** 29, because: "WebAssembly can have" },
    });
  let refusal = "";
  try {
    refuse();
  } catch (error) {
    refusal = (error as Error).message;
  }
  const [first] = remediesOf(refusal, 0);
  expect(first, refusal).toEqual({
    kind: "set",
    what: "per_device_train_batch_size 2, gradient_accumulation_steps 4, recompute true",
    settings: { per_device_train_batch_size: 2, gradient_accumulation_steps: 4, recompute: true },
  });
  expect(settingsOf(first!.settings).settings).toMatchObject({ perDeviceTrainBatchSize: 2, recompute: true });
});
