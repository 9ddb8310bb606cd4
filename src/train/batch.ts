import type { Sequence } from "../data/sequence.ts";
import { checkLabels, IGNORED_LABEL } from "../kernels/cross-entropy.ts";
import { sortedOrder } from "../kernels/embedding.ts";
import type { BatchShape } from "../model/gpt2.ts";
import type { Tensors } from "../runtime/runtime.ts";
import type { Row } from "./rows.ts";

/** What the tapes of `step.ts` are fed, but for the per-step scalars. */
export interface Batch {
  readonly shape: BatchShape;
  /** tokens, positions, tokenOrder, positionOrder, lengths, labels; starts where rows are packed. */
  readonly inputs: Tensors;
  /** Labels that take part in the loss. */
  readonly labelCount: number;
  /** Real tokens, without padding. */
  readonly tokenCount: number;
}

/** Labels of a row, that take part in the loss. */
export function labelsOf(row: Row): number {
  return row.reduce((sum, { ids, prompt = 1 }) => sum + Math.max(0, ids.length - 1 - Math.max(0, prompt - 1)), 0);
}

/** As `collateRows`, with one record a row. */
export function collate(sequences: readonly Sequence[], context: number, vocabulary: number): Batch {
  return collateRows(
    sequences.map((sequence) => [sequence]),
    context,
    vocabulary,
  );
}

/**
 * Lays rows out and pads them to `context` places. Padding is known by `lengths` alone: its ids are 0, its labels
 * ignored, and nothing ever asks whether an id "is" padding. A record of n ids has n - 1 places, since the last id is
 * only predicted; prompts carry no loss. With `packed`, a row may be several records end to end: positions begin at 0 in
 * each, and `starts` keeps them from seeing each other; each place of padding is then a record by itself.
 */
export function collateRows(rows: readonly Row[], context: number, vocabulary: number, packed = false): Batch {
  const batch = rows.length;
  const starts = packed ? Uint32Array.from({ length: batch * context }, (_, i) => i % context) : undefined;
  const tokens = new Uint32Array(batch * context);
  const labels = new Int32Array(batch * context).fill(IGNORED_LABEL);
  const lengths = new Uint32Array(batch);
  rows.forEach((row, b) => {
    if (row.length > 1 && !packed) throw new Error(`collate: a row of ${row.length} records; wanted one, or packed`);
    let at = 0;
    for (const { ids, prompt = 1 } of row) {
      const places = Math.max(0, ids.length - 1);
      if (at + places > context) throw new Error(`collate: a row of ${at + places} places does not fit ${context}`);
      for (let t = 0; t < places; t++) {
        tokens[b * context + at + t] = ids[t]!;
        if (t + 1 >= prompt) labels[b * context + at + t] = ids[t + 1]!;
      }
      starts?.fill(at, b * context + at, b * context + at + places);
      at += places;
    }
    lengths[b] = at;
  });
  return makeBatch({ batch, context }, tokens, labels, lengths, vocabulary, starts);
}

/**
 * A batch of ready-made arrays: tokens and labels [B, T], `labels[b, t]` being what follows `tokens[b, t]`. With `starts`
 * [B, T], the place in its row where each token's record begins, rows are packed.
 */
export function makeBatch(
  shape: BatchShape,
  tokens: Uint32Array<ArrayBuffer>,
  labels: Int32Array<ArrayBuffer>,
  lengths: Uint32Array<ArrayBuffer>,
  vocabulary: number,
  starts?: Uint32Array<ArrayBuffer>,
): Batch {
  const bad = tokens.findIndex((id) => id >= vocabulary);
  if (bad >= 0) throw new Error(`batch: token ${tokens[bad]} at ${bad}, wanted 0..${vocabulary - 1}`);
  checkLabels(labels, vocabulary);
  const positions = tokens.map((_, i) => (i % shape.context) - (starts?.[i] ?? 0));
  let labelCount = 0;
  for (const label of labels) if (label !== IGNORED_LABEL) labelCount++;
  return {
    shape: starts ? { ...shape, packed: true } : shape,
    labelCount,
    tokenCount: lengths.reduce((sum, length) => sum + length, 0),
    inputs: {
      tokens,
      positions,
      tokenOrder: sortedOrder(tokens),
      positionOrder: sortedOrder(positions),
      lengths,
      labels,
      ...(starts ? { starts } : {}),
    },
  };
}
