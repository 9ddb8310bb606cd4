import { keyOf, permutation, philox, STREAM } from "../core/philox.ts";
import type { Sequence, Sequences, TokenStream } from "../data/sequence.ts";

/** What one row of a batch holds: a record, or several end to end. */
export type Row = readonly Sequence[];

/** The rows of one optimiser step. */
export interface StepRows {
  readonly rows: readonly Row[];
  /** Passes over the data that are complete after this step, with the fraction of the present one. */
  readonly epoch: number;
}

/** Where a trainer takes its rows from: a pure function of a step's number, so that there is no position to save. */
export interface RowSource {
  /** Steps of one pass over the data; the last one may have fewer rows. */
  readonly stepsPerEpoch: number;
  /** Rows of a step, but for the last of a pass. */
  readonly rowsPerStep: number;
  /** Whether a row may be several records. */
  readonly packed?: boolean;
  /** Most places that a row takes. */
  readonly longest: number;
  /** Fewest, where that is known. */
  readonly shortest?: number;
  /** The rows of step `step`, counted from 0. */
  at(step: number): StepRows;
}

export interface RowOptions {
  /** Rows of one optimiser step: batch size times accumulation. */
  readonly rowsPerStep: number;
  readonly seed: number;
}

/** A record a row; each pass over the data is a new permutation. */
export function recordRows(sequences: Sequences, options: RowOptions): RowSource {
  const places = Math.max(1, sequences.longest - 1);
  return shuffled(sequences.count, places, options, (index) => [sequences.read(index)]);
}

/** Rows that are open at one time while records are packed. */
const OPEN_ROWS = 64;

/**
 * Records end to end in rows of `context` places, as many as fit: each goes into the fullest row that still has room
 * for it. Which records share a row is decided once, by the seed; each pass over the data permutes the rows.
 */
export function packedRows(sequences: Sequences, context: number, options: RowOptions): RowSource {
  const { starts, records } = pack(sequences, context, options.seed);
  const rows = shuffled(starts.length - 1, context, options, (index) =>
    Array.from(records.subarray(starts[index], starts[index + 1]), (record) => sequences.read(record)),
  );
  return { ...rows, packed: true };
}

/** Records in the order of their rows, and where each row starts among them. */
function pack(sequences: Sequences, context: number, seed: number): { starts: Uint32Array; records: Uint32Array } {
  const rows: number[][] = [];
  let open: { left: number; row: number[] }[] = [];
  for (const record of permutation(sequences.count, seed, STREAM.order, PACKING)) {
    const places = sequences.lengthOf(record) - 1;
    let best: { left: number; row: number[] } | undefined;
    for (const candidate of open) {
      if (candidate.left >= places && candidate.left < (best?.left ?? Number.POSITIVE_INFINITY)) best = candidate;
    }
    if (!best) {
      best = { left: context, row: [] };
      rows.push(best.row);
      open.push(best);
    }
    best.row.push(record);
    best.left -= places;
    if (best.left === 0 || open.length > OPEN_ROWS) open = withoutFullest(open);
  }
  const starts = new Uint32Array(rows.length + 1);
  rows.forEach((row, i) => {
    starts[i + 1] = starts[i]! + row.length;
  });
  const records = new Uint32Array(starts.at(-1)!);
  rows.forEach((row, i) => {
    records.set(row, starts[i]);
  });
  return { starts, records };
}

/** The epoch whose permutation decides what is packed with what: no training run gets so far. */
const PACKING = 2 ** 32 - 1;

function withoutFullest<T extends { left: number }>(open: readonly T[]): T[] {
  const least = open.reduce((least, { left }) => Math.min(least, left), Number.POSITIVE_INFINITY);
  const at = open.findIndex(({ left }) => left === least);
  return open.filter((_, i) => i !== at);
}

/**
 * Windows of `context` places of one long text, each starting anywhere, drawn anew at each step as nanoGPT does. A pass
 * is as many steps as see as many tokens as there are.
 */
export function windowRows(stream: TokenStream, context: number, { rowsPerStep, seed }: RowOptions): RowSource {
  const last = stream.length - context - 1;
  if (last < 0) throw new Error(`windows: a text of ${stream.length} tokens has no window of ${context + 1}`);
  const key = keyOf(seed);
  const stepsPerEpoch = Math.max(1, Math.ceil(stream.length / (rowsPerStep * context)));
  return {
    stepsPerEpoch,
    rowsPerStep,
    longest: context,
    shortest: context,
    at(step) {
      const rows = Array.from({ length: rowsPerStep }, (_, row) => {
        const [low, high] = philox([row, step, STREAM.order, 0], key);
        const start = Math.floor(((high >>> 11) * 2 ** 32 + low) * 2 ** -53 * (last + 1));
        return [{ ids: stream.read(start, context + 1) }];
      });
      return { rows, epoch: (step + 1) / stepsPerEpoch };
    },
  };
}

/** Windows one after another, to evaluate on: all of them, or `most` spread evenly over the text. */
export function windowsOf(stream: TokenStream, context: number, most = Number.POSITIVE_INFINITY): Sequences {
  const whole = Math.max(1, Math.floor((stream.length - 1) / context));
  const count = Math.min(whole, most);
  const length = Math.min(context + 1, stream.length);
  return {
    count,
    longest: length,
    lengthOf: () => length,
    read: (index) => ({ ids: stream.read(Math.floor((index * whole) / count) * context, length) }),
  };
}

function shuffled(count: number, longest: number, options: RowOptions, read: (index: number) => Row): RowSource {
  const { rowsPerStep, seed } = options;
  const stepsPerEpoch = Math.ceil(count / rowsPerStep);
  let cached = { epoch: -1, order: new Uint32Array(0) };
  return {
    stepsPerEpoch,
    rowsPerStep,
    longest,
    at(step) {
      const epoch = Math.floor(step / stepsPerEpoch);
      if (cached.epoch !== epoch) cached = { epoch, order: permutation(count, seed, STREAM.order, epoch) };
      const start = (step % stepsPerEpoch) * rowsPerStep;
      const rows = Array.from(cached.order.subarray(start, start + rowsPerStep), read);
      return { rows, epoch: (step + 1) / stepsPerEpoch };
    },
  };
}
