/** What the library says, in Spanish: each template is of something that it says, and what people meet is translated. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { textSource } from "../../src/data/memory-source.ts";
import { openData } from "../../src/data/open.ts";
import { generationOptions } from "../../src/generate/option-elsewhere.ts";
import { parseConfig } from "../../src/io/config-json.ts";
import { parseIndex } from "../../src/io/weight-files.ts";
import { dataOptionsOf, tokenizerOf } from "../../src/run/data.ts";
import { fileName, SETTING_KEYS } from "../../src/run/settings/table.ts";
import { OutOfMemory } from "../../src/runtime/out-of-memory.ts";
import { memoryFolder } from "../../src/storage/memory.ts";
import { charTokenizerOf } from "../../src/text/char.ts";
import { checkFit } from "../../src/train/fit.ts";
import { FORMAT, threeDigits } from "../../web/playground/charts.ts";
import { fromFragment, saidBy } from "../../web/playground/settings.ts";
import { EN } from "../../web/playground/texts/en.ts";
import { ES, HELPS, MESSAGES } from "../../web/playground/texts/es.ts";
import { onPage } from "../../web/playground/texts/messages.ts";
import { modelFilesOf } from "../../web/playground/worker/base.ts";
import { settingsOf } from "../../web/playground/worker/check.ts";
import { refuseForeign } from "../../web/playground/worker/foreign.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** The texts of all sources, without the seams of texts that are written in several lines. */
function sources(): string {
  const texts = ["src", "web/playground"].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true }).flatMap((entry) =>
      entry.isFile() && entry.name.endsWith(".ts") && !/\.gen\.ts$|^es\.ts$/.test(entry.name)
        ? [readFileSync(join(entry.parentPath, entry.name), "utf8")]
        : [],
    ),
  );
  return texts
    .join("\n")
    .replace(/[`"]\s*\+\s*[`"]/g, "")
    .replaceAll("\\", "");
}

test("every template is of a message that there is, and is there once", () => {
  const templates = MESSAGES.map(([template]) => template);
  expect(templates.filter((template, i) => templates.indexOf(template) !== i)).toEqual([]);
  const all = sources();
  const orphans = MESSAGES.filter(([template]) => {
    // In the sources a number may have a name, and a remedy a line of its own.
    const pieces = template.split(/\{\}|\d+|[;:,] | is |\bor |\bset /).map((piece) => piece.trim());
    return !pieces.every((piece) => all.includes(piece));
  });
  expect(orphans).toEqual([]);
  for (const [template, translation] of MESSAGES) {
    const places = template.split("{}").length - 1;
    const used = [...translation.matchAll(/\{(\d)!?\}/g)].map(([, n]) => Number(n));
    expect(Math.max(0, ...used), template).toBeLessThanOrEqual(places);
  }
});

test("every setting of the page says in Spanish what it is for", () => {
  const here = SETTING_KEYS.filter((key) => !["data", "evalData", "model", "fastReduce"].includes(key)).map(fileName);
  expect(Object.keys(HELPS).sort()).toEqual(here.sort());
});

const messageOf = async (act: () => unknown): Promise<string> => {
  try {
    await act();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("nothing was refused");
};

const settings = (fragment: string) => () => settingsOf(saidBy(fromFragment(`#${fragment}`)));
const data = (name: string, text: string) => async () => {
  const { settings } = settingsOf({});
  await openData({ sources: [textSource(name, text)], ...dataOptionsOf(settings) }, tokenizerOf(settings), {});
};
const model = (name: string) => () => modelFilesOf([{ name, blob: new Blob(["PK"]) }]);

test.each<[string, () => unknown, RegExp]>([
  ["a setting that is none", settings("n_layer_=2"), /^ajustes: n_layer_ no es un ajuste; ¿querías decir n_layer\?$/],
  ["a fraction", settings("n_layer=2.5"), /^ajustes: n_layer es 2.5; se esperaba un número entero, 1 o más$/],
  ["a device", settings("device=gpu"), /^device es gpu; se esperaba auto, webgpu o wasm$/],
  ["another tool's name", settings("fp16=true"), /^ajustes: fp16 no es un ajuste; pon precision a f16$/],
  ["a size", settings("size=vast"), /^size es vast; se esperaba uno de tiny, small/],
  ["many layers", settings("n_layer=999"), /^n_layer es 999; se esperaba 256 como mucho en una página$/],
  ["heads", settings("n_embd=7&n_head=2"), /^entrenamiento: --n-embd es 7, que no es múltiplo de --n-head 2; cambia/],
  ["no memory", settings("n_embd=1000000"), /más memoria de la que da ningún navegador; redúcelos$/],
  ["the data", settings("data=x"), /^ajustes: data se elige en la página, no es un ajuste$/],
  [
    "no evaluation",
    settings("eval_split=0&load_best_model_at_end=true"),
    /necesita con qué validar: pon eval_split a 0.1/,
  ],
  ["a zip", data("x.zip", "PK"), /^x\.zip: los archivos \.zip no se leen; descomprímelo: unzip x\.zip$/],
  [
    "JSON",
    data("a.jsonl", '{"text": "a"}\n[1]\n'),
    /^a\.jsonl, línea 2: es una lista JSON; escribe un objeto por línea/,
  ],
  ["columns", data("a.jsonl", '{"b": 1}\n'), /^a\.jsonl, línea 1: se esperaba una columna "text", o "prompt"/],
  ["no text", data("a.txt", ""), /^a\.txt: está vacío; se esperaba texto$/],
  ["nothing", data("a.txt", "\n\n"), /^a\.txt: no tiene registros: los 2 están vacíos$/],
  ["a column twice", data("a.csv", "text,text\na,b\n"), /^a\.csv, línea 1: 2 columnas se llaman "text"; da a cada/],
  [
    "another separator",
    data("a.csv", "id;body\n1;a\n"),
    /^a\.csv, línea 1: es una sola columna separada por comas, pero 2 por puntos y coma: "id", "body"; di cuál es el texto: /,
  ],
  ["a PDF", data("a.txt", "%PDF-1.4\n"), /^a\.txt: es un PDF; saca el texto de él: pdftotext a\.txt$/],
  ["an index of nothing", () => parseIndex("{}"), /: no tiene weight_map$/],
  ["a config of nothing", () => parseConfig("[]"), /^config\.json: no es un objeto JSON$/],
  ["a file that is not there", () => memoryFolder("run").open("ids.bin"), /^run\/ids\.bin: no existe$/],
  ["one that is nothing", data("a.txt", "\n"), /^a\.txt: no tiene registros: el único está vacío$/],
  [
    "an open quote",
    data("a.csv", 'text\n"open'),
    /^a\.csv, línea 2: aquí se abren unas comillas que no se cierran; ciérralas/,
  ],
  ["half an object", data("a.jsonl", '{"text": "a"}\n{"text"'), /^a\.jsonl, línea 2: no es JSON: .*un objeto entero/],
  [
    "a list for a text",
    data("a.jsonl", '{"text": []}\n'),
    /^a\.jsonl, línea 1: la columna "text" es una lista, se esp/,
  ],
  [
    "a character that is none of the model's",
    () => charTokenizerOf(["a"], { endToken: true }).encode("b"),
    /^tokenizador char: el carácter "b" \(U\+0062\) en la línea 1, columna 1, no está entre los \d caracteres/,
  ],
  [
    "a spreadsheet",
    () => refuseForeign([{ name: "a.xlsx", blob: new Blob() }]),
    /^a\.xlsx: es una hoja de cálculo; guárdala como CSV/,
  ],
  [
    "a document",
    () => refuseForeign([{ name: "a.pdf", blob: new Blob() }]),
    /^a\.pdf: no es texto sin formato; guárdalo/,
  ],
  [
    "a zip by its bytes",
    data("a.txt", "PK\u0003\u0004"),
    /^a\.txt: es un zip; descomprímelo o, si es un documento o una tabla, guárdalo como texto o CSV$/,
  ],
  [
    "a column by another mark",
    data("a.csv", "n;m\na;b\n"),
    /^a\.csv, línea 1: es una sola columna separada por comas, pero 2 por puntos y coma: .*text_column$/,
  ],
  ["no zip", model("m.zip"), /^m\.zip: no es un zip que se pueda leer/],
  ["no weights", model("m.txt"), /^m\.txt: no hay pesos entre ellos; se esperaba model\.safetensors/],
  [
    "equal samples",
    () => generationOptions({ temperature: 0, numReturnSequences: 20 }, { vocabSize: 9, eosTokenId: null }),
    /^con temperatura 0 las 20 muestras serían iguales/,
  ],
  [
    "what does not fit",
    () =>
      checkFit({
        wanted: { batchSize: 1, accumulationSteps: 1, recompute: true },
        need: () => ({ bytes: 2 ** 33 }),
        device: "WebAssembly",
        budget: { bytes: 2 ** 32, because: "WebAssembly can have" },
      }),
    /^entrenar necesita 8\.00 GiB de memoria, y 4\.00 GiB es lo que puede tener WebAssembly; ni .* cabría/,
  ],
  [
    "what no device has",
    () =>
      checkFit({
        wanted: { batchSize: 2, accumulationSteps: 1, recompute: true },
        need({ batchSize }) {
          if (batchSize > 1) throw new OutOfMemory("no room");
          return { bytes: 2 ** 20 };
        },
        device: "WebAssembly",
      }),
    /^entrenar necesita más memoria de la que hay \(WebAssembly\); lo que cabe: --batch-size 1 .*MiB\)$/,
  ],
])("%s is told in Spanish", async (_, act, wanted) => {
  const message = await messageOf(act);
  expect(ES.messages.translate(message), message).toMatch(wanted);
});

test.each([
  ["evaluated on nothing", "eval_split=0&early_stopping_patience=2"],
  ["what evaluates, on nothing", "eval_split=0&eval_on_start=true"],
  ["patience", "early_stopping_threshold=0.1"],
  ["a warm-up", "lr_scheduler_type=constant&warmup_steps=5"],
  ["a floor", "min_lr=0.001"],
  ["decay", "decay_steps=5"],
  ["prompts of a stream", "stream=true&mask_prompt=true"],
  ["prompts of a column", "text_column=a&mask_prompt=true", "a.csv"],
  ["columns", "text_column=a"],
  ["checkpoints", "save_steps=0&save_total_limit=5&load_best_model_at_end=false"],
  ["samples", "samples=0&top_k=3"],
  ["many prompts", "samples=1&sample_prompts=a&sample_prompts=b"],
  ["greedy samples", "temperature=0&top_k=3"],
  ["corrections", "lora_alpha=4"],
  ["many machines", "fast_reduce=true"],
])("a setting that does nothing is told in Spanish: %s", async (_, fragment, name = "a.txt") => {
  const choice = fromFragment(`#${fragment}`);
  let told: readonly string[];
  try {
    const tuning = fragment.startsWith("lora");
    told = settingsOf(saidBy(choice, tuning), { data: [name], base: tuning ? "m" : undefined }).notices;
  } catch (error) {
    told = [(error as Error).message];
  }
  expect(told).not.toEqual([]);
  for (const message of told) {
    const spanish = ES.messages.translate(message) ?? message;
    expect(onPage(spanish)).not.toMatch(/\b(does|is for|wants|leave|has|with)\b/);
  }
});

test("what is wrong with samples is told in the page's words", async () => {
  const equal = await messageOf(() =>
    generationOptions({ temperature: 0, numReturnSequences: 20 }, { vocabSize: 9, eosTokenId: null }),
  );
  expect(EN.messages.translate(equal)).toBe(
    "at temperature 0 all 20 samples would be equal: ask for one, or raise the temperature",
  );
  const unknown = await messageOf(() => charTokenizerOf(["a"], { endToken: true }).encode("b"));
  expect(EN.messages.translate(unknown)).toMatch(
    /^the model knows only the \d characters of its data, and "b" .*leave it out$/,
  );
});

test("notices of a run are told in Spanish, and what nobody translated is left as it is", () => {
  const told = (message: string) => ES.messages.translate(message);
  expect(told("stopped after step 4")).toBe("parado tras el paso 4");
  expect(told("step 7: loss 9.1000 is 8.2 deviations above its mean, 2.0000")).toMatch(/^paso 7: la pérdida 9.1000/);
  expect(told("run-3/run: another tab or worker is at work there; wait for it, or choose another")).toBe(
    "run-3/run: otra pestaña trabaja ahí; espera a que acabe, o elige otro",
  );
  const full = "no space left: the browser gives this site no more; delete what it keeps, or free some of the disk";
  expect(told(`checkpoint-20 was not saved: run-3/run: ${full}; earlier checkpoints are as they were`)).toMatch(
    /^checkpoint-20 no se guardó: run-3\/run: no queda espacio: .* en el disco; los anteriores siguen como estaban$/,
  );
  const unsaved = `the model was not saved: a/run/model: ${full}; checkpoint-10 is the newest, of 20 steps; mend that, and resume the run`;
  expect(told(unsaved)).toMatch(
    /^el modelo no se guardó: .*no queda espacio.* en el disco; checkpoint-10 es .* Continuar$/,
  );
  expect(EN.messages.translate(unsaved)).toMatch(/of 20 steps; mend that, and press Go on$/);
  const diverged = "(loss NaN, grad_norm NaN, learning_rate 1, seed 42); its texts are in";
  const rate = "; try a lower --learning-rate";
  const path = "browser storage/playground/2026-1/run/not-finite-step-4.json";
  expect(told(`3 steps in a row were not finite, the last one 4 ${diverged} ${path}${rate}`)).toMatch(
    /^3 pasos seguidos no fueron finitos, el último el 4 \(loss NaN.*\); de qué trataba se puede descargar.*baja$/,
  );
  expect(
    told(`step 1 was not finite ${diverged} no file, since it could not be written (a/run: ${full})${rate}`),
  ).toMatch(
    /^el paso 1 no fue finito \(loss.*\); no se pudo guardar de qué trataba \(a\/run: no queda espacio: .*\); prueba/,
  );
  const nothing =
    "train: --early-stopping-patience wants something to evaluate on: give --eval-split 0.1 or --eval-data FILES";
  expect(EN.messages.translate(`${nothing}, or leave it out`)).not.toContain("eval-data");
  // In English, too, no path is named that nobody can open.
  expect(EN.messages.translate(`step 1 was not finite ${diverged} ${path}${rate}`)).toMatch(/^[^/]*downloaded[^/]*$/);
  expect(told("TypeError: x is undefined")).toBeUndefined();
  // What a person has typed is never taken for a message's own words.
  expect(told(`<img src=x>: is there twice; choose the files of one model`)).toMatch(/^<img src=x>: está dos veces/);
});

test("a page names settings as its fields do, and leaves other words alone", () => {
  expect(onPage("train: --n-embd is 64, no multiple of --n-head 3; change one of them")).toBe(
    "train: n_embd is 64, no multiple of n_head 3; change one of them",
  );
  const files = "browser storage/playground/20261201044230-e302a5f0/run";
  expect(onPage(`checkpoint-20 was not saved: ${files}/checkpoint-20: no space left`)).toBe(
    "checkpoint-20 was not saved: run/checkpoint-20: no space left",
  );
  expect(onPage("browser storage/playground/20261201044230-e302a5f0: no space left")).toBe("no space left");
  const others = "--n-embeddings, --seeds, -- and iconv -f LATIN1 --verbose";
  expect(onPage(others)).toBe(others);
});

test("a part of an epoch is not none", () => {
  const facts = { maxSteps: 400, rows: 32, batches: 1, tokensSeen: 253_155, packed: false, data: { kind: "records" } };
  const plan = (epochs: number) => ({ ...facts, epochs }) as unknown as Parameters<typeof EN.describePlan>[0];
  expect(EN.describePlan(plan(0.00445))).toBe("400 steps of 32 records: 0.004 epochs, about 253,155 tokens");
  expect(ES.describePlan(plan(0.00445))).toContain(": 0,004 épocas,");
  expect(EN.describePlan(plan(0.06))).toContain(": 0.1 epochs,");
  expect(EN.describePlan(plan(6.97))).toContain(": 7.0 epochs,");
});

test("what masked prompts leave to learn is said of the data, as docs/data.md promises", () => {
  const counts = {
    records: 2,
    tokens: 16,
    ended: 2,
    cut: 0,
    longest: 9,
    empty: 0,
    duplicates: 0,
    endText: "",
    evaluation: 0,
  };
  const said = (learnt: number | undefined) =>
    ({ data: { kind: "records", ...counts, learnt } }) as unknown as Parameters<typeof EN.describeData>[0];
  expect(EN.describeData(said(3))).toBe(
    "2 records, 16 tokens, 3 of them with loss, 2 end in the end token, 0 cut, longest 9",
  );
  expect(ES.describeData(said(3))).toContain("16 tokens, 3 de ellos con pérdida, 2 acaban");
  expect(EN.describeData(said(undefined))).not.toContain("loss");
});

test("numbers are written as the language writes them", () => {
  const english = ["2.0296", "33,932", "5,891", "1,234,567", "4.4 MiB", "2.78e-4", "12.5K", "0"];
  expect(english.map(EN.figure)).toEqual(english);
  const spanish = ["2,0296", "33.932", "5891", "1.234.567", "4,4 MiB", "2,78e-4", "12,5K", "0"];
  expect(english.map(ES.figure)).toEqual(spanish);
  expect([0, 27.1, 5e-3].map(FORMAT.learning_rate)).toEqual(["0", "2.71e1", "5.00e-3"]);
  expect([0.0123, 1.5, 999.6, 12_345, 1e8].map(threeDigits)).toEqual(["0.0123", "1.50", "1,000", "12,345", "1.00e8"]);
});
