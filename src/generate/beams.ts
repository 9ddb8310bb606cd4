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
 * Gives `numBeams` hypotheses of each prompt, best first, and behind them those that the rules ended.
 */
export async function beamSearch(
  decoder: Decoder,
  prompts: readonly DecodeRow[],
  options: Generation,
  config: Pick<Gpt2Config, "vocabSize" | "contextLength">,
  signal?: AbortSignal,
): Promise<Hypothesis[][]> {
  const width = options.numBeams;
  const rows = prompts.flatMap((row) => new Array<DecodeRow>(width).fill(row));
  const session = await decoder.logits(rows);
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
    if (!Array.prototype.every.call(logits, Number.isFinite)) throw notFinite(decoder.precision);
    for (const search of searches) if (!search.done) advance(search, logits, config.vocabSize, options);
    if (searches.every(({ done }) => done))
      return searches.map(({ found, stuck }) => [...found, ...stuck.sort((a, b) => b.score - a.score)].slice(0, width));
    logits = await next(session, searches);
  }
}

/** One step of a search: extends each beam by every token, keeps the best. */
function advance(search: Search, logits: ArrayLike<number>, vocabulary: number, options: Generation): void {
  const { numBeams, endIds, lengthPenalty, earlyStopping } = options;
  const { found, prompt, most } = search;
  const rules = { ...options, minLength: search.least };
  const scoreOf = (logProbability: number, tokens: number): number =>
    logProbability / Math.max(1, tokens) ** lengthPenalty;
  const candidates = search.beams.flatMap((beam) => {
    const start = beam.row * vocabulary;
    const scores = logSoftmax(Array.prototype.slice.call(logits, start, start + vocabulary));
    applyScoreRules(scores, beam.ids, rules);
    const all = Array.from(
      scores,
      (score, id): Candidate => ({ beam, id, logProbability: beam.logProbability + score }),
    );
    const allowed = all.filter(({ logProbability }) => logProbability > Number.NEGATIVE_INFINITY);
    if (allowed.length === 0 && beam.logProbability > Number.NEGATIVE_INFINITY) {
      const score = scoreOf(beam.logProbability, beam.ids.length - prompt.length);
      search.stuck.push({ ids: beam.ids, score, ended: false, stuck: true });
    }
    return allowed;
  });
  candidates.sort((a, b) => b.logProbability - a.logProbability);
  const kept = candidates.slice(0, Math.max(2, 1 + endIds.length) * numBeams);
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
  const best = open[0]?.logProbability ?? WORST;
  search.done =
    open.length === 0 ||
    (found.length === numBeams && earlyStopping === true) ||
    !mayImprove(found, best, length - prompt.length, most - prompt.length, options);
  search.beams = open.map(({ beam, id, logProbability }) => ({
    ids: [...beam.ids, id],
    logProbability,
    row: beam.row,
  }));
  // Every row computes something: one without a beam goes along with the best, from which nothing more comes.
  const [first] = search.beams;
  while (first && search.beams.length < numBeams)
    search.beams.push({ ...first, logProbability: Number.NEGATIVE_INFINITY });
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
async function next(session: LogitsSession, searches: readonly Search[]): Promise<ArrayLike<number>> {
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
