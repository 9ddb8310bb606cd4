import type { NumericArray } from "../core/dtype.ts";
import { applyScoreRules, logSoftmax } from "../core/processors.ts";
import type { Gpt2Config } from "../model/config.ts";
import { type DecodeRow, type Decoder, type LogitsSession, notFinite } from "./decoder.ts";
import type { Generation } from "./options.ts";

/** A sequence that a beam search found. */
export interface Hypothesis {
  /** Prompt and output, an end token included. */
  readonly ids: readonly number[];
  /** Log-probability / (number of new tokens)^lengthPenalty. */
  readonly score: number;
  readonly ended: boolean;
  /** The rules left no token that may come next. */
  readonly stuck: boolean;
}

/** A sequence that is still open: its log-probability, and where in the batch it lies. */
interface Beam {
  readonly ids: readonly number[];
  readonly logProbability: number;
  readonly row: number;
}

interface Candidate {
  readonly beam: Beam;
  readonly id: number;
  readonly logProbability: number;
}

/** One prompt's search. */
interface Search {
  readonly prompt: readonly number[];
  readonly least: number;
  readonly most: number;
  readonly firstRow: number;
  beams: Beam[];
  readonly found: Hypothesis[];
  /** Those that the rules let nothing follow: they count where too few were found. */
  readonly stuck: Hypothesis[];
  done: boolean;
}

/** Stands for minus infinity, as transformers has it: such beams still have an order. */
const WORST = -1e9;

/**
 * Beam search as transformers does it: each prompt keeps the `numBeams` best open sequences and the `numBeams` best ended
 * ones. The caches of beams are never copied: a table says in which row each position of a beam's past lies.
 * Gives, after each token, the `numBeams` hypotheses of each prompt whose search is over, best first, and behind them those that the rules
 * ended.
 */
export async function* beamSearch(
  decoder: Decoder,
  prompts: readonly DecodeRow[],
  options: Generation,
  config: Pick<Gpt2Config, "vocabSize" | "contextLength">,
  signal?: AbortSignal,
): AsyncGenerator<readonly (readonly Hypothesis[] | undefined)[], void> {
  const width = options.numBeams;
  const rows = prompts.flatMap((row) => new Array<DecodeRow>(width).fill(row));
  const session = await decoder.logits(rows, options);
  const searches = prompts.map(({ prompt, least, most }, p): Search => {
    const beams = Array.from({ length: width }, (_, i) => ({
      ids: prompt,
      logProbability: i === 0 ? 0 : WORST, // they are all equal: one of them begins
      row: p * width + i,
    }));
    return {
      prompt,
      least,
      most: Math.min(most, config.contextLength),
      firstRow: p * width,
      beams,
      found: [],
      stuck: [],
      done: false,
    };
  });
  let logits = session.first;
  for (;;) {
    signal?.throwIfAborted();
    if (!logits.every(Number.isFinite)) throw notFinite(decoder.precision, options.cache);
    for (const search of searches) if (!search.done) advance(search, logits, config.vocabSize, options);
    yield searches.map(({ done, found, stuck }) =>
      done ? [...found, ...stuck.sort((a, b) => b.score - a.score)].slice(0, width) : undefined,
    );
    if (searches.every(({ done }) => done)) return;
    logits = await next(session, searches);
  }
}

/**
 * The most probable of many candidates, `count` of them; of equal ones those that were offered first. Of hundreds of beams with a
 * vocabulary each nearly all are passed over by one comparison.
 */
function createBest(count: number) {
  let kept: Candidate[] = [];
  /** What a candidate must be better than, once there are enough. */
  let least = Number.NEGATIVE_INFINITY;
  const cut = (): void => {
    kept.sort((a, b) => b.logProbability - a.logProbability);
    kept = kept.slice(0, count);
    if (kept.length === count) least = kept.at(-1)!.logProbability;
  };
  return {
    offer(beam: Beam, id: number, logProbability: number): void {
      if (logProbability <= least) return;
      kept.push({ beam, id, logProbability });
      if (kept.length >= 4 * count) cut();
    },
    sorted(): readonly Candidate[] {
      cut();
      return kept;
    },
  };
}

/** One step of a search: extends each beam by every token, keeps the best. */
function advance(search: Search, logits: NumericArray, vocabulary: number, options: Generation): void {
  const { numBeams, endIds, lengthPenalty, earlyStopping } = options;
  const { found, prompt, most } = search;
  const rules = { ...options, minLength: search.least };
  const scoreOf = (logProbability: number, tokens: number): number =>
    logProbability / Math.max(1, tokens) ** lengthPenalty;
  const best = createBest(Math.max(2, 1 + endIds.length) * numBeams);
  for (const beam of search.beams) {
    const start = beam.row * vocabulary;
    const scores = logSoftmax(logits.subarray(start, start + vocabulary));
    applyScoreRules(scores, beam.ids, rules);
    let allowed = false;
    for (let id = 0; id < vocabulary; id++) {
      const logProbability = beam.logProbability + scores[id]!;
      if (logProbability === Number.NEGATIVE_INFINITY) continue;
      allowed = true;
      best.offer(beam, id, logProbability);
    }
    if (allowed || beam.logProbability === Number.NEGATIVE_INFINITY) continue;
    const score = scoreOf(beam.logProbability, beam.ids.length - prompt.length);
    search.stuck.push({ ids: beam.ids, score, ended: false, stuck: true });
  }
  const kept = best.sorted();
  const length = search.beams[0]!.ids.length + 1;
  const ends = ({ id }: Candidate): boolean => endIds.includes(id) || length >= most;

  const open = kept.filter((candidate) => !ends(candidate)).slice(0, numBeams);
  const full = found.length === numBeams && earlyStopping === true;
  for (const candidate of full ? [] : kept.slice(0, numBeams).filter(ends)) {
    found.push({
      ids: [...candidate.beam.ids, candidate.id],
      score: scoreOf(candidate.logProbability, length - prompt.length),
      ended: endIds.includes(candidate.id),
      stuck: false,
    });
  }
  found.sort((a, b) => b.score - a.score).splice(numBeams);
  const first = open[0]?.logProbability ?? WORST;
  search.done =
    open.length === 0 ||
    (found.length === numBeams && earlyStopping === true) ||
    !mayImprove(found, first, length - prompt.length, most - prompt.length, options);
  search.beams = open.map(({ beam, id, logProbability }) => ({
    ids: [...beam.ids, id],
    logProbability,
    row: beam.row,
  }));
  // Every row computes something: one without a beam goes along with the best, from which nothing more comes.
  const [leader] = search.beams;
  while (leader && search.beams.length < numBeams)
    search.beams.push({ ...leader, logProbability: Number.NEGATIVE_INFINITY });
}

/** Whether an open beam may yet be better than the worst that was found; with "never", however long it gets. */
function mayImprove(
  found: readonly Hypothesis[],
  best: number,
  length: number,
  most: number,
  options: Generation,
): boolean {
  const { numBeams, lengthPenalty, earlyStopping } = options;
  if (found.length < numBeams) return true;
  const longest = earlyStopping === "never" && lengthPenalty > 0 ? most : length;
  return best / longest ** lengthPenalty > found.at(-1)!.score;
}

/** Computes the newest token of every beam; a beam takes the row of its place, and the past of its parent. */
async function next(session: LogitsSession, searches: readonly Search[]): Promise<NumericArray> {
  const { table, places } = session;
  const before = table.slice();
  const tokens = new Uint32Array(table.length / places);
  const positions = new Uint32Array(table.length / places);
  for (const search of searches) {
    search.beams = search.beams.map((beam, i) => {
      const row = search.firstRow + i;
      const past = beam.ids.length - 1;
      table.set(before.subarray(beam.row * places, beam.row * places + past), row * places);
      table.fill(row, row * places + past, (row + 1) * places);
      tokens[row] = beam.ids.at(-1)!;
      positions[row] = past;
      return { ...beam, row };
    });
  }
  return session.next(tokens, positions);
}
