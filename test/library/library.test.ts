/** The library's own face: what a program has of a model, in memory and on the disk. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { strToU8, unzipSync, zipSync } from "fflate";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { UserError } from "../../src/core/errors.ts";
import { blobFile, bytesFile } from "../../src/io/file-source.ts";
import type { Model } from "../../src/library/model.ts";
import { asProgram } from "../../src/library/spoken.ts";
import { createModel, type FinetuneSettings, finetune, loadModel, openDevice } from "../../src/node.ts";
import { nodeFolder } from "../../src/platform/node/storage.ts";
import { PROGRAM_NAMES } from "../../src/run/settings/json.ts";
import { SETTINGS } from "../../src/run/settings/table.ts";
import type { Folder } from "../../src/storage/folder.ts";
import { memoryFolder } from "../../src/storage/memory.ts";
import { readText } from "../../src/storage/read.ts";
import { charTokenizer } from "../../src/text/char.ts";

const NAMES = Array.from({ length: 24 }, (_, i) => `${"abcde".slice(i % 4)}@${"xyz".slice(i % 3)}.org`);
const SIZES = { nEmbd: 16, nLayer: 1, nHead: 2, nPositions: 24 };
const QUICK = { maxSteps: 12, perDeviceTrainBatchSize: 4, learningRate: 1e-2, samples: 2, loggingSteps: 4 };

const folder = mkdtempSync(join(tmpdir(), "gpt2-library-"));
const open: Model[] = [];
const fresh = async (device = "cpu"): Promise<Model> => {
  const model = await createModel(SIZES, charTokenizer(NAMES.join("")), { device });
  open.push(model);
  return model;
};
afterAll(async () => {
  for (const model of open) await model.close();
  rmSync(folder, { recursive: true });
});

let trained: Model;
beforeAll(async () => {
  trained = await fresh();
  await finetune(trained, NAMES, QUICK);
});

describe("a model", () => {
  test("learns what it is given, and is the one that came out", async () => {
    const model = await fresh("wasm");
    const before = await model.loss(NAMES);
    const steps: number[] = [];
    const { reason, summary, samples } = await finetune(
      model,
      { train: NAMES, evaluate: NAMES.slice(0, 4) },
      { ...QUICK, eval_steps: 4, loadBestModelAtEnd: true },
      { onEvent: { logged: ({ step }) => void steps.push(step) } },
    );
    expect(reason).toBe("finished");
    expect(summary.step).toBe(12);
    expect(samples).toHaveLength(2);
    expect(steps).toEqual([4, 8, 12]);
    const after = await model.loss(NAMES);
    expect(after.tokens).toBe(before.tokens);
    expect(after.loss).toBeLessThan(0.8 * before.loss);
    expect(after.perplexity).toBeCloseTo(Math.exp(after.loss), 10);
  });

  test("that is new has the defaults for what is undefined", async () => {
    const said = await createModel({ nEmbd: undefined, nLayer: undefined, bias: undefined, seed: undefined }, "byte");
    const silent = await createModel({}, "byte");
    open.push(said, silent);
    expect(said.config).toEqual(silent.config);
    const texts = ["hello"];
    expect(await said.loss(texts)).toEqual(await silent.loss(texts));
  });

  test("continues a text, several, each several times, and ids; equal seeds give equal texts", async () => {
    const options = { maxNewTokens: 6, temperature: 0.9, seed: 3 };
    const one = await trained.generate("ab", options);
    expect(one.startsWith("ab")).toBe(true);
    expect(await trained.generate(["ab"], options)).toEqual([one]);
    const many = await trained.generate(["ab", "c"], { ...options, numReturnSequences: 2 });
    expect(many.map((text) => text[0])).toEqual(["a", "a", "c", "c"]);
    const [ids] = await trained.generateIds(["ab"], { ...options, logProbabilities: true });
    expect(ids!.text).toBe(one.slice(2));
    expect(ids!.logProbabilities).toHaveLength(ids!.ids.length + (ids!.stopped === "end" ? 1 : 0));
    const start = [...trained.tokenizer.startIds, ...trained.tokenizer.encode("ab")];
    expect((await trained.generateIds([start], options))[0]!.ids).toEqual(ids!.ids);
  });

  test.each([
    ["f16", "cpu"],
    ["i8", "cpu"],
    ["i8", "wasm"],
  ] as const)(
    "in %s on %s has its weights rounded while it computes, and saves them as they were",
    async (precision, device) => {
      const files = new Map<string, Uint8Array>();
      await trained.save(files);
      const half = await loadModel(files, { device, precision });
      open.push(half);
      const options = { maxNewTokens: 6, logProbabilities: true };
      const [whole] = await trained.generateIds(["ab"], options);
      const [rounded] = await half.generateIds(["ab"], options);
      expect(rounded!.text).toBe(whole!.text);
      expect(rounded!.logProbabilities).not.toEqual(whole!.logProbabilities);
      rounded!.logProbabilities!.forEach((x, i) => {
        expect(x).toBeCloseTo(whole!.logProbabilities![i]!, 2);
      });
      const saved = new Map<string, Uint8Array>();
      await half.save(saved);
      expect(saved.get("model.safetensors")).toEqual(files.get("model.safetensors"));
      await expect(half.generate("ab", { precision } as object)).rejects.toThrow("from loadModel");
    },
  );

  test("in f16 is refused on WebAssembly, and told what there is", async () => {
    const files = new Map<string, Uint8Array>();
    await trained.save(files);
    const there = await loadModel(files, { device: "wasm", precision: "f16" });
    open.push(there);
    await expect(there.generate("ab")).rejects.toThrow("has no f16; use f32 or i8, or a GPU, of which any will do");
  });

  test("gives a text as it comes, and leaves its turn to others where it is left", async () => {
    const options = { maxNewTokens: 6, temperature: 0.9, seed: 3 };
    let streamed = "ab";
    for await (const piece of trained.stream("ab", options)) streamed += piece;
    expect(streamed).toBe(await trained.generate("ab", options));
    for await (const _ of trained.stream("ab", options)) break;
    const both = await Promise.all([trained.generate("ab", options), trained.loss(["ab"])]);
    expect(both[0]).toBe(streamed);
  });

  test("is used while a stream of it is open: the rest of the stream is computed first, and kept", async () => {
    const options = { maxNewTokens: 6, temperature: 0.9, seed: 3 };
    const wanted = await trained.generate(["ab", "c"], options);
    let streamed = "ab";
    for await (const piece of trained.stream("ab", options)) {
      streamed += piece;
      expect(await trained.generate("ab", options)).toBe(wanted[0]);
    }
    expect(streamed).toBe(wanted[0]);
    const read = async (text: string): Promise<string> => {
      let whole = text;
      for await (const piece of trained.stream(text, { ...options, seed: 5 })) whole += piece;
      return whole;
    };
    expect(await Promise.all(["ab", "ab"].map(read))).toEqual([await read("ab"), await read("ab")]);
    // One that is never read again.
    await trained.stream("ab", options).next();
    expect(await trained.generate("ab", options)).toBe(wanted[0]);
    const stop = new AbortController();
    const stopped = trained.stream("ab", { ...options, signal: stop.signal });
    await stopped.next();
    await trained.loss("ab");
    stop.abort(new Error("enough"));
    await expect(stopped.next()).rejects.toThrow("enough");
  });

  test("is closed while a stream of it is open, which ends", async () => {
    const left = await fresh();
    for await (const _ of left.stream("ab")) {
      await left.close();
      break;
    }
    const read = await fresh();
    const stream = read.stream("ab");
    await stream.next();
    await Promise.all([read.close(), read.close()]);
    await expect(stream.next()).rejects.toThrow("the model was closed before its stream had ended");
  });

  test("streams several texts at once, shows where its tokens look, and which of them are alike", async () => {
    const options = { maxNewTokens: 6, temperature: 0.9, seed: 3, numReturnSequences: 2, topLogProbabilities: 3 };
    const texts = ["", "", "", ""];
    for await (const { sequence, text, topLogProbabilities } of trained.streamAll(["ab", "c"], options)) {
      texts[sequence] = text!;
      expect(topLogProbabilities).toHaveLength(3);
    }
    const whole = await trained.generate(["ab", "c"], options);
    expect(texts.map((text, i) => (i < 2 ? "ab" : "c") + text)).toEqual(whole);
    const { ids, tokens, layers } = await trained.attention("ab");
    expect(tokens.slice(-2)).toEqual(["a", "b"]);
    expect(layers.map(({ weights }) => weights.length)).toEqual([2 * ids.length ** 2]);
    const near = await trained.nearestTokens("a", 5);
    expect(near).toHaveLength(5);
    expect(near.map(({ text }) => text)).not.toContain("a");
    expect(near.every(({ similarity }, i) => similarity <= (near[i - 1]?.similarity ?? 1))).toBe(true);
    await expect(trained.nearestTokens("ab")).rejects.toThrow('"ab" is 2 tokens ("a", "b"); wanted one, or an id');
    await expect(trained.stream("a", { numReturnSequences: 2 }).next()).rejects.toThrow(/use streamAll/);
  });

  test("is saved in a folder, a storage, a map and a zip, all the same, and loaded from each", async () => {
    const map = new Map<string, Uint8Array>();
    await trained.save(map);
    const path = join(folder, "model");
    await trained.save(path);
    const storage = memoryFolder();
    await trained.save(storage, "mine");
    const packed = await trained.toZip();
    const zip = unzipSync(new Uint8Array(await packed.arrayBuffer()));
    expect([...map.keys()].sort()).toEqual(readdirSync(path).sort());
    for (const [name, bytes] of map) {
      expect(readFileSync(join(path, name)).equals(bytes), name).toBe(true);
      expect(zip[name], name).toEqual(bytes);
    }
    const wanted = await trained.loss(NAMES);
    const files = [...map].map(([name, bytes]) => new File([Uint8Array.from(bytes)], name));
    const zipped = join(folder, "model.zip");
    writeFileSync(zipped, new Uint8Array(await packed.arrayBuffer()));
    const chosen = [new File([packed], "taken.zip")];
    for (const source of [
      path,
      map,
      files,
      storage.folder("mine"),
      packed,
      chosen,
      new Map([["a.zip", packed]]),
      zipped,
    ]) {
      const again = await loadModel(source, { device: "cpu" });
      expect(await again.loss(NAMES)).toEqual(wanted);
      await again.close();
    }
    await expect(trained.save(path)).rejects.toThrow("exists already; save it under another name");
    const half = packed.slice(0, packed.size / 2);
    await expect(loadModel(half, { device: "cpu" })).rejects.toThrow(/^the zip: is no zip that can be read \(/);
    writeFileSync(zipped, new Uint8Array(await half.arrayBuffer()));
    await expect(loadModel(zipped, { device: "cpu" })).rejects.toThrow(`${zipped}: is no zip that can be read`);
    const zipOf = (files: Record<string, Uint8Array>): Blob => new Blob([Uint8Array.from(zipSync(files))]);
    const twice = zipOf({ "a/config.json": new Uint8Array(2), "b/config.json": new Uint8Array(2) });
    const two = loadModel(twice, { device: "cpu" });
    await expect(two).rejects.toThrow("the zip, config.json: is there twice; give the files of one model");
    const other = zipOf({ "adapter_config.json": strToU8("{}") });
    await expect(loadModel(other, { device: "cpu" })).rejects.toThrow("holds corrections (LoRA)");
    await expect(loadModel(zipOf({}), { device: "cpu" })).rejects.toThrow("no files: ");
  });

  test("that is not loaded leaves no file open", async () => {
    const kept = memoryFolder("kept");
    await trained.save(kept, "model");
    await kept.commit("corrections", async (write) => {
      for (const name of ["adapter_config.json", "adapter_model.safetensors"]) await write(name, async () => {});
    });
    let held = 0;
    const watched = (at: Folder, without: readonly string[]): Folder => ({
      ...at,
      folder: (name) => watched(at.folder(name), without),
      list: async () => (await at.list()).filter(({ name }) => !without.includes(name)),
      async open(name) {
        const file = await at.open(name);
        held++;
        const close = async (): Promise<void> => {
          held--;
          await file.close();
        };
        return { ...file, close };
      },
    });
    const model = kept.folder("model");
    const cases: readonly [Parameters<typeof loadModel>, string][] = [
      [[watched(kept.folder("corrections"), [])], "kept/corrections: holds corrections"],
      [[watched(model, ["tokenizer.json"])], "kept/model: has no tokenizer.json"],
      [[watched(model, ["model.safetensors"])], "wanted model.safetensors"],
      [[watched(model, []), { adapter: watched(kept.folder("corrections"), []) }], "adapter_config.json"],
    ];
    for (const [given, message] of cases) {
      await expect(loadModel(...given)).rejects.toThrow(message);
      expect(held, message).toBe(0);
    }
  });

  test("says what is wrong, in one line", async () => {
    await expect(trained.generate("a", { topP: 2 })).rejects.toThrow(/^topP is 2: wanted/);
    await expect(trained.generate("#")).rejects.toThrow('"#"');
    await expect(trained.loss("a".repeat(40))).rejects.toThrow("text 1: has 42 tokens, the model's context holds 24");
    await expect(loadModel(join(folder, "nowhere"))).rejects.toThrow("there is no such file or directory");
    await expect(loadModel(new Map())).rejects.toThrow("wanted config.json");
    const twice = ["a/config.json", "b/config.json"].map((name) => [name, new Uint8Array(2)] as const);
    await expect(loadModel(new Map(twice))).rejects.toThrow("config.json: is there twice");
    const cut = bytesFile(new Uint8Array(3), "model.safetensors");
    await expect(cut.read(1, new Uint8Array(4))).rejects.toThrow("model.safetensors: ends at byte 3, wanted 5");
    await expect(blobFile(new Blob(["abc"]), "b").read(1, new Uint8Array(4))).rejects.toThrow("b: ends at byte 3");
    const gone = await fresh();
    await gone.close();
    await expect(gone.generate("a")).rejects.toThrow("the model was closed; load it again");
    await expect(finetune({} as Model, NAMES)).rejects.toThrow(
      "wanted a model that loadModel or createModel gave, got",
    );
  });
});

/** What a program in JavaScript may do. */
type Loose = Record<"generate" | "generateIds" | "loss" | "attention" | "nearestTokens" | "save" | "toZip", Call> &
  Record<"stream" | "streamAll", (...args: unknown[]) => AsyncGenerator>;
type Call = (...args: unknown[]) => Promise<unknown>;

describe("what is not as it must be is an error of one line at once", () => {
  const [create, load, tune, open] = [createModel, loadModel, finetune, openDevice] as unknown as Call[];
  const any = (): Loose => trained as unknown as Loose;
  const cases: readonly [call: () => Promise<unknown>, message: string][] = [
    [() => create!({ nLayers: 1 }, "byte"), "createModel: nLayers is no option; did you mean nLayer?"],
    [() => create!({ vocabSize: 5 }, "byte"), "createModel: vocabSize is no option; it is the tokenizer's"],
    [() => create!({ nEmbd: "8" }, "byte"), 'createModel: nEmbd is the text "8"; wanted a whole number'],
    [() => create!({}, "bpe"), 'createModel: tokenizer is the text "bpe"; wanted charTokenizer(text)'],
    [() => create!({}), "createModel: tokenizer is undefined; wanted"],
    [() => create!(null, "byte"), "createModel: config is null; wanted an object"],
    [() => create!("gpt2", "byte"), 'createModel: config is the text "gpt2"; wanted an object'],
    [() => create!({}, "byte", { devise: "cpu" }), "createModel: devise is no option; did you mean device?"],
    [() => create!({}, "byte", { device: "wams" }), 'no adapter is "wams"; this machine has'],
    [() => create!({ nEmbd: 30, nHead: 4 }, "byte"), "createModel: nEmbd is 30, no multiple of nHead 4; change one"],
    [() => create!({ nLayer: 5000 }, "byte"), "createModel: nLayer is 5000; wanted a whole number from 1 to 4096"],
    [() => create!({ nEmbd: 5n }, "byte"), "createModel: nEmbd is the bigint 5; wanted a whole number"],
    [() => load!("nowhere", { device: "wams" }), 'no adapter is "wams"; this machine has'],
    [() => load!("nowhere", { device: "wasm:0" }), "wasm:0: wanted a whole number of threads"],
    [() => load!("nowhere", { device: "cuda:0" }), 'no adapter is called "cuda:0"; any GPU is "hardware"'],
    [() => load!("nowhere", { device: "" }), 'loadModel: device is the text ""; wanted the name of a device'],
    [() => load!("http://127.0.0.1:9/gpt2"), "http://127.0.0.1:9/gpt2: a URL is for a page; download the files"],
    [() => load!(), "loadModel: source is undefined; wanted a path"],
    [() => load!(""), 'loadModel: source is the text ""; wanted a path'],
    [() => load!("x", { devise: "wasm" }), "loadModel: devise is no option; did you mean device?"],
    [() => load!("x", { precision: "f8" }), 'loadModel: precision is the text "f8"; wanted "f32", "f16" or "i8"'],
    [() => load!("x", { adapter: "y" }), 'loadModel: adapter is the text "y"; wanted files'],
    [() => open!("wams"), 'no adapter is "wams"; this machine has'],
    [() => open!(5), "openDevice: device is 5; wanted the name of a device, or an open GPU"],
    [() => any().generate(), "generate: texts is undefined; wanted a text, or a list of texts"],
    [() => any().generate([1]), "generate: text 1 is 1; wanted a text"],
    [() => any().generate("a", null), "generate: options is null; wanted an object"],
    [() => any().generate("a", { tokenizer: "gpt2" }), "generate: tokenizer is no option; it is the model's"],
    [() => any().stream("a", { window: 1 }).next(), "stream: window is 1; wanted true or false"],
    [() => any().generate("a", { signal: 5 }), "generate: signal is 5; wanted an AbortSignal"],
    [() => any().loss("a", { signal: 5 }), "loss: signal is 5; wanted an AbortSignal"],
    [() => any().toZip({ stop: 5 }), "toZip: stop is no option; there are signal"],
    [() => any().generate("a", { maxNewTokens: "4" }), 'maxNewTokens is the text "4": wanted a whole number'],
    [
      () => any().generate("a", { maxNewToken: 4 }),
      "maxNewToken is no option of generation; did you mean maxNewTokens?",
    ],
    [() => any().generate("a", { stopStrings: "x" }), 'stopStrings is the text "x": wanted a list of texts'],
    [() => any().generateIds("a"), 'generateIds: wanted a list of prompts, got the text "a"'],
    [() => any().generateIds([[0.5]]), "generateIds: prompt 1 is a list; wanted a text, or its ids"],
    [() => any().stream("a", null).next(), "stream: options is null; wanted an object"],
    [() => any().stream(["a", "b"]).next(), "stream: text is a list; wanted a text"],
    [() => any().streamAll("a").next(), 'streamAll: wanted a list of texts, got the text "a"'],
    [() => any().loss([5]), "loss: text 1 is 5; wanted a text"],
    [() => any().loss(["a", "~"]), 'text 2: char tokenizer: character "~"'],
    [() => any().loss("~"), 'char tokenizer: character "~"'],
    [() => tune!(trained, ["a", "~"]), 'the texts, line 2: char tokenizer: character "~"'],
    [
      () => tune!(trained, { train: ["a"], evaluate: ["a", "~"] }),
      'the texts to evaluate on, line 2: char tokenizer: character "~"',
    ],
    [() => any().loss([]), "loss: wanted some texts, got an empty list"],
    [() => any().attention("a", { layer: 0 }), "attention: layer is no option; did you mean layers?"],
    [() => any().nearestTokens("a", 0), "nearestTokens: count is 0; wanted a whole number, 1 or more"],
    [() => any().save(5), "save: to is 5; wanted the path of a new folder"],
    [() => any().save(""), 'save: to is the text ""; wanted the path of a new folder'],
    [() => tune!(trained, 5), "finetune: data is 5; wanted a list of texts"],
    [() => tune!(trained, ["a", 5]), "finetune: data: text 2 is 5; wanted a text"],
    [() => tune!(trained, { train: ["a"], evaluat: ["a"] }), "finetune: data: evaluat is no option; did you mean eval"],
    [() => tune!(trained, NAMES, null), "finetune: settings is null; wanted an object of settings"],
    [() => tune!(trained, NAMES, { maxSteps: Number.NaN }), "finetune: maxSteps is NaN; wanted a whole number"],
    [() => tune!(trained, NAMES, { maxSteps: 5n }), "finetune: maxSteps is the bigint 5; wanted a whole number"],
    [() => tune!(trained, NAMES, { maxSteps: () => 5 }), "finetune: maxSteps is a function; wanted a whole number"],
    [() => tune!(trained, NAMES, { maxSteps: 5, max_steps: 6 }), "maxSteps and max_steps are the same; leave out one"],
    [() => tune!(trained, NAMES, { maxStep: 5 }), "finetune: maxStep is not a setting; did you mean maxSteps?"],
    [
      () => tune!(trained, NAMES, { maxSteps: 1, numTrainEpochs: 1 }),
      "finetune: maxSteps and numTrainEpochs say the same in two ways; leave out one",
    ],
    [
      () => tune!(trained, NAMES, { loadBestModelAtEnd: true }),
      "finetune: loadBestModelAtEnd wants something to evaluate on: give evalSplit 0.1 or { train, evaluate }, or",
    ],
    [
      () => tune!(trained, NAMES, { maskPrompt: true }),
      "finetune: maskPrompt is for tables and JSON lines; this data has no columns",
    ],
    [
      () => tune!(trained, "abcd", QUICK),
      "has 4 tokens, a window of 24 places takes 25; lower nPositions, or give more",
    ],
    [() => tune!(trained, NAMES, { nPositions: 8 }), "finetune: the model has nPositions 24; leave out nPositions"],
    [() => tune!(trained, NAMES, { outputDir: "x" }), "finetune: outputDir is not a setting; it is storage, beside"],
    [() => tune!(trained, NAMES, { lr: 1e-3 }), "finetune: lr is not a setting; it is learningRate here"],
    [() => tune!(trained, "a b.txt"), 'finetune: data is the text "a b.txt"; of a file say { files: "a b.txt" }'],
    [() => tune!(trained, { files: [] }), "finetune: wanted some files, got an empty list"],
    [() => tune!(trained, NAMES, {}, { onevent: {} }), "finetune: onevent is no option; did you mean onEvent?"],
    [
      () => tune!(trained, NAMES, {}, { onEvent: { log() {} } }),
      "finetune: onEvent: log is no option; there are started",
    ],
    [() => tune!(trained, NAMES, {}, { onEvent: { logged: 5 } }), "finetune: onEvent: logged is 5; wanted a function"],
    [() => tune!(fresh(), NAMES), "loadModel or createModel gave, got a promise, which was not awaited"],
  ];
  test.each(cases.map(([call, message]) => [message, call] as const))("%s", async (message, call) => {
    const error = await call().catch((error: unknown) => error);
    expect(error).toBeInstanceOf(UserError);
    expect((error as UserError).message).toContain(message);
  });
});

describe("fine-tuning", () => {
  test("is stopped wherever a call looks at its signal, leaves nothing half, and goes on as before", async () => {
    const files = new Map<string, Uint8Array>();
    await trained.save(files);
    /** Aborted as the call looks at it for the nth time. */
    const abortedAt = (n: number, reason: unknown) => {
      const stop = new AbortController();
      let looks = 0;
      stop.signal.throwIfAborted = () => {
        if (++looks === n) stop.abort(reason);
        AbortSignal.prototype.throwIfAborted.call(stop.signal);
      };
      return stop.signal;
    };
    const place = join(folder, "stopped");
    const storage = memoryFolder();
    const into = new Map<string, Uint8Array>();
    const calls: [call: (signal: AbortSignal) => Promise<unknown>, left: () => Promise<unknown> | unknown][] = [
      [(signal) => half.loss(NAMES, { signal }), () => 0],
      [(signal) => half.nearestTokens(1, 2, { signal }), () => 0],
      [
        (signal) => half.save(place, { signal }),
        () => readdirSync(folder).filter((name) => name.includes("stopped")).length,
      ],
      [(signal) => half.save(storage, { name: "it", signal }), async () => (await storage.list()).length],
      [(signal) => half.save(into, { signal }), () => into.size],
      [(signal) => half.toZip({ signal }), () => 0],
    ];
    let half: Model;
    for (const [call, left] of calls) {
      // In f16 all are read from the files first.
      half = await loadModel(files, { device: "cpu", precision: "f16" });
      const reason = new Error("enough");
      let stopped = 0;
      for (let n = 1; ; n++) {
        const ended = await call(abortedAt(n, reason)).then(
          () => "done",
          (error: unknown) => error,
        );
        if (ended === "done") break;
        expect(ended).toBe(reason);
        expect(await left()).toBe(0);
        stopped++;
      }
      expect(stopped).toBeGreaterThan(2);
      expect(await half.generate("ab")).toBe(await trained.generate("ab"));
      await half.close();
    }
    expect(await readText(storage.folder("it"), "config.json")).toContain("gpt2");
    expect([...into.keys()].sort()).toEqual(readdirSync(place).sort());
    await expect(trained.save(storage, { name: "it" })).rejects.toThrow("exists already");
    await expect(trained.save(storage, { nme: "it" } as object)).rejects.toThrow(
      "save: nme is no option; did you mean name?",
    );
  });

  test("has other calls wait, unless their signal is aborted; none of them is waited for by a listener", async () => {
    const model = await fresh();
    const stop = new AbortController();
    const { signal } = stop;
    const calls: Promise<unknown>[] = [];
    let running = true;
    const began = (): void => {
      calls.push(model.generate("a", { signal }), model.stream("a", { signal }).next());
      calls.push(finetune(model, NAMES, QUICK, { signal }), model.attention("a", { signal }));
      calls.push(model.generate("b", { maxNewTokens: 1 }));
    };
    await finetune(model, NAMES, QUICK, {
      onEvent: {
        stepped: ({ step }) => step === 1 && began(),
        async logged({ step }) {
          if (step !== 4) return;
          stop.abort(new Error("enough"));
          const rejected = await Promise.allSettled(calls.slice(0, 4));
          expect(rejected.map((call) => call.status === "rejected" && call.reason.message)).toEqual(
            new Array(4).fill("enough"),
          );
          expect(running).toBe(true);
          await expect(model.generate("a")).rejects.toThrow("finetune waits for onEvent.logged");
          await expect(model.close()).rejects.toThrow("finetune waits for onEvent.logged");
        },
      },
    });
    running = false;
    expect(await calls[4]).toMatch(/^b/);
  });

  test("computes what a listener that nobody waits for calls, and waits for, once the run is over", async () => {
    const model = await fresh();
    const heard: string[] = [];
    await finetune(model, NAMES, QUICK, {
      onEvent: { stepped: async ({ step }) => void (step === 1 && heard.push(await model.generate("a"))) },
    });
    expect(heard).toEqual([await model.generate("a")]);
    await model.close();
  });

  test("that diverged leaves the model as it was, and one that is not finite has no loss", async () => {
    const model = await fresh();
    const before = await model.loss("a");
    const settings = { ...QUICK, maxSteps: 3, samples: 0 };
    const run = finetune(model, NAMES, { ...settings, learningRate: 1e300 });
    await expect(run).rejects.toThrow(
      /the run\/model was not saved: h\.0\..* holds -?Infinity; .*lower learning rate$/,
    );
    await expect(run).rejects.toMatchObject({ kind: "diverged" });
    expect(await model.loss("a")).toEqual(before);
    await finetune(model, NAMES, { ...settings, learningRate: 1e30 });
    await expect(model.loss("a")).rejects.toThrow("the model's logits are not finite");
  });

  test("that was stopped leaves the model free for calls, whatever a listener still does", async () => {
    const model = await fresh();
    const stop = new AbortController();
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let over = false;
    const sampled = async (): Promise<void> => {
      await expect(model.generate("a")).rejects.toThrow("finetune waits for onEvent.sampled");
      stop.abort();
      await held;
      over = true;
    };
    const settings = { ...QUICK, evalSplit: 0.2, evalSteps: 4 };
    const { reason } = await finetune(model, NAMES, settings, { signal: stop.signal, onEvent: { sampled } });
    expect(reason).toBe("interrupted");
    expect(await model.generate("a", { maxNewTokens: 1 })).toMatch(/^a/);
    expect(over).toBe(false);
    release();
    await model.close();
  });

  test.each(["logged", "stepped", "warned"])("rejects with what a listener's %s rejects with", async (event) => {
    const model = await fresh();
    const onEvent = { [event]: async () => Promise.reject(new Error("mine")) };
    // Idle there, which is warned of.
    const settings = { ...QUICK, evalSteps: 2 };
    await expect(finetune(model, NAMES, settings, { onEvent })).rejects.toThrow("mine");
    expect(await model.generate("a", { maxNewTokens: 1 })).toMatch(/^a/);
  });

  test("of a model that was loaded has transformers' defaults, and keeps what the model brings", async () => {
    const map = new Map<string, Uint8Array>();
    await trained.save(map);
    const model = await loadModel(map, { device: "cpu" });
    open.push(model);
    const storage = memoryFolder("run");
    await finetune(model, NAMES, { maxSteps: 2, samples: 0 }, { storage });
    expect(JSON.parse(await readText(storage, "run.json")).settings).toMatchObject({
      learning_rate: 5e-5,
      per_device_train_batch_size: 8,
      weight_decay: 0,
    });
    await expect(finetune(model, NAMES, { nEmbd: 32 })).rejects.toThrow("the model has nEmbd 16; leave out nEmbd");
    await expect(finetune(await fresh(), NAMES, { nEmbd: 32 })).rejects.toThrow("the model has nEmbd 16");
  });

  test("LoRA trains corrections, and the model then has them", async () => {
    const map = new Map<string, Uint8Array>();
    await trained.save(map);
    const model = await loadModel(map, { device: "cpu" });
    open.push(model);
    const before = await model.loss(NAMES);
    const storage = memoryFolder("run");
    await finetune(model, NAMES, { ...QUICK, loraRank: 2, learningRate: 0.05 }, { storage });
    const after = await model.loss(NAMES);
    expect(after.loss).toBeLessThan(before.loss);
    // Of a model in memory nobody else finds the name; of one on the disk they do.
    const baseOf = async (run: Folder) =>
      JSON.parse(await readText(run.folder("model"), "adapter_config.json")).base_model_name_or_path;
    expect(await baseOf(storage)).toBe(null);
    const disk = nodeFolder(folder);
    await trained.save(disk, "lora-base");
    const placed = await loadModel(disk.folder("lora-base"), { device: "cpu" });
    open.push(placed);
    await finetune(placed, NAMES, { ...QUICK, loraRank: 2 }, { storage: disk.folder("lora-run") });
    expect(await baseOf(disk.folder("lora-run"))).toBe(join(folder, "lora-base"));
    // A path that means something in one directory alone is told from the root on.
    const here = relative(process.cwd(), folder);
    const near = await loadModel(nodeFolder(join(here, "lora-base")), { device: "cpu" });
    open.push(near);
    await finetune(near, NAMES, { ...QUICK, loraRank: 2 }, { storage: join(here, "lora-near") });
    expect(await baseOf(disk.folder("lora-near"))).toBe(join(folder, "lora-base"));
    const recorded = JSON.parse(await readText(disk.folder("lora-near"), "run.json")).settings;
    expect(recorded.model).toBe(join(folder, "lora-base"));
    // Corrections by themselves, beside the model that they are of.
    const again = await loadModel(map, { device: "cpu", adapter: storage.folder("model") });
    expect((await again.loss(NAMES)).loss).toBeCloseTo(after.loss, 6);
    await again.close();
  });

  test("that is stopped goes on in the same storage to the bits of one that never stopped", async () => {
    const settings = { ...QUICK, saveSteps: 5, samples: 0 };
    const whole = memoryFolder("whole");
    await finetune(await fresh(), NAMES, settings, { storage: whole });
    const halves = join(folder, "halves");
    const stop = new AbortController();
    const stopped = await finetune(await fresh(), NAMES, settings, {
      storage: halves,
      signal: stop.signal,
      onEvent: { stepped: ({ step }) => step === 7 && stop.abort(new Error("enough")) },
    });
    expect(stopped.reason).toBe("interrupted");
    const { reason, summary } = await finetune(await fresh(), NAMES, settings, { storage: halves });
    expect([reason, summary.step]).toEqual(["finished", 12]);
    const weights = await whole.folder("model").open("model.safetensors");
    const bytes = new Uint8Array(weights.size);
    await weights.read(0, bytes);
    expect(readFileSync(join(halves, "model", "model.safetensors")).equals(bytes)).toBe(true);
    // More steps, with the model that has come out of the first ones.
    const grown = await fresh();
    const more = memoryFolder("more");
    await finetune(grown, NAMES, { ...settings, maxSteps: 6 }, { storage: more });
    expect((await finetune(grown, NAMES, { ...settings, maxSteps: 9 }, { storage: more })).summary.step).toBe(9);
    // Of one that is done, the model is taken as it is.
    const done = await fresh();
    expect((await finetune(done, NAMES, settings, { storage: halves })).summary.step).toBe(12);
    expect((await done.loss(NAMES)).loss).toBeCloseTo((await trained.loss(NAMES)).loss, 6);
  });

  test("in a storage is loaded from it, as it is kept, and goes on with a model of its own kind alone", async () => {
    const [model, storage, stop] = [await fresh(), memoryFolder("the runs").folder("one"), new AbortController()];
    const loaded = async (lines: string[] = []) => {
      const again = await loadModel(storage, { device: "cpu", onNotice: (line) => lines.push(line) });
      open.push(again);
      return again;
    };
    const stepped = ({ step }: { step: number }) => step === 5 && stop.abort();
    await storage.replace("run.json", "{}");
    await expect(loaded()).rejects.toThrow("the runs/one: this run has saved neither a model nor a checkpoint; go on");
    await storage.remove("run.json");
    await finetune(model, NAMES, QUICK, { storage, signal: stop.signal, onEvent: { stepped } });
    const lines: string[] = [];
    expect((await loaded(lines)).config).toEqual(model.config);
    expect(lines).toEqual([
      expect.stringMatching(/^the runs\/one: has no model yet; .* newest checkpoint, of step \d+$/),
    ]);
    const others = [
      [{ ...SIZES, nLayer: 2 }, NAMES.join(""), "model with nLayer 1, this one has 2; give the one that it began with"],
      [SIZES, NAMES.join("").replaceAll("a", "q"), "model with another vocabulary; give the one that it began with"],
    ] as const;
    for (const finished of [false, true]) {
      if (finished) await finetune(model, NAMES, QUICK, { storage });
      for (const [sizes, characters, message] of others) {
        const other = await createModel(sizes, charTokenizer(characters), { device: "cpu" });
        await expect(finetune(other, ["b"], QUICK, { storage })).rejects.toThrow(`the runs/one: is of a ${message}`);
        await other.close();
      }
    }
    expect(await (await loaded()).loss("a")).toEqual(await model.loss("a"));
  });

  test("tells of settings by the names that a program has for them", async () => {
    const lines: string[] = [];
    const settings = { ...QUICK, maxSteps: 1, samples: 0, saveSteps: 0, saveTotalLimit: 1, evalOnStart: true };
    await finetune(await fresh(), NAMES, settings, { onEvent: { warned: (line) => void lines.push(line) } });
    expect(lines).toEqual([
      "evalOnStart does nothing without evalSplit or { train, evaluate }",
      "saveTotalLimit does nothing with saveSteps 0",
    ]);
    // A command is to be typed, and a flag of other programs is no setting.
    const words = "unpack it: gunzip -c a.gz | gpt2 train --data -; or iconv --verbose, or say --data-format jsonl";
    expect(asProgram(words)).toBe(words.replace("--data-format", "dataFormat"));
    // Nor is a part of a path, or of a value.
    const paths =
      'my--data.txt: empty; /tmp/--model/x: not there; "a --datab" is no column; give --max-steps, or (--data).';
    expect(asProgram(paths)).toBe(paths.replace("--max-steps", "maxSteps").replace("(--data)", "(data)"));
  });

  test("a model that is wider than usual has heads of 64 columns, as on the command line", async () => {
    const heads = async (nEmbd: number) =>
      (await createModel({ nEmbd, nLayer: 1 }, "byte", { device: "cpu" })).config.heads;
    expect(await Promise.all([128, 256, 320, 768].map(heads))).toEqual([4, 4, 5, 12]);
  });

  test("the types of settings have both spellings and all other names, and no more", () => {
    const spelt: FinetuneSettings = { weightDecay: 0.1, adam_beta1: 0.8, early_stopping_patience: 2 };
    const others: FinetuneSettings = { block_size: 8, batch_size: 2, gradient_checkpointing: true, lora_r: 4 };
    expect(Object.keys(others)).toEqual(
      expect.arrayContaining(Object.values(SETTINGS).flatMap(({ aliases }) => aliases)),
    );
    for (const name of [...Object.keys(spelt), ...Object.keys(others)])
      expect(PROGRAM_NAMES.has(name), name).toBe(true);
  });

  test("one long text is trained on in windows; files by their paths; bad settings are named", async () => {
    const model = await fresh();
    await finetune(model, NAMES.join("").repeat(3), { ...QUICK, maxSteps: 3 });
    const path = join(folder, "names.txt");
    writeFileSync(path, `${NAMES.join("\n")}\n`);
    await finetune(model, { files: path }, { ...QUICK, maxSteps: 3 });
    await finetune(model, new Blob([`${NAMES.join("\n")}\n`]), { ...QUICK, maxSteps: 3, dataFormat: "txt" });
    // @ts-expect-error no setting
    await expect(finetune(model, NAMES, { learningRat: 1 })).rejects.toThrow(/^finetune: learningRat is not a setting/);
    // @ts-expect-error no setting
    await expect(finetune(model, NAMES, { fp16: true })).rejects.toThrow("precision");
    await expect(finetune(model, NAMES, { learningRate: -1 })).rejects.toThrow("wanted a number, 0 or more");
    await expect(finetune(model, [])).rejects.toThrow("got an empty list");
    // @ts-expect-error no setting
    await expect(finetune(model, NAMES, { model: "gpt2" })).rejects.toThrow("model is no setting here");
    const storage = memoryFolder("full");
    await storage.replace("notes.txt", "mine");
    await expect(finetune(model, NAMES, QUICK, { storage })).rejects.toThrow("full: holds other things");
  });
});
