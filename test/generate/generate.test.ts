import { describe, expect, test } from "vitest";
import { relativeL2 } from "../../src/autograd/gradcheck.ts";
import { createTape } from "../../src/autograd/tape.ts";
import { DeviceLostError } from "../../src/core/errors.ts";
import { logSoftmax } from "../../src/core/processors.ts";
import { beamSearch, type Hypothesis } from "../../src/generate/beams.ts";
import { createDecoder, type DecodeRow, type Decoder } from "../../src/generate/decoder.ts";
import { createGenerator, type Generated, type Generator, type SequenceResult } from "../../src/generate/generate.ts";
import { generationOptions } from "../../src/generate/option-elsewhere.ts";
import { packStep } from "../../src/kernels/step.ts";
import { ARENA, writeArena } from "../../src/model/arena.ts";
import { decodeStatesOf } from "../../src/model/decode.ts";
import { declareInputs, gpt2Logits, gpt2Trunk } from "../../src/model/gpt2.ts";
import { declareParameters, layoutParameters } from "../../src/model/parameters.ts";
import { createCpuRuntime } from "../../src/runtime/cpu.ts";
import { OutOfMemory } from "../../src/runtime/out-of-memory.ts";
import type { Program, Runtime } from "../../src/runtime/runtime.ts";
import { byteTokenizer } from "../../src/text/byte.ts";
import { testDrivers } from "../support/drivers.ts";
import { testAdapters } from "../support/gpu.ts";
import { smallConfig, smallLayout, smallRuntime } from "../support/small-model.ts";

const everywhere = ["CPU", ...testDrivers] as const;
const V = smallConfig.vocabSize;
const T = smallConfig.contextLength;
const END = V - 1;
const sampling = { doSample: true, topK: 0, maxNewTokens: 50, seed: 1 };

async function withGenerator<R>(adapter: (typeof everywhere)[number], use: (generator: Generator) => Promise<R>) {
  const runtime = await smallRuntime(adapter);
  const generator = createGenerator(runtime, smallConfig, smallLayout);
  try {
    return await use(generator);
  } finally {
    generator.dispose();
    runtime.close();
  }
}

/** Logits [T, V] of a whole sequence at once, without a cache. */
async function uncachedLogits(runtime: Runtime, ids: number[]): Promise<ArrayLike<number>> {
  const tape = createTape();
  const parameters = declareParameters(tape, smallLayout);
  const shape = { batch: 1, context: ids.length };
  const inputs = declareInputs(tape, shape, false);
  const hidden = gpt2Trunk(smallConfig, parameters, inputs, shape, false);
  tape.output("logits", gpt2Logits(smallConfig, parameters, hidden));
  const program = await runtime.compile(tape);
  const tokens = Uint32Array.from(ids);
  const step = packStep({ seed: 0, step: 0, learningRate: 0, lossScale: 1 });
  const given = { tokens, positions: tokens.map((_, i) => i), lengths: Uint32Array.of(ids.length), step };
  return (await program.run(given)).logits!;
}

test.each(everywhere)(
  "%s: a cached decode equals the uncached forward, token by token, over the whole context",
  async (adapter) => {
    const runtime = await smallRuntime(adapter);
    const sequences = [3, 1, 17].map((length, row) => ({
      prompt: Array.from({ length }, (_, i) => (i * 7 + row) % V),
      ids: Array.from({ length: T }, (_, i) => (i * 7 + row) % V),
    }));
    const decoder = createDecoder(runtime, smallConfig, smallLayout);
    // a second row for the first prompt, which reads its past from the first row
    const rows = [sequences[0]!, ...sequences].map(({ prompt }) => ({ prompt, least: 0, most: T }));
    const session = await decoder.logits(rows);
    const all = [sequences[0]!, ...sequences];
    const wanted = await Promise.all(all.map(({ ids }) => uncachedLogits(runtime, ids)));
    let logits = session.first;
    let [worst, compared] = [0, 0];
    for (let step = 0; step < T; step++) {
      all.forEach(({ prompt }, row) => {
        const at = prompt.length + step;
        if (at > T) return;
        compared++;
        const got = Array.prototype.slice.call(logits, row * V, (row + 1) * V);
        worst = Math.max(worst, relativeL2(got, Array.prototype.slice.call(wanted[row]!, (at - 1) * V, at * V)));
      });
      const position = all.map(({ prompt }) => Math.min(prompt.length + step, T - 1));
      const tokens = Uint32Array.from(all, ({ ids }, row) => ids[position[row]!]!);
      logits = await session.next(tokens, Uint32Array.from(position));
    }
    expect(worst).toBeLessThanOrEqual(2e-6);
    expect(compared).toBe(all.reduce((sum, { prompt }) => sum + T - prompt.length + 1, 0));
    // On a device they are other kernels, which round in another order; the CPU sums both in float64.
    if (adapter !== "CPU") expect(worst).toBeGreaterThan(0);
    runtime.close();
  },
);

test.each(everywhere)(
  "%s: ids that the tokenizer lacks are never drawn, whichever way they are chosen",
  async (adapter) => {
    // The model has 11 rows, the tokenizer 7 ids, one of which stands for nothing.
    const tokenizer = { bytes: () => new Uint8Array(0), vocabSize: 7, missingIds: [4] };
    await withGenerator(adapter, async (generator) => {
      const prompts = [[1], [2, 3], [5]];
      const ways = [{}, { doSample: true, topK: 0, seed: 3 }, { doSample: true, topK: 4, seed: 4 }, { numBeams: 3 }];
      for (const way of ways) {
        const options = { ...way, maxNewTokens: 12, eosTokenId: null };
        const all = (found: Generated[]): number[] => found.flatMap(({ ids }) => [...ids]);
        const ids = all(await generator.generate(prompts, { ...options, tokenizer }));
        expect(ids).toHaveLength(36);
        expect(ids.every((id) => id < 7 && id !== 4)).toBe(true);
        const without = all(await generator.generate(prompts, options));
        expect(without.some((id) => id >= 7 || id === 4)).toBe(true);
      }
      // An end token among them ends nothing.
      const [one] = await generator.generate([[1]], { maxNewTokens: 12, tokenizer });
      expect(one).toMatchObject({ stopped: "length" });
    });
  },
);

test("the same seed gives the same text on the CPU and on every driver", async () => {
  const prompts = [[1], [2, 3, 4], [5], [END]];
  const options = { ...sampling, topP: 0.95, temperature: 0.9, repetitionPenalty: 1.1, numReturnSequences: 3 };
  const texts: Generated[][] = [];
  for (const adapter of everywhere) texts.push(await withGenerator(adapter, (g) => g.generate(prompts, options)));
  for (const text of texts) expect(text).toEqual(texts[0]);
  expect(new Set(texts[0]!.map(({ ids }) => ids.join())).size).toBeGreaterThan(8);
});

test.each(testAdapters)(
  "%s: rows that do not fit one binding are computed in groups, to the same texts",
  async (adapter) => {
    const options = { ...sampling, numReturnSequences: 10, maxNewTokens: 20 };
    const prompts = [[1, 2, 3], [4]];
    const wanted = await withGenerator(adapter, (generator) => generator.generate(prompts, options));
    const runtime = await smallRuntime(adapter, { maxBindingBytes: 65536 });
    const generator = createGenerator(runtime, smallConfig, smallLayout);
    const rows = new Array(20).fill({ prompt: [1], least: 0, most: 30 });
    expect(await createDecoder(runtime, smallConfig, smallLayout).fit(rows, { sampling: options })).toBeLessThan(10);
    expect(await generator.generate(prompts, options)).toEqual(wanted);
    const beams = { numBeams: 4, maxNewTokens: 20 };
    const [first] = await generator.generate([[1, 2, 3]], beams);
    expect((await generator.generate([[4], [1, 2, 3]], beams))[1]!.ids).toEqual(first!.ids);
    generator.dispose();
    runtime.close();
  },
);

describe.each(everywhere)("generation on %s", (adapter) => {
  test("says why each sequence stopped, and never passes the context", async () => {
    await withGenerator(adapter, async (generator) => {
      const results = await generator.generate([[END]], { ...sampling, numReturnSequences: 20 });
      expect(results).toHaveLength(20);
      for (const { ids, stopped, endId } of results) {
        expect(ids).not.toContain(END);
        if (stopped === "context") expect(ids.length).toBe(T - 1);
        else expect({ stopped, endId }).toEqual({ stopped: "end", endId: END });
      }
      const [endless] = await generator.generate([[1, 2]], { ...sampling, eosTokenId: null });
      expect(endless).toMatchObject({ stopped: "context", ids: { length: T - 2 } });
      const [short] = await generator.generate([[1, 2]], { ...sampling, eosTokenId: null, maxNewTokens: 4 });
      expect(short).toMatchObject({ stopped: "length", ids: { length: 4 } });
      const [long] = await generator.generate([[1, 2]], {
        ...sampling,
        maxNewTokens: undefined,
        maxLength: 7,
        minLength: 7,
      });
      expect(long!.ids.length).toBeGreaterThanOrEqual(4);
    });
  });

  test("a seed decides the text; a row does not depend on the rows beside it", async () => {
    await withGenerator(adapter, async (generator) => {
      const many = await generator.generate([[1], [2, 3, 4], [5]], sampling);
      expect(await generator.generate([[1], [2, 3, 4], [5]], sampling)).toEqual(many);
      expect(await generator.generate([[1]], sampling)).toEqual([many[0]]);
      expect(await generator.generate([[1], [2, 3, 4], [5]], { ...sampling, seed: 2 })).not.toEqual(many);
    });
  });

  test("a stream gives the same tokens one by one, and stops where the caller does", async () => {
    await withGenerator(adapter, async (generator) => {
      const options = { ...sampling, eosTokenId: null, logProbabilities: true };
      const [whole] = await generator.generate([[1, 2]], options);
      const ids: number[] = [];
      for await (const { id, logProbability } of generator.stream([1, 2], options)) {
        expect(logProbability).toBe(whole!.logProbabilities![ids.length]);
        ids.push(id);
      }
      expect(ids).toEqual(whole!.ids);
      for await (const { id } of generator.stream([1, 2], options)) {
        expect(id).toBe(ids[0]);
        break;
      }
      const abort = new AbortController();
      const aborted = (async () => {
        for await (const _ of generator.stream([1, 2], options, abort.signal)) abort.abort(new Error("enough"));
      })();
      await expect(aborted).rejects.toThrow("enough");
      // and is free again
      expect(await generator.generate([[1, 2]], options)).toEqual([whole]);
    });
  });
});

describe.each(everywhere)("of several sequences on %s", (adapter) => {
  const options = { ...sampling, temperature: 0.5, minP: 0.2, topLogProbabilities: 4, logProbabilities: true };

  test("the likeliest tokens of each place are the model's own, whatever the rules are, and the end token has its place", async () => {
    const runtime = await smallRuntime(adapter);
    const generator = createGenerator(runtime, smallConfig, smallLayout);
    const results = await generator.generate([[1, 2], [END]], { ...options, numReturnSequences: 2 });
    expect(results.some(({ stopped }) => stopped === "end")).toBe(true);
    for (const [i, { ids, endId, logProbabilities, topLogProbabilities }] of results.entries()) {
      const all = [...(i < 2 ? [1, 2] : [END]), ...ids, ...(endId === undefined ? [] : [endId])];
      const first = i < 2 ? 2 : 1;
      expect(topLogProbabilities).toHaveLength(all.length - first);
      const logits = await uncachedLogits(runtime, all);
      for (const [place, top] of topLogProbabilities!.entries()) {
        const at = first + place - 1;
        const wanted = logSoftmax(Array.prototype.slice.call(logits, at * V, (at + 1) * V));
        const best = Array.from(wanted.keys()).sort((a, b) => wanted[b]! - wanted[a]!);
        expect(top.map(({ id }) => id)).toEqual(best.slice(0, 4));
        for (const { id, logProbability } of top) expect(logProbability).toBeCloseTo(wanted[id]!, 4);
        const chosen = top.find(({ id }) => id === all[first + place]);
        if (chosen) expect(chosen.logProbability).toBe(logProbabilities![place]);
      }
    }
    generator.dispose();
    runtime.close();
  });

  test("tokens come as they are made, of all sequences at once, and are those of generate", async () => {
    await withGenerator(adapter, async (generator) => {
      const tokenizer = { bytes: (id: number) => Uint8Array.of(97 + id) };
      const wanted = { ...options, tokenizer, numReturnSequences: 2, maxNewTokens: 12 };
      const whole = await generator.generate([[1, 2], [3]], wanted);
      const came = whole.map(() => ({ ids: [] as number[], text: "", top: [] as unknown[] }));
      const order: number[] = [];
      const tokens = generator.streamAll([[1, 2], [3]], wanted);
      for (;;) {
        const { done, value } = await tokens.next();
        if (done) {
          expect(value).toEqual(whole);
          break;
        }
        const { sequence, id, text, topLogProbabilities } = value;
        order.push(sequence);
        came[sequence]!.ids.push(id);
        came[sequence]!.text = text!;
        came[sequence]!.top.push(topLogProbabilities);
      }
      for (const [i, { ids, text, topLogProbabilities }] of whole.entries())
        expect(came[i]).toEqual({ ids, text, top: topLogProbabilities!.slice(0, ids.length) });
      // The last sequence has begun before the first is over.
      expect(order.indexOf(3)).toBeLessThan(order.lastIndexOf(0));
    });
  });
});

describe("what has ended is given though a sequence before it has not", () => {
  const eosTokenId = null;
  /** Of 12 tokens in all the first prompt and the last lack 2, the others 11. */
  const prompts = [[1, 2, 3, 4, 5, 6, 7, 8, 9, 1], [1], [2], [3, 2, 1, 3, 2, 1, 3, 2, 1, 3]];

  async function given(results: AsyncIterable<SequenceResult>, message: string | RegExp): Promise<SequenceResult[]> {
    const came: SequenceResult[] = [];
    const read = async (): Promise<void> => {
      for await (const one of results) came.push(one);
    };
    await expect(read()).rejects.toThrow(message);
    return came;
  }

  test.each([
    { maxLength: 12, eosTokenId },
    { maxLength: 12, eosTokenId, doSample: true, seed: 3, numReturnSequences: 2 },
    { maxLength: 12, eosTokenId, numBeams: 3, numReturnSequences: 2 },
  ])("once it is stopped, and generation is free again: %j", async (options) => {
    const runtime = await smallRuntime("CPU");
    const abort = new AbortController();
    let left = Number.POSITIVE_INFINITY;
    const stopping: Runtime = {
      ...runtime,
      async compile(tape) {
        const program = await runtime.compile(tape);
        return {
          ...program,
          async run(inputs) {
            if (--left === 0) abort.abort(new Error("enough"));
            return program.run(inputs);
          },
        };
      },
    };
    const generator = createGenerator(stopping, smallConfig, smallLayout);
    const whole = await generator.generate(prompts, options);
    left = 8;
    const came = await given(generator.results(prompts, options, abort.signal), "enough");
    const each = whole.length / prompts.length;
    const ended = [...whole.keys()].filter((i) => i < each || i >= 3 * each);
    expect(came).toEqual(ended.map((sequence) => ({ ...whole[sequence], sequence })));
    expect(await generator.generate(prompts, options)).toEqual(whole);
    runtime.close();
  });

  test("where logits are not finite", async () => {
    const runtime = await smallRuntime("CPU");
    const at = smallLayout.entries.find(({ name }) => name === "wpe.weight")!.offset + 9 * smallConfig.width;
    writeArena(runtime, smallLayout, ARENA.parameters, Float32Array.of(Number.POSITIVE_INFINITY), at);
    const generator = createGenerator(runtime, smallConfig, smallLayout);
    const badWordsIds = Array.from({ length: V }, (_, id) => [3, id]); // nothing may follow 3
    const results = generator.results([[1], [3]], { badWordsIds, eosTokenId, maxNewTokens: 20 });
    const came = await given(results, /not finite/);
    expect(came).toEqual([{ ids: [], stopped: "rules", sequence: 1 }]);
    runtime.close();
  });
});

test("log-probabilities are the model's own, whatever the rules are", async () => {
  const runtime = await smallRuntime("CPU");
  const generator = createGenerator(runtime, smallConfig, smallLayout);
  const options = { ...sampling, temperature: 0.3, eosTokenId: null, logProbabilities: true };
  const [result] = await generator.generate([[1, 2]], options);
  const ids = [1, 2, ...result!.ids];
  const logits = await uncachedLogits(runtime, ids);
  result!.logProbabilities!.forEach((got, i) => {
    const row = Array.prototype.slice.call(logits, (i + 1) * V, (i + 2) * V) as number[];
    const wanted = row[ids[i + 2]!]! - Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0));
    expect(got).toBeCloseTo(wanted, 4);
  });
});

test("stop strings end a sequence, even across tokens, and are left out", async () => {
  // ids as letters: a = 0, b = 1, ...
  const tokenizer = { bytes: (id: number) => Uint8Array.of(97 + id) };
  await withGenerator("CPU", async (generator) => {
    const options = { ...sampling, eosTokenId: null, tokenizer };
    const [plain] = await generator.generate([[1]], options);
    const stop = plain!.text!.slice(5, 8);
    const at = plain!.text!.indexOf(stop);
    const [stopped] = await generator.generate([[1]], { ...options, stopStrings: ["zzz", stop] });
    expect(stopped).toMatchObject({
      stopped: "stop",
      text: plain!.text!.slice(0, at),
      ids: plain!.ids.slice(0, at + 3),
    });
  });
  expect(byteTokenizer().bytes(97)).toEqual(Uint8Array.of(97));
});

test("beams of unequal prompts are what each prompt gives alone", async () => {
  await withGenerator("CPU", async (generator) => {
    const options = { numBeams: 3, numReturnSequences: 2, maxNewTokens: 30 };
    const together = await generator.generate([[1], [2, 3, 4, 5, 6, 7, 8], [5, 5]], options);
    const alone: Generated[] = [];
    for (const prompt of [[1], [2, 3, 4, 5, 6, 7, 8], [5, 5]])
      alone.push(...(await generator.generate([prompt], options)));
    expect(together.map(({ ids }) => ids)).toEqual(alone.map(({ ids }) => ids));
    expect(together[0]!.score).toBeGreaterThanOrEqual(together[1]!.score!);
  });
});

test("beams are the best of all candidates, of equal ones the first, however many there are", async () => {
  const [vocabSize, contextLength, width, steps] = [700, 8, 24, 3];
  /** Few distinct logits, so that many candidates are equally probable. */
  const logitsOf = (ids: readonly number[]): Float32Array =>
    Float32Array.from({ length: vocabSize }, (_, id) => ((id * 37 + ids.reduce((a, b) => a * 31 + b, 7)) % 11) / 4);
  const rowsOf = (all: readonly (readonly number[])[]): Float32Array =>
    Float32Array.from(all.flatMap((ids) => [...logitsOf(ids)]));
  let past: number[][] = [];
  const decoder = {
    precision: "f32",
    async logits(rows: readonly DecodeRow[]) {
      past = rows.map(({ prompt }) => [...prompt]);
      const table = new Uint32Array(rows.length * contextLength);
      const cache = new Map<string, number>();
      return {
        first: rowsOf(past),
        table,
        places: contextLength,
        async next(tokens: Uint32Array, positions: Uint32Array) {
          tokens.forEach((token, row) => void cache.set(`${row} ${positions[row]}`, token));
          past = past.map((_, row) => [
            1,
            ...Array.from(
              { length: positions[row]! },
              (_, i) => cache.get(`${table[row * contextLength + i + 1]} ${i + 1}`)!,
            ),
          ]);
          return rowsOf(past);
        },
      };
    },
  } as unknown as Decoder;
  const options = generationOptions(
    { numBeams: width, maxNewTokens: steps, eosTokenId: null },
    { ...smallConfig, vocabSize },
  );
  const prompt = [1];
  const rows = [{ prompt, least: 0, most: 1 + steps }];
  let found: readonly Hypothesis[] | undefined;
  for await ([found] of beamSearch(decoder, rows, options, { vocabSize, contextLength }));

  let wanted = [{ ids: prompt, score: 0 }];
  for (let step = 0; step < steps; step++) {
    const all = wanted.flatMap(({ ids, score }) =>
      Array.from(logSoftmax(logitsOf(ids)), (more, id) => ({ ids: [...ids, id], score: score + more })),
    );
    wanted = all.sort((a, b) => b.score - a.score).slice(0, width);
  }
  expect(found!.map(({ ids }) => ids)).toEqual(wanted.map(({ ids }) => ids));
});

describe.each(everywhere)("%s: where the rules leave no token", (adapter) => {
  const ids = Array.from({ length: V }, (_, id) => id);
  /** Nothing may follow 3. */
  const badWordsIds = ids.map((id) => [3, id]);

  test("a sequence ends with what it has, and others go on", async () => {
    await withGenerator(adapter, async (generator) => {
      const options = { badWordsIds, eosTokenId: null, doSample: true, topK: 0, seed: 2, maxNewTokens: 12 };
      const prompts = [[3], ...ids.map((id) => [(id * 5) % 3, id])];
      const all = await generator.generate(prompts, { ...options, logProbabilities: true, topLogProbabilities: 2 });
      expect(all[0]).toMatchObject({ ids: [], stopped: "rules", logProbabilities: [], topLogProbabilities: [] });
      expect(new Set(all.map(({ stopped }) => stopped))).toEqual(new Set(["rules", "length"]));
      for (const [i, { ids, stopped, logProbabilities, topLogProbabilities }] of all.entries()) {
        const whole = [...prompts[i]!, ...ids];
        expect(whole.indexOf(3)).toBe(
          stopped === "rules" ? whole.length - 1 : ids.length === 12 ? whole.indexOf(3) : -1,
        );
        expect(logProbabilities).toHaveLength(ids.length);
        expect(topLogProbabilities).toHaveLength(ids.length);
      }
      const long = all.findIndex(({ ids, stopped }) => stopped === "rules" && ids.length > 1);
      const tokens = generator.streamAll(prompts, options);
      const streamed: number[] = [];
      for (;;) {
        const next = await tokens.next();
        if (!next.done && next.value.sequence === long) streamed.push(next.value.id);
        if (next.done) break;
      }
      expect(streamed).toEqual(all[long]!.ids);
    });
  });

  test("beams never have what is forbidden, and give what there is", async () => {
    await withGenerator(adapter, async (generator) => {
      const only5 = { badWordsIds: ids.filter((id) => id !== 5).map((id) => [id]), noRepeatNgramSize: 2 };
      const options = { ...only5, eosTokenId: null, numBeams: 4, maxNewTokens: 8 };
      const found = await generator.generate([[1], [3, 4]], { ...options, numReturnSequences: 3 });
      expect(found).toHaveLength(6);
      for (const one of found) expect(one).toMatchObject({ ids: [5, 5], stopped: "rules" });
      // One that may end counts before those that may not go on.
      const ends = { badWordsIds, eosTokenId: 0, numBeams: 3, numReturnSequences: 3, maxNewTokens: 8 };
      const [stuck] = await generator.generate([[3]], ends);
      expect(stuck).toMatchObject({ ids: [], stopped: "rules" });
      const others = await generator.generate([[1], [2], [4]], ends);
      for (const { ids } of others) expect(ids.slice(0, -1)).not.toContain(3);
    });
  });
});

test("tokens that came before logits that are not finite are given, and a text that had stopped by then is whole", async () => {
  const runtime = await smallRuntime("CPU");
  const at = smallLayout.entries.find(({ name }) => name === "wpe.weight")!.offset + 9 * smallConfig.width;
  writeArena(runtime, smallLayout, ARENA.parameters, Float32Array.of(Number.POSITIVE_INFINITY), at);
  const generator = createGenerator(runtime, smallConfig, smallLayout);
  const came: number[] = [];
  const read = async (): Promise<void> => {
    for await (const { id } of generator.stream([1, 2], { eosTokenId: null })) came.push(id);
  };
  await expect(read()).rejects.toThrow(/not finite/);
  expect(came).toHaveLength(8);
  const bytes = { bytes: (id: number) => Uint8Array.of(97 + id) };
  const stopStrings = [String.fromCharCode(97 + came[6]!)];
  const [text] = await generator.generate([[1, 2]], { eosTokenId: null, tokenizer: bytes, stopStrings });
  expect(text).toMatchObject({ stopped: "stop", ids: came.slice(0, 1 + came.indexOf(came[6]!)) });
  runtime.close();
});

describe("memory", () => {
  /** A runtime whose programs may have no more bytes of caches than so many, and what they hold. */
  async function tightRuntime(most: number) {
    const runtime = await smallRuntime("CPU");
    const held = new Map<string, number>();
    let highest = 0;
    const bytes = (): number => [...held.values()].reduce((sum, one) => sum + one, 0);
    const tight: Runtime = {
      ...runtime,
      async compile(tape) {
        const made = [...decodeStatesOf(tape)].filter(([name]) => !held.has(name));
        for (const [name, size] of made) held.set(name, size);
        if (bytes() > most) {
          for (const [name] of made) held.delete(name);
          throw new OutOfMemory("no memory; use a smaller batch");
        }
        highest = Math.max(highest, bytes());
        return runtime.compile(tape);
      },
      dropState(name) {
        held.delete(name);
        runtime.dropState(name);
      },
    };
    return { runtime: tight, bytes, highest: () => highest };
  }

  test("batches that the device has no memory for are made smaller, to the same texts", async () => {
    const options = { ...sampling, numReturnSequences: 30, maxNewTokens: 20 };
    const beams = { numBeams: 3, numReturnSequences: 2, maxNewTokens: 20 };
    const prompts = [[1, 2, 3], [4], [2, 2]];
    const wanted = await withGenerator("CPU", async (generator) => [
      await generator.generate(prompts, options),
      await generator.generate(prompts, beams),
    ]);
    const { runtime, highest } = await tightRuntime(70_000);
    const generator = createGenerator(runtime, smallConfig, smallLayout);
    expect([await generator.generate(prompts, options), await generator.generate(prompts, beams)]).toEqual(wanted);
    expect(highest()).toBeGreaterThan(35_000);
    const tokens = generator.streamAll(prompts, options);
    const streamed: number[][] = wanted[0]!.map(() => []);
    for await (const { sequence, id } of tokens) streamed[sequence]!.push(id);
    expect(streamed).toEqual(wanted[0]!.map(({ ids }) => ids));

    await expect(generator.generate([[1]], { numBeams: 64, maxNewTokens: 20 })).rejects.toMatchObject({
      kind: "memory",
      message: "numBeams is 64: more than the memory has room for (CPU float32); 8 would fit",
    });
    const none = createGenerator((await tightRuntime(11_000)).runtime, smallConfig, smallLayout);
    await expect(none.generate([[1, 2]], { maxNewTokens: 38 })).rejects.toMatchObject({
      kind: "memory",
      message: "generate: there is no memory for a sequence of 40 tokens (CPU float32); maxNewTokens 19 would fit",
    });
    const nothing = createGenerator((await tightRuntime(100)).runtime, smallConfig, smallLayout);
    await expect(nothing.generate([[1, 2]])).rejects.toThrow("use a shorter prompt or a smaller model");
  });

  test("a device that is lost while it is looked for what would fit is told of, and not a want of memory", async () => {
    const { runtime } = await tightRuntime(100);
    let refused = 0;
    const lost: Runtime = {
      ...runtime,
      compile: (tape) =>
        runtime.compile(tape).catch((error) => {
          // Both plans, and both once more when all others are gone; then it looks for less.
          throw ++refused <= 4 ? error : new DeviceLostError("the device was lost");
        }),
    };
    const generator = createGenerator(lost, smallConfig, smallLayout);
    await expect(generator.generate([[1, 2]], { maxNewTokens: 38 })).rejects.toBeInstanceOf(DeviceLostError);
  });

  test("caches of other sizes are kept up to a bound, and dropped with their plans", async () => {
    const config = { ...smallConfig, contextLength: 1024, width: 256, layers: 2 };
    const held = new Map<string, number>();
    let live = 0;
    const stub: Runtime = {
      ...createCpuRuntime(),
      async compile(tape) {
        live++;
        for (const [name, size] of decodeStatesOf(tape)) held.set(name, size);
        return { run: async () => ({}), dispose: () => void live-- } as unknown as Program;
      },
      dropState: (name) => void held.delete(name),
    };
    const decoder = createDecoder(stub, config, layoutParameters(config));
    const total = (): number => [...held.values()].reduce((sum, one) => sum + one, 0);
    const sizes: number[] = [];
    for (let count = 1; count <= 40; count++) {
      await decoder.fit(new Array(count).fill({ prompt: [1], least: 0, most: 1024 }), {});
      sizes.push(total());
    }
    const own = 4 * 2 * 2 * 256 * 1024;
    for (const [i, size] of sizes.entries()) {
      expect(size).toBeGreaterThanOrEqual((i + 1) * own);
      expect(size).toBeLessThanOrEqual((i + 1) * own + 2 ** 28);
    }
    expect(sizes[3]).toBe((1 + 2 + 3 + 4) * own); // small ones stay
    decoder.dispose();
    await new Promise((resolve) => setTimeout(resolve));
    expect([total(), live]).toEqual([0, 0]);
  });
});
