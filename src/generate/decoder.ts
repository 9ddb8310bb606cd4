import type { Tape } from "../autograd/tape.ts";
import type { Format, NumericArray } from "../core/dtype.ts";
import { UserError } from "../core/errors.ts";
import { largest } from "../core/extremes.ts";
import { COLUMN, FINISHED, packSettings, rowStride, type SampleSettings } from "../kernels/sample-settings.ts";
import type { Gpt2Config } from "../model/config.ts";
import { type DecodeShape, decodeState, decodeStatesOf, usualCache } from "../model/decode.ts";
import type { ParameterLayout } from "../model/parameters.ts";
import { OutOfMemory } from "../runtime/out-of-memory.ts";
import { disposeAll, type Program, type Runtime, type Tensors } from "../runtime/runtime.ts";
import { type DecodeRow, decodePlansOf, decodeTapes, type Prompt, rowsThatFit } from "./decode-plans.ts";

export type { DecodeRow } from "./decode-plans.ts";

/** A token that may come, under the model: log(softmax(logits)), before any rule changed them. */
export interface TokenLogProbability {
  readonly id: number;
  readonly logProbability: number;
}

/** What the device has made of a row so far. */
export interface RowState {
  /** Prompt and output, an end token included. */
  readonly ids: readonly number[];
  /** Log-probabilities of the output. */
  readonly logProbabilities: readonly number[];
  /** Of each place of the output the likeliest tokens, the likeliest first; empty where none are kept. */
  readonly top: readonly (readonly TokenLogProbability[])[];
  /** One of `FINISHED`. */
  readonly finished: number;
}

/** Logits [B, V] of the rows, step by step, for a search that chooses on the CPU. */
export interface LogitsSession {
  /** After the prompts. */
  readonly first: NumericArray;
  /**
   * After one more token of each row, at `positions`; position t of row b's past was computed in row table[b, t] of the
   * cache, where row b's own token is put by this call.
   */
  next(tokens: Uint32Array<ArrayBuffer>, positions: Uint32Array<ArrayBuffer>): Promise<NumericArray>;
  readonly table: Uint32Array<ArrayBuffer>;
  readonly places: number;
}

export interface SampleRules extends Partial<SampleSettings> {
  /** Likeliest tokens that are kept of each place. */
  readonly topLogProbabilities?: number;
}

/** What is wanted of rows. */
export interface DecodeWish {
  /** Undefined where logits are wanted. */
  readonly sampling?: SampleRules | undefined;
  /** Of keys and values; `usualCache` where absent. */
  readonly cache?: Format | undefined;
}

/** Computes prompts once, then one token of every row at a time, from a cache of keys and values. */
export interface Decoder {
  /** Of weights. */
  readonly precision: Format;
  /**
   * Makes ready for as many of the first of `rows` as fit the device in one batch, in whole `unit`s, and gives how many. Throws `OutOfMemory`
   * where not one unit fits.
   */
  fit(rows: readonly DecodeRow[], wish: DecodeWish, unit?: number): Promise<number>;
  /** Samples every row to its end, a few tokens at a time without waiting for the host; gives all rows' states. */
  sample(
    rows: readonly DecodeRow[],
    wish: DecodeWish & { readonly sampling: SampleRules },
    signal?: AbortSignal,
  ): AsyncGenerator<RowState[]>;
  logits(rows: readonly DecodeRow[], wish?: Pick<DecodeWish, "cache">): Promise<LogitsSession>;
  dispose(): void;
}

/** Tokens queued between two looks at what came out: doubled while they take less than FAST, halved above SLOW. */
const MOST_QUEUED = 32;
const [FAST_MS, SLOW_MS] = [40, 160];

/** Bytes of caches for batches of other sizes than the newest that are kept in case they come again. */
const KEPT_BYTES = 256 * 2 ** 20;

/** Decoders that there were on a runtime: each has states of its own, which it may drop. */
const DECODERS = new WeakMap<Runtime, number>();

/** A plan, and the bytes of its states but the weights. */
interface KeptPlan {
  readonly program: Promise<Program>;
  readonly states: ReadonlyMap<string, number>;
}

export function createDecoder(runtime: Runtime, config: Gpt2Config, layout: ParameterLayout): Decoder {
  /** Those used last are last. */
  const plans = new Map<string, KeptPlan>();
  const { precision = "f32" } = layout;
  const owner = DECODERS.get(runtime) ?? 0;
  DECODERS.set(runtime, owner + 1);

  function compile(key: string, tapeOf: () => Tape): Promise<Program> {
    const known = plans.get(key);
    const plan = known ?? planOf(tapeOf());
    plans.delete(key);
    plans.set(key, plan);
    return plan.program;
  }

  function planOf(tape: Tape): KeptPlan {
    return { program: runtime.compile(tape), states: decodeStatesOf(tape) };
  }

  /** Frees plans, and the states that no other has. */
  async function drop(keys: readonly string[]): Promise<void> {
    const dropped = keys.flatMap((key) => plans.get(key) ?? []);
    for (const key of keys) plans.delete(key);
    await disposeAll(dropped.map(({ program }) => program));
    const used = new Set([...plans.values()].flatMap(({ states }) => [...states.keys()]));
    for (const { states } of dropped) for (const name of states.keys()) if (!used.has(name)) runtime.dropState(name);
  }

  /** Frees plans but those of `keys`, the longest unused first, until no more than `most` bytes of states are theirs alone. */
  async function makeRoom(keys: readonly string[], most: number): Promise<void> {
    const seen = new Set(keys.flatMap((key) => [...(plans.get(key)?.states.keys() ?? [])]));
    const others = [...plans.keys()].filter((key) => !keys.includes(key)).reverse();
    let kept = 0;
    const far = others.findIndex((key) => {
      for (const [name, bytes] of plans.get(key)!.states) if (!seen.has(name)) kept += bytes;
      for (const name of plans.get(key)!.states.keys()) seen.add(name);
      return kept > most;
    });
    if (far >= 0) await drop(others.slice(far));
  }

  /** The plans of rows: of their prompts, and of a token of each. Where there is no memory for both, neither is left. */
  async function plansFor(rows: readonly DecodeRow[], { sampling, cache }: DecodeWish) {
    const wanted = {
      settings: sampling && packSettings(sampling).length,
      top: sampling?.topLogProbabilities,
      cache: cache ?? usualCache(layout),
      owner,
    };
    const made = decodePlansOf(rows, config, wanted);
    const tapes = decodeTapes(made, config, layout);
    const keys = tapes.map(([key]) => key);
    await makeRoom(keys, KEPT_BYTES);
    for (let others = true; ; others = false) {
      try {
        const [prefill, step] = (await Promise.all(tapes.map(([key, tape]) => compile(key, tape)))) as [
          Program,
          Program,
        ];
        return { ...made, prefill, step };
      } catch (error) {
        await drop(keys);
        if (!(error instanceof OutOfMemory) || !others) throw error;
        await drop([...plans.keys()]);
      }
    }
  }

  /** Makes the plans and computes the prompts; gives the plan of a step and the logits, if they are asked for. */
  async function start(rows: readonly DecodeRow[], wish: DecodeWish) {
    const { shape, prompts, prompt, prefill, step } = await plansFor(rows, wish);
    const table = tableOf(rows, prompts, shape.places);
    if (wish.sampling) writeSampling(runtime, rows, shape, table, packSettings(wish.sampling));
    const { logits } = await prefill.run(promptInputs(rows, prompts, prompt.length));
    return { shape, step, table, logits };
  }

  async function* sample(rows: readonly DecodeRow[], wish: DecodeWish, signal?: AbortSignal) {
    signal?.throwIfAborted();
    const { shape, step } = await start(rows, wish);
    const needed = largest(rows.map(({ prompt, most }) => Math.min(most, shape.places) - prompt.length));
    let queued = 1;
    let burst = 1;
    let pending = look(rows, shape);
    try {
      for (;;) {
        signal?.throwIfAborted();
        const began = performance.now();
        // The device works on these while the host waits for the ones before.
        for (let i = 0; i < burst && queued < needed; i++, queued++) await step.run({});
        const states = await pending;
        // What came before is given first, to whoever reads along.
        const broken = states.some(({ finished }) => finished === FINISHED.notFinite);
        yield broken ? states.map(asUnfinished) : states;
        if (broken) throw notFinite(precision, wish.cache);
        if (states.every(({ finished }) => finished !== FINISHED.no)) return;
        pending = look(rows, shape);
        const took = performance.now() - began;
        if (took < FAST_MS) burst = Math.min(MOST_QUEUED, 2 * burst);
        else if (took > SLOW_MS) burst = Math.max(1, burst >> 1);
      }
    } finally {
      // Whoever stops reading may close the device next.
      await pending.catch(() => {});
    }
  }

  /** Begins to read the rows; who awaits it hears of a failure, and until then it does not count as unhandled. */
  function look(rows: readonly DecodeRow[], shape: DecodeShape): Promise<RowState[]> {
    const reading = readRows(runtime, rows, shape);
    reading.catch(() => {});
    return reading;
  }

  return {
    precision,
    async fit(rows, wish, unit = 1) {
      const { sampling, cache = usualCache(layout) } = wish;
      const kept = { top: sampling?.topLogProbabilities, cache };
      const most = Math.min(rows.length, rowsThatFit(rows, config, runtime, kept, unit));
      let units = Math.max(1, Math.floor(most / unit));
      for (;;) {
        try {
          await plansFor(rows.slice(0, unit * units), wish);
          return unit * units;
        } catch (error) {
          if (!(error instanceof OutOfMemory) || units === 1) throw error;
          units = Math.floor(units / 2);
        }
      }
    },
    sample,
    async logits(rows, { cache } = {}) {
      const { shape, step, table, logits } = await start(rows, { cache });
      return {
        first: logits!,
        table,
        places: shape.places,
        next: async (tokens, positions) => (await step.run({ tokens, positions, table })).logits!,
      };
    },
    dispose() {
      void drop([...plans.keys()]);
    },
  };
}

/** The prompt's places from the row that it was computed in, all others from the row itself. */
function tableOf(rows: readonly DecodeRow[], prompts: readonly Prompt[], places: number): Uint32Array<ArrayBuffer> {
  const table = new Uint32Array(rows.length * places);
  rows.forEach(({ prompt }, row) => {
    table.fill(row, row * places, (row + 1) * places);
    table.fill(prompts.find(({ ids }) => ids === prompt)!.row, row * places, row * places + prompt.length);
  });
  return table;
}

function promptInputs(rows: readonly DecodeRow[], prompts: readonly Prompt[], length: number): Tensors {
  const tokens = new Uint32Array(prompts.length * length);
  prompts.forEach(({ ids }, p) => {
    tokens.set(ids, p * length);
  });
  const lastOf = (prompt: readonly number[]): number =>
    prompts.findIndex(({ ids }) => ids === prompt) * length + prompt.length - 1;
  return {
    tokens,
    positions: tokens.map((_, i) => i % length),
    lengths: Uint32Array.from(prompts, ({ ids }) => ids.length),
    cacheRows: Uint32Array.from(prompts, ({ row }) => row),
    last: Uint32Array.from(rows, ({ prompt }) => lastOf(prompt)),
  };
}

function writeSampling(
  runtime: Runtime,
  rows: readonly DecodeRow[],
  shape: DecodeShape,
  table: Uint32Array<ArrayBuffer>,
  settings: Uint32Array<ArrayBuffer>,
): void {
  const stride = rowStride(rows.length);
  const state = new Uint32Array(5 * stride);
  const history = new Uint32Array(rows.length * shape.places);
  rows.forEach(({ prompt, least, most }, row) => {
    history.set(prompt, row * shape.places);
    state[COLUMN.token * stride + row] = prompt.at(-1)!;
    state[COLUMN.position * stride + row] = prompt.length - 1;
    state[COLUMN.least * stride + row] = least;
    state[COLUMN.most * stride + row] = most;
  });
  runtime.writeState(decodeState("settings", shape), settings);
  runtime.writeState(decodeState("history", shape), history);
  runtime.writeState(decodeState("rows", shape), state);
  runtime.writeState(decodeState("table", shape), table);
}

async function readRows(runtime: Runtime, rows: readonly DecodeRow[], shape: DecodeShape): Promise<RowState[]> {
  const { top = 0 } = shape;
  const names = [
    "rows",
    "history",
    "logProbabilities",
    ...(top ? (["topIds", "topLogProbabilities"] as const) : []),
  ] as const;
  const [state, history, logProbabilities, topIds, topLogProbabilities] = await Promise.all(
    names.map((name) => runtime.readState(decodeState(name, shape))),
  );
  const topAt = (place: number): TokenLogProbability[] =>
    Array.from({ length: top }, (_, n) => ({
      id: topIds![place * top + n]!,
      logProbability: topLogProbabilities![place * top + n]!,
    }));
  const stride = rowStride(rows.length);
  return rows.map(({ prompt }, row) => {
    const start = row * shape.places;
    const end = start + state![COLUMN.position * stride + row]! + 1;
    return {
      ids: Array.from(history!.subarray(start, end)),
      logProbabilities: Array.from(logProbabilities!.subarray(start + prompt.length, end)),
      top: top ? Array.from({ length: end - start - prompt.length }, (_, i) => topAt(start + prompt.length + i)) : [],
      finished: state![COLUMN.finished * stride + row]!,
    };
  });
}

function asUnfinished(row: RowState): RowState {
  return row.finished === FINISHED.notFinite ? { ...row, finished: FINISHED.no } : row;
}

/** What is said where no token has a probability. `cache`: of keys and values. */
export function notFinite(precision: Format, cache: Format = usualCache({ precision })): UserError {
  const why = "the model's logits are not finite: its weights are damaged, or training diverged";
  const halves = "; or a weight, key or value is beyond 65,504, which f16 does not hold: try it in f32";
  return new UserError([precision, cache].includes("f16") ? `${why}${halves}` : why, { kind: "diverged" });
}
